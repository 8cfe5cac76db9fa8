/**
 * A seeded generator of random numbers: PCG32 (PCG-XSH-RR, https://www.pcg-random.org), 64 bits of
 * state and 2^63 streams. Its whole state is attributes, so that it can be an extra of a checkpoint;
 * they take the full width of a uint64.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import type { Stateful } from '../../../src/state.js'
import { checkedAttributes, finiteOrNull, uint64 } from './attributes.js'
import type { MemoryTensor } from './module.js'

const MULTIPLIER = 6364136223846793005n
const CHECKS = { state: uint64, increment: uint64, spare: finiteOrNull }

export class Rng implements Stateful {
  #state = 0n
  /** Odd; which one it is selects the stream. */
  #increment: bigint
  /** The second of the two normal draws that one transformation yields. */
  #spare: number | null = null

  constructor(seed: number | bigint, stream: number | bigint = 0) {
    this.#increment = BigInt.asUintN(64, (BigInt(stream) << 1n) | 1n)
    this.uint32()
    this.#state = BigInt.asUintN(64, this.#state + BigInt(seed))
    this.uint32()
  }

  /** Uniform over the integers from 0 to 2^32 - 1. */
  uint32(): number {
    const old = this.#state
    this.#state = BigInt.asUintN(64, old * MULTIPLIER + this.#increment)
    const word = Number(BigInt.asUintN(32, ((old >> 18n) ^ old) >> 27n))
    const rotation = Number(old >> 59n)
    return ((word >>> rotation) | (word << (-rotation & 31))) >>> 0
  }

  /** Uniform over [0, 1). */
  uniform(): number {
    return this.uint32() / 2 ** 32
  }

  /** Uniform over the integers from 0 to `bound` - 1, without bias: some draws are rejected. */
  below(bound: number): number {
    const threshold = 2 ** 32 % bound
    for (;;) {
      const draw = this.uint32()
      if (draw >= threshold) return draw % bound
    }
  }

  /** From the standard normal distribution, by the Box-Muller transform. */
  normal(): number {
    if (this.#spare !== null) {
      const spare = this.#spare
      this.#spare = null
      return spare
    }
    // 1 - u is never 0, and the logarithm is finite.
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()))
    const angle = 2 * Math.PI * this.uniform()
    this.#spare = radius * Math.sin(angle)
    return radius * Math.cos(angle)
  }

  stateDict(): { kind: string; attributes: Attributes; tensors: Map<string, MemoryTensor> } {
    return {
      kind: 'PCG32',
      attributes: { state: this.#state, increment: this.#increment, spare: this.#spare },
      tensors: new Map(),
    }
  }

  loadAttributes(attributes: Attributes): void {
    const { state, increment, spare } = checkedAttributes(attributes, 'PCG32', CHECKS)
    if (increment % 2n === 0n) {
      throw new TypeError(`PCG32: 'increment' must be odd, not ${increment}n`)
    }
    this.#state = state
    this.#increment = increment
    this.#spare = spare
  }
}
