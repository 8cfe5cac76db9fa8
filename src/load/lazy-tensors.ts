/** The tensors of a saved state by their names, each made when somebody asks for it. */

import type { StateRecord, TensorRecord } from '../format/metadata.js'
import type { CheckpointTensor, TensorsByName } from './state.js'

export class LazyTensors implements TensorsByName {
  readonly #record: StateRecord
  readonly #make: (state: string, tensor: TensorRecord) => CheckpointTensor
  #made: CheckpointTensor[] | undefined

  /** `make` makes a tensor of a state; it is called once for each at most. */
  constructor(
    record: StateRecord,
    make: (state: string, tensor: TensorRecord) => CheckpointTensor,
  ) {
    this.#record = record
    this.#make = make
  }

  get size(): number {
    return this.#record.tensors.length
  }

  has(name: string): boolean {
    return this.#record.tensors.indexOf(name) !== -1
  }

  get(name: string): CheckpointTensor | undefined {
    const i = this.#record.tensors.indexOf(name)
    return i === -1 ? undefined : this.#at(i)
  }

  *keys(): IterableIterator<string> {
    for (let i = 0; i < this.size; i++) yield this.#record.tensors.name(i)
  }

  *entries(): IterableIterator<[name: string, tensor: CheckpointTensor]> {
    for (let i = 0; i < this.size; i++) {
      const tensor = this.#at(i)
      yield [tensor.name, tensor]
    }
  }

  #at(i: number): CheckpointTensor {
    const { name, tensors } = this.#record
    this.#made ??= []
    this.#made[i] ??= this.#make(name, tensors.at(i))
    return this.#made[i]
  }
}
