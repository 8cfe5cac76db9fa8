/**
 * A sampler that visits every index once per epoch, in a new random order each time. The order follows from the seed
 * and the number of the epoch. A checkpoint therefore needs only the position (epoch, index) to continue within an
 * epoch.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import type { Stateful } from '../../../src/state.js'
import { checkedAttributes, counter, uint64 } from './attributes.js'
import type { MemoryTensor } from './module.js'
import { Rng } from './rng.js'

export interface SamplerOptions {
  /** Number of samples in the data set. */
  readonly length: number
  /** The last batch of an epoch is shorter where `length` is no multiple. */
  readonly batchSize: number
  readonly seed: number | bigint
}

const CHECKS = { length: counter, seed: uint64, epoch: counter, index: counter }

export class ShuffledSampler implements Stateful {
  readonly #length: number
  readonly #batchSize: number
  #seed: bigint
  #epoch = 0
  #index = 0
  /** Of the current epoch; null until it is needed. */
  #order: Uint32Array | null = null

  constructor({ length, batchSize, seed }: SamplerOptions) {
    for (const [name, value] of Object.entries({ length, batchSize })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new RangeError(`ShuffledSampler: ${name} must be a positive integer, not ${value}`)
      }
    }
    this.#length = length
    this.#batchSize = batchSize
    this.#seed = BigInt.asUintN(64, BigInt(seed))
  }

  /** Number of epochs that are complete. */
  get epoch(): number {
    return this.#epoch
  }

  /** Number of samples of the current epoch that were handed out. */
  get index(): number {
    return this.#index
  }

  /** The indices of the next batch, which never reaches into the next epoch. */
  next(): Uint32Array {
    this.#order ??= shuffled(this.#length, new Rng(this.#seed, this.#epoch))
    const batch = this.#order.slice(this.#index, this.#index + this.#batchSize)
    this.#index += batch.length
    if (this.#index === this.#length) {
      this.#epoch++
      this.#index = 0
      this.#order = null
    }
    return batch
  }

  stateDict(): { kind: string; attributes: Attributes; tensors: Map<string, MemoryTensor> } {
    return {
      kind: 'ShuffledSampler',
      attributes: {
        length: this.#length,
        seed: this.#seed,
        epoch: this.#epoch,
        index: this.#index,
      },
      tensors: new Map(),
    }
  }

  loadAttributes(attributes: Attributes): void {
    const { length, seed, epoch, index } = checkedAttributes(attributes, 'ShuffledSampler', CHECKS)
    if (length !== this.#length) {
      throw new TypeError(
        `ShuffledSampler: 'length' is ${length}, but the data set has ${this.#length} samples`,
      )
    }
    if (index >= length) {
      throw new TypeError(`ShuffledSampler: 'index' must be less than ${length}, not ${index}`)
    }
    this.#seed = seed
    this.#epoch = epoch
    this.#index = index
    this.#order = null
  }
}

/** The numbers from 0 to `length` - 1, by the Fisher-Yates shuffle. */
function shuffled(length: number, rng: Rng): Uint32Array {
  const order = Uint32Array.from({ length }, (_, i) => i)
  for (let i = length - 1; i > 0; i--) {
    const j = rng.below(i + 1)
    const swapped = order[i]!
    order[i] = order[j]!
    order[j] = swapped
  }
  return order
}
