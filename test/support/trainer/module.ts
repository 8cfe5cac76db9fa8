/**
 * Module: a part of a model that owns parameters and other modules, and names them. Its state dict is
 * the plain-memory case of a checkpoint: the arrays in it are the parameters themselves, so a save
 * reads them and a restore writes them, and there is no `loadStateDict`.
 */

import type { Stateful } from '../../../src/state.js'
import type { Variable } from './variable.js'

/** A tensor in a state dict, over the memory of its owner. */
export interface MemoryTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

export abstract class Module implements Stateful {
  // Parameters and modules in one map, because their names are in one order and must differ.
  readonly #members = new Map<string, Variable | Module>()

  abstract forward(input: Variable): Variable

  /** Makes `member` part of this module, and returns it. A name may contain dots: `layers.0`. */
  protected register<T extends Variable | Module>(name: string, member: T): T {
    if (name === '' || this.#members.has(name)) {
      throw new TypeError(`the name '${name}' is ${name === '' ? 'empty' : 'already registered'}`)
    }
    this.#members.set(name, member)
    return member
  }

  /**
   * Every parameter with its dotted name, in the order of registration. One that has two names (tied
   * weights) comes once, under its first: an optimizer must not update it twice.
   */
  *namedParameters(): Generator<[name: string, parameter: Variable]> {
    const seen = new Set<Variable>()
    for (const [name, parameter] of this.#namedVariables('')) {
      if (seen.has(parameter)) continue
      seen.add(parameter)
      yield [name, parameter]
    }
  }

  parameters(): Variable[] {
    return Array.from(this.namedParameters(), ([, parameter]) => parameter)
  }

  /** Every name, both names of tied weights included, over the parameters' own memory. */
  stateDict(): Map<string, MemoryTensor> {
    return new Map(
      Array.from(this.#namedVariables(''), ([name, { shape, data }]) => [name, { shape, data }]),
    )
  }

  *#namedVariables(prefix: string): Generator<[name: string, variable: Variable]> {
    for (const [name, member] of this.#members) {
      if (member instanceof Module) yield* member.#namedVariables(`${prefix}${name}.`)
      else yield [prefix + name, member]
    }
  }
}
