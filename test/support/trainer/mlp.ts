/** A multilayer perceptron: linear layers with an activation between them, none after the last. */

import { Linear } from './linear.js'
import { Module } from './module.js'
import { relu, tanh } from './operations.js'
import type { Rng } from './rng.js'
import type { Variable } from './variable.js'

const ACTIVATIONS = { relu, tanh }

export type Activation = keyof typeof ACTIVATIONS

export class MLP extends Module {
  readonly #layers: Linear[] = []
  readonly #activation: (input: Variable) => Variable

  /** `sizes` are the widths from input to output: [64, 32, 10] has layers `layers.0`, `layers.1`. */
  constructor(sizes: readonly number[], activation: Activation, rng: Rng) {
    super()
    if (sizes.length < 2) {
      throw new RangeError(`an MLP needs an input and an output width, but sizes is [${sizes}]`)
    }
    this.#activation = ACTIVATIONS[activation]
    for (let i = 0; i + 1 < sizes.length; i++) {
      const layer = new Linear(sizes[i]!, sizes[i + 1]!, rng)
      this.#layers.push(this.register(`layers.${i}`, layer))
    }
  }

  forward(input: Variable): Variable {
    return this.#layers.reduce(
      (hidden, layer, i) => layer.forward(i === 0 ? hidden : this.#activation(hidden)),
      input,
    )
  }
}
