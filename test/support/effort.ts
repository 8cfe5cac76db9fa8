/**
 * The number of cases that a randomised test tries: `count` by default, and ten times as many with TEST_EFFORT=10 in
 * the environment, as in CI.
 */
export function times(count: number): number {
  return Math.ceil(count * Number(process.env.TEST_EFFORT ?? 1))
}

/**
 * The number of cases of a test whose cases are slow, because each asks a server or starts a process: at most twice
 * `count`, however much TEST_EFFORT asks for. Such a test has an environment variable of its own for recorded runs.
 */
export function slowTimes(count: number): number {
  return Math.ceil(count * Math.min(2, Number(process.env.TEST_EFFORT ?? 1)))
}
