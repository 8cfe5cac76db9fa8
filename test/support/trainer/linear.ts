/**
 * A fully connected layer: y = x Wᵀ + b, with `weight` [out, in] and `bias` [out]. Starts from
 * U(-1/√in, 1/√in), as https://pytorch.org/docs/stable/generated/torch.nn.Linear.html does.
 */

import { Module } from './module.js'
import { add, matmul, transpose } from './operations.js'
import type { Rng } from './rng.js'
import { sizeOf, Variable } from './variable.js'

export class Linear extends Module {
  readonly weight: Variable
  readonly bias: Variable

  constructor(inputs: number, outputs: number, rng: Rng) {
    super()
    const bound = 1 / Math.sqrt(inputs)
    this.weight = this.register('weight', uniformParameter([outputs, inputs], bound, rng))
    this.bias = this.register('bias', uniformParameter([outputs], bound, rng))
  }

  forward(input: Variable): Variable {
    return add(matmul(input, transpose(this.weight)), this.bias)
  }
}

/** A parameter with elements drawn from U(-bound, bound). */
export function uniformParameter(shape: readonly number[], bound: number, rng: Rng): Variable {
  const data = new Float32Array(sizeOf(shape)).map(() => (2 * rng.uniform() - 1) * bound)
  return new Variable(shape, data, true)
}
