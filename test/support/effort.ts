/**
 * The number of cases that a randomised test tries: `count` by default, and ten times as many with TEST_EFFORT=10 in
 * the environment, as in CI.
 */
export function times(count: number): number {
  return Math.ceil(count * Number(process.env.TEST_EFFORT ?? 1))
}
