/**
 * Optimizer: the base of SGD and AdamW. It takes *named* parameters, and keys its buffers by those
 * names (`momentum_buffer/layers.0.weight`), never by position. All buffers exist from the start, so
 * the keys of the state dict never change and a restore can copy straight into them.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import type { Stateful } from '../../../src/state.js'
import type { MemoryTensor } from './module.js'
import type { Variable } from './variable.js'

/** A parameter in a step: its elements, to be changed in place, and its gradient. */
export interface Update {
  readonly name: string
  readonly data: Float32Array
  readonly gradient: Float32Array
}

/** A buffer's elements by the name of the parameter. */
export type Buffers = ReadonlyMap<string, Float32Array>

export abstract class Optimizer implements Stateful {
  readonly #parameters: ReadonlyMap<string, Variable>
  readonly #tensors = new Map<string, MemoryTensor>()

  constructor(namedParameters: Iterable<readonly [name: string, parameter: Variable]>) {
    this.#parameters = new Map(namedParameters)
  }

  /** What it is called in a checkpoint: `SGD`. */
  abstract readonly kind: string

  /** Hyper-parameters and counters, under PyTorch's names. */
  abstract attributes(): Attributes

  /** Takes saved attributes over: all of them, or none where it throws a TypeError. */
  abstract loadAttributes(attributes: Attributes): void

  protected abstract update(updates: readonly Update[]): void

  /** One buffer of zeros for each parameter, listed in the state dict as `<buffer>/<parameter>`. */
  protected createBuffers(buffer: string): Buffers {
    const buffers = new Map<string, Float32Array>()
    for (const [name, { shape, data }] of this.#parameters) {
      const zeros = new Float32Array(data.length)
      buffers.set(name, zeros)
      this.#tensors.set(`${buffer}/${name}`, { shape, data: zeros })
    }
    return buffers
  }

  /** Changes every parameter by its gradient. Throws, before the first, where one has none. */
  step(): void {
    this.update(
      Array.from(this.#parameters, ([name, { data, grad }]) => {
        if (grad === null) throw new Error(`${name} has no gradient: step() comes after backward()`)
        return { name, data, gradient: grad }
      }),
    )
  }

  zeroGrad(): void {
    for (const parameter of this.#parameters.values()) parameter.zeroGrad()
  }

  stateDict(): { kind: string; attributes: Attributes; tensors: Map<string, MemoryTensor> } {
    return { kind: this.kind, attributes: this.attributes(), tensors: new Map(this.#tensors) }
  }
}
