/**
 * How many cases a test tries that draws them at random: `count` where a person waits for it, and ten times
 * as many with TEST_EFFORT=10 in the environment, as in CI.
 */
export function times(count: number): number {
  return Math.ceil(count * Number(process.env.TEST_EFFORT ?? 1))
}
