/**
 * A large model with momentum. Every element follows from one number, its generation. Two processes therefore have the
 * same model, and a file that mixes old and new tensors is recognised.
 */

import { Module } from './trainer/module.js'
import { SGD } from './trainer/sgd.js'
import { Variable } from './trainer/variable.js'

const TENSORS = 12
const SHAPE = [1024, 1024] as const
// Not a period of anything in a file, so that data shifted by a page or a segment does not match.
const PERIOD = 61

class Wide extends Module {
  constructor() {
    super()
    for (let i = 0; i < TENSORS; i++) {
      const data = new Float32Array(SHAPE[0] * SHAPE[1])
      this.register(`blocks.${i}.weight`, new Variable(SHAPE, data, true))
    }
  }

  forward(input: Variable): Variable {
    return input
  }
}

export class Generations {
  readonly model = new Wide()
  readonly optimizer = new SGD(this.model.namedParameters(), { lr: 0.1, momentum: 0.9 })

  /** The arrays of the model and the optimizer, by name. */
  arrays(): Map<string, Float32Array> {
    const tensors = [...this.model.stateDict(), ...this.optimizer.stateDict().tensors]
    return new Map(tensors.map(([name, { data }]) => [name, data]))
  }

  /** Sets every element to that of the generation, a whole number from 0 to 9,999. */
  set(generation: number): this {
    let tensor = 0
    for (const data of this.arrays().values()) {
      for (let i = 0; i < PERIOD; i++) data[i] = generation * 24 + tensor + i / 64
      for (let done = PERIOD; done < data.length; done *= 2) data.copyWithin(done, 0, done)
      tensor++
    }
    return this
  }
}
