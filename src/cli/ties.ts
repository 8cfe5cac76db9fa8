/** Tied tensors: those that have no bytes of their own, but share those of one before them. */

import { elementCount } from '../format/dtype.js'
import {
  allStates,
  type Metadata,
  type StateRecord,
  type TensorRecord,
} from '../format/metadata.js'

/** A tensor by its names. */
export interface TensorName {
  readonly state: string
  readonly tensor: string
}

/** Of each tensor that shares its bytes with one before it, the first that has them. */
export function findTies(metadata: Metadata): ReadonlyMap<TensorRecord, TensorName> {
  const first = new Map<number, TensorName>()
  const ties = new Map<TensorRecord, TensorName>()
  for (const state of allStates(metadata)) {
    for (const tensor of state.tensors) {
      const known = first.get(tensor.offset)
      if (known === undefined) first.set(tensor.offset, { state: state.name, tensor: tensor.name })
      else ties.set(tensor, known)
    }
  }
  return ties
}

export interface StateSize {
  readonly tensors: number
  /** How many of them share their bytes with another one of the state. */
  readonly repeated: number
  /** Elements and bytes, of tensors over the same bytes counted once. */
  readonly elements: number
  readonly byteLength: number
}

/** How large a state is by itself, whatever it shares with others. */
export function stateSize({ tensors }: StateRecord): StateSize {
  const counted = new Set<number>()
  let elements = 0
  let byteLength = 0
  for (const tensor of tensors) {
    if (counted.has(tensor.offset)) continue
    counted.add(tensor.offset)
    // What a file may hold has a length in bytes, so its elements can be counted.
    elements += elementCount(tensor.shape)!
    byteLength += tensor.byteLength
  }
  return { tensors: tensors.length, repeated: tensors.length - counted.size, elements, byteLength }
}
