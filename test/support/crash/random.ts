/**
 * Reproducible random numbers: CRASH_SEED=<number> repeats those of a run. The timing of the processes is not
 * reproducible, so neither is the exact run.
 */

import type { ExecutionContext } from 'ava'

export class Random {
  #state: number

  constructor(t: ExecutionContext) {
    const seed = Number(process.env.CRASH_SEED ?? Math.floor(Math.random() * 2 ** 31))
    t.log(`CRASH_SEED=${seed}`)
    this.#state = seed >>> 0
  }

  /** A whole number from 0 to less than `limit`. */
  below(limit: number): number {
    // mulberry32
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let x = this.#state
    x = Math.imul(x ^ (x >>> 15), x | 1)
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61)
    return Math.floor((((x ^ (x >>> 14)) >>> 0) / 2 ** 32) * limit)
  }
}
