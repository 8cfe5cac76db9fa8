/**
 * Adam with decoupled weight decay, after https://pytorch.org/docs/stable/generated/torch.optim.AdamW.html (without
 * amsgrad). The bias corrections are powers of the step number, which is enough to restore them.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import { checkedAttributes, counter, nonNegative, rates } from './attributes.js'
import { type Buffers, Optimizer, type Update } from './optimizer.js'
import type { Variable } from './variable.js'

export interface AdamWOptions {
  readonly lr?: number
  /** Decay rates of the running averages of the gradient and of its square. */
  readonly betas?: readonly [number, number]
  readonly eps?: number
  readonly weightDecay?: number
}

const CHECKS = {
  lr: nonNegative,
  betas: rates,
  eps: nonNegative,
  weight_decay: nonNegative,
  step: counter,
}

export class AdamW extends Optimizer {
  readonly kind = 'AdamW'
  /** Learning rate. May be changed between steps, as a scheduler does. */
  lr = 0
  #betas: readonly [number, number] = [0, 0]
  #eps = 0
  #weightDecay = 0
  #step = 0
  readonly #averages: Buffers
  readonly #squares: Buffers

  constructor(
    namedParameters: Iterable<readonly [name: string, parameter: Variable]>,
    { lr = 1e-3, betas = [0.9, 0.999], eps = 1e-8, weightDecay = 1e-2 }: AdamWOptions = {},
  ) {
    super(namedParameters)
    this.#averages = this.createBuffers('exp_avg')
    this.#squares = this.createBuffers('exp_avg_sq')
    this.loadAttributes({ lr, betas, eps, weight_decay: weightDecay, step: 0 })
  }

  attributes(): Attributes {
    return {
      lr: this.lr,
      betas: [...this.#betas],
      eps: this.#eps,
      weight_decay: this.#weightDecay,
      step: this.#step,
    }
  }

  loadAttributes(attributes: Attributes): void {
    const checked = checkedAttributes(attributes, this.kind, CHECKS)
    this.lr = checked.lr
    this.#betas = [...checked.betas]
    this.#eps = checked.eps
    this.#weightDecay = checked.weight_decay
    this.#step = checked.step
  }

  protected update(updates: readonly Update[]): void {
    this.#step++
    const [beta1, beta2] = this.#betas
    const stepSize = this.lr / (1 - beta1 ** this.#step)
    const squareCorrection = Math.sqrt(1 - beta2 ** this.#step)
    for (const { name, data, gradient } of updates) {
      const average = this.#averages.get(name)!
      const square = this.#squares.get(name)!
      for (let i = 0; i < data.length; i++) {
        const g = gradient[i]!
        const m = beta1 * average[i]! + (1 - beta1) * g
        const v = beta2 * square[i]! + (1 - beta2) * g * g
        average[i] = m
        square[i] = v
        const decayed = data[i]! * (1 - this.lr * this.#weightDecay)
        data[i] = decayed - (stepSize * m) / (Math.sqrt(v) / squareCorrection + this.#eps)
      }
    }
  }
}
