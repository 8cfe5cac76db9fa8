/** States in plain memory, written down in a line: what tests save and restore into. */

import type { Attributes } from '../../src/format/attributes.js'
import type { LoadedState, Stateful, TensorLike, TypedArray } from '../../src/state.js'

/** Tensors by name; an array alone is one of a single dimension. */
export interface Tensors {
  readonly [name: string]: TensorLike | TypedArray
}

export interface MemoryState extends Stateful {
  readonly tensors: { readonly [name: string]: TensorLike }
  /** As they are now: those that were given, until a restore. */
  attributes: Attributes
}

/** A state over the arrays themselves, that takes attributes where it was given some. */
export function memoryState(tensors: Tensors, attributes?: Attributes, kind?: string): MemoryState {
  const state: MemoryState = {
    tensors: Object.fromEntries(
      Object.entries(tensors).map(([name, tensor]) => [
        name,
        ArrayBuffer.isView(tensor) ? { shape: [tensor.length], data: tensor } : tensor,
      ]),
    ),
    attributes: attributes ?? {},
    stateDict: () => ({
      tensors: state.tensors,
      attributes: state.attributes,
      ...(kind === undefined ? {} : { kind }),
    }),
  }
  if (attributes === undefined) return state
  return Object.assign(state, {
    loadAttributes(loaded: Attributes) {
      state.attributes = loaded
    },
  })
}

/** All that a saved state holds, for comparison: bytes in hexadecimal, so that NaNs differ. */
export async function snapshot(state: LoadedState) {
  const tensors: [name: string, dtype: string, shape: readonly number[], bytes: string][] = []
  for (const [name, tensor] of state) {
    const { buffer, byteOffset, byteLength } = await tensor.read()
    const bytes = Buffer.from(buffer, byteOffset, byteLength).toString('hex')
    tensors.push([name, tensor.dtype, tensor.shape, bytes])
  }
  return { name: state.name, kind: state.kind, attributes: state.attributes, tensors }
}
