/**
 * Random numbers for fuzzing: fast, and a stream of its own for every pair of seed and index, so that
 * the input with a given number can be made again without those before it. The generator is sfc32
 * (Chris Doty-Humphrey, PractRand).
 */

export class Random {
  #a: number
  #b: number
  #c: number
  #counter = 1

  constructor(seed: number, index: number) {
    this.#a = seed | 0
    this.#b = index | 0
    this.#c = Math.floor(index / 2 ** 32) | 0
    for (let i = 0; i < 12; i++) this.uint32()
  }

  /** Uniform over the integers from 0 to 2^32 - 1. */
  uint32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0
    this.#counter = (this.#counter + 1) | 0
    this.#a = this.#b ^ (this.#b >>> 9)
    this.#b = (this.#c + (this.#c << 3)) | 0
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0
    return sum >>> 0
  }

  /** From 0 to `limit` - 1; `limit` is at most 2^32. The tiny bias does not matter here. */
  below(limit: number): number {
    return Math.floor((this.uint32() / 2 ** 32) * limit)
  }

  /** From `least` to `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1)
  }

  /** True one time in `n`. */
  oneIn(n: number): boolean {
    return this.below(n) === 0
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!
  }
}
