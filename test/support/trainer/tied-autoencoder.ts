/**
 * An autoencoder with tied weights: the decoder multiplies by the encoder's own matrix. In the state
 * dict `encoder.weight` and `decoder.weight` are two names over the same memory.
 */

import { Linear, uniformParameter } from './linear.js'
import { Module } from './module.js'
import { add, matmul, tanh } from './operations.js'
import type { Rng } from './rng.js'
import type { Variable } from './variable.js'

export class TiedAutoencoder extends Module {
  readonly #encoder: Linear
  readonly #decoderWeight: Variable
  readonly #decoderBias: Variable

  constructor(inputs: number, hidden: number, rng: Rng) {
    super()
    this.#encoder = this.register('encoder', new Linear(inputs, hidden, rng))
    // [hidden, inputs]: the encoder multiplies by its transpose, the decoder by the matrix as it is.
    this.#decoderWeight = this.register('decoder.weight', this.#encoder.weight)
    const bound = 1 / Math.sqrt(hidden)
    this.#decoderBias = this.register('decoder.bias', uniformParameter([inputs], bound, rng))
  }

  /** The reconstruction of [n, inputs], of the same shape. */
  forward(input: Variable): Variable {
    const hidden = tanh(this.#encoder.forward(input))
    return add(matmul(hidden, this.#decoderWeight), this.#decoderBias)
  }
}
