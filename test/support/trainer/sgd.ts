/**
 * Stochastic gradient descent with momentum, Nesterov momentum and (coupled) weight decay, after
 * https://pytorch.org/docs/stable/generated/torch.optim.SGD.html with a dampening of 0. There a
 * momentum buffer starts as the first gradient; here as zeros, which comes to the same.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import { boolean, checkedAttributes, nonNegative } from './attributes.js'
import { type Buffers, Optimizer, type Update } from './optimizer.js'
import type { Variable } from './variable.js'

export interface SGDOptions {
  readonly lr: number
  /** 0 (the default) for none; then there are no buffers either. */
  readonly momentum?: number
  readonly nesterov?: boolean
  readonly weightDecay?: number
}

const CHECKS = {
  lr: nonNegative,
  momentum: nonNegative,
  nesterov: boolean,
  weight_decay: nonNegative,
}

export class SGD extends Optimizer {
  readonly kind = 'SGD'
  /** Learning rate. May be changed between steps, as a scheduler does. */
  lr = 0
  #momentum = 0
  #nesterov = false
  #weightDecay = 0
  readonly #momentumBuffers: Buffers | null

  constructor(
    namedParameters: Iterable<readonly [name: string, parameter: Variable]>,
    { lr, momentum = 0, nesterov = false, weightDecay = 0 }: SGDOptions,
  ) {
    super(namedParameters)
    this.#momentumBuffers = momentum === 0 ? null : this.createBuffers('momentum_buffer')
    this.loadAttributes({ lr, momentum, nesterov, weight_decay: weightDecay })
  }

  attributes(): Attributes {
    return {
      lr: this.lr,
      momentum: this.#momentum,
      nesterov: this.#nesterov,
      weight_decay: this.#weightDecay,
    }
  }

  loadAttributes(attributes: Attributes): void {
    const checked = checkedAttributes(attributes, this.kind, CHECKS)
    if ((checked.momentum !== 0) !== (this.#momentumBuffers !== null)) {
      const has = this.#momentumBuffers === null ? 'no momentum buffers' : 'momentum buffers'
      throw new TypeError(`SGD: 'momentum' is ${checked.momentum}, but there are ${has}`)
    }
    if (checked.nesterov && checked.momentum === 0) {
      throw new TypeError("SGD: 'nesterov' needs a momentum")
    }
    this.lr = checked.lr
    this.#momentum = checked.momentum
    this.#nesterov = checked.nesterov
    this.#weightDecay = checked.weight_decay
  }

  protected update(updates: readonly Update[]): void {
    for (const { name, data, gradient } of updates) {
      const buffer = this.#momentumBuffers?.get(name)
      for (let i = 0; i < data.length; i++) {
        let direction = gradient[i]! + this.#weightDecay * data[i]!
        if (buffer !== undefined) {
          const velocity = this.#momentum * buffer[i]! + direction
          buffer[i] = velocity
          direction = this.#nesterov ? direction + this.#momentum * velocity : velocity
        }
        data[i]! -= this.lr * direction
      }
    }
  }
}
