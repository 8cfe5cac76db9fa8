/**
 * Takes a state dict as a trainer offers it, in any of its forms, and makes of it one: a list of
 * named tensors, each with its dtype, shape and length checked, and a copy of the attributes. No
 * tensor's bytes are read or copied here.
 */

import { type Attributes, copyAttributes, describe } from '../format/attributes.js'
import {
  arrayType,
  type DType,
  dtypeOfArray,
  dtypes,
  isDType,
  tensorByteLength,
} from '../format/dtype.js'
import { MAX_RANK } from '../format/tensor-table.js'
import { nameFault, textFault } from '../format/text.js'
import { CheckpointTensor } from '../load/state.js'
import { quote } from '../printable.js'
import type { NamedTensors, State, StateDict, Stateful, TensorData, TensorLike } from '../state.js'
import { bytesOf } from '../state.js'
import { notMemory, notStateful, notTensor } from './mistakes.js'

/** A tensor of a trainer's, checked. */
export interface CollectedTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
  /** The caller's memory, or undefined where it has to be fetched. */
  readonly bytes: Uint8Array | undefined
  readonly fetch: (() => TensorData | Promise<TensorData>) | undefined
  /**
   * Where the bytes come from: tensors with the same origin (and, in memory, over exactly the same
   * part of it) are the same one. The buffer, or the function that fetches; where that is a method of
   * its class, which others call as well, the tensor itself; of a checkpoint's tensor, its segment.
   */
  readonly origin: object
}

export interface CollectedState {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** In the order in which the trainer gave them. */
  readonly tensors: ReadonlyMap<string, CollectedTensor>
}

/**
 * Collects what `source.stateDict()` returns. `name` is the state's, for messages and for the file.
 * Throws a TypeError or RangeError, with the tensor's name, for what is no state dict.
 */
export async function collectState(source: Stateful, name: string): Promise<CollectedState> {
  checkStateful(source, name)
  const dict = await source.stateDict()
  const { tensors, attributes, kind } = asState(dict, name)
  // A checkpoint's own state has null where it has none.
  if (kind !== undefined && kind !== null) {
    if (typeof kind !== 'string') {
      throw new TypeError(`the kind of ${name} must be a string, not ${describe(kind)}`)
    }
    const fault = textFault(kind)
    if (fault !== undefined) throw new TypeError(`the kind of ${name} ${fault}`)
  }
  const copied = copyAttributes(attributes ?? {}, `${name}.attributes`)
  const collected = new Map<string, CollectedTensor>()
  for await (const [key, tensor] of pairs(tensors, name)) {
    const fault = typeof key === 'string' ? nameFault(key) : 'is no string'
    if (fault !== undefined) {
      throw new TypeError(`the name of a tensor of ${name}, ${quote(String(key))}, ${fault}`)
    }
    if (collected.has(key)) {
      throw new TypeError(`${name} has two tensors that are called ${quote(key)}`)
    }
    collected.set(key, collectTensor(key, tensor, `the tensor ${quote(key)} of ${name}`))
  }
  return { name, kind: kind ?? null, attributes: copied, tensors: collected }
}

/** Throws a TypeError unless `source` has the methods of a Stateful. */
export function checkStateful(source: unknown, name: string): asserts source is Stateful {
  if (typeof (source as Stateful | undefined)?.stateDict !== 'function') {
    throw notStateful(source, name)
  }
}

/** The bytes of what a tensor's `data`, or the function there, gave; checked. */
export function tensorBytes(
  data: TensorData,
  dtype: DType,
  byteLength: number,
  what: string,
): Uint8Array {
  if (!ArrayBuffer.isView(data) && !isBuffer(data)) {
    throw notMemory(data, what)
  }
  const held = dtypeOfArray(data)
  // Bytes may hold anything; elements have to be the dtype's, or float16's own.
  const fits =
    held === undefined || held === dtype || held === 'uint8' || arrayType(dtype) === arrayType(held)
  if (!fits) throw new TypeError(`${what} is said to be ${dtype}, but its data is ${held}`)
  if (data.byteLength !== byteLength) {
    throw new RangeError(
      `${what} needs ${byteLength} bytes by its dtype and shape, but its data has ${data.byteLength}`,
    )
  }
  return bytesOf(data)
}

function collectTensor(name: string, tensor: TensorLike, what: string): CollectedTensor {
  if (typeof tensor !== 'object' || tensor === null || !('data' in tensor)) {
    throw notTensor(tensor, what)
  }
  // Brought when its turn comes, as from a device: its source may be one that is only read.
  const saved = tensor instanceof CheckpointTensor
  const data = saved ? () => tensor.read() : tensor.data
  if (typeof data !== 'function' && !ArrayBuffer.isView(data) && !isBuffer(data)) {
    throw notMemory(data, what)
  }
  const dtype = tensor.dtype ?? dtypeOfArray(data)
  if (dtype === undefined) {
    throw new TypeError(`${what} needs a dtype: its data does not say what its elements are`)
  }
  if (!isDType(dtype)) {
    throw new TypeError(
      `${what} has the unknown dtype ${quote(String(dtype))}; there are ${dtypes.join(', ')}`,
    )
  }
  const shape = collectShape(tensor.shape, what)
  const byteLength = tensorByteLength(dtype, shape)
  if (byteLength === undefined) {
    throw new RangeError(`${what} has no whole and safe number of bytes: ${dtype} [${shape}]`)
  }
  if (typeof data === 'function') {
    const origin = saved ? tensor.segment() : Object.hasOwn(tensor, 'data') ? data : tensor
    const fetch = () => data.call(tensor)
    return { name, dtype, shape, byteLength, bytes: undefined, fetch, origin }
  }
  const bytes = tensorBytes(data, dtype, byteLength, what)
  return { name, dtype, shape, byteLength, bytes, fetch: undefined, origin: bytes.buffer }
}

function collectShape(shape: readonly number[], what: string): readonly number[] {
  if (typeof shape?.length !== 'number') {
    throw new TypeError(`${what} needs a shape: an array with the length of each dimension`)
  }
  const copy = Array.from(shape)
  for (const length of copy) {
    if (!Number.isSafeInteger(length) || length < 0) {
      const found = typeof length === 'string' ? `the string ${quote(length)}` : String(length)
      throw new RangeError(`${what} has a dimension of ${found}; expected integers from 0 on`)
    }
  }
  if (copy.length > MAX_RANK) {
    throw new RangeError(`${what} has ${copy.length} dimensions; the most is ${MAX_RANK}`)
  }
  return copy
}

/**
 * Tells the two forms apart. An object with `tensors` is a State, unless that is itself a tensor of
 * a plain object of tensors, which has a shape.
 */
function asState(dict: StateDict, name: string): State {
  if (typeof dict !== 'object' || dict === null) {
    throw new TypeError(
      `${name}.stateDict() must return named tensors, or an object with \`tensors\`; ` +
        `it returned ${describe(dict)}`,
    )
  }
  const { tensors } = dict as Partial<State>
  const isTensor = Array.isArray((tensors as TensorLike | undefined)?.shape)
  return tensors === undefined || isTensor ? { tensors: dict as NamedTensors } : (dict as State)
}

function pairs(
  tensors: NamedTensors,
  name: string,
): AsyncIterable<readonly [string, TensorLike]> | Iterable<readonly [string, TensorLike]> {
  if (typeof tensors !== 'object' || tensors === null) {
    throw new TypeError(`the tensors of ${name} must be named tensors, not ${describe(tensors)}`)
  }
  if (Symbol.asyncIterator in tensors || Symbol.iterator in tensors) {
    return checkedPairs(tensors as Iterable<readonly [string, TensorLike]>, name)
  }
  return Object.entries(tensors)
}

async function* checkedPairs(
  tensors: Iterable<readonly [string, TensorLike]> | AsyncIterable<readonly [string, TensorLike]>,
  name: string,
): AsyncIterable<readonly [string, TensorLike]> {
  for await (const pair of tensors) {
    if (!Array.isArray(pair) || pair.length !== 2) {
      throw new TypeError(`the tensors of ${name} must come as pairs [name, tensor]`)
    }
    yield pair as readonly [string, TensorLike]
  }
}

function isBuffer(data: unknown): data is ArrayBufferLike {
  return (
    data instanceof ArrayBuffer ||
    (typeof SharedArrayBuffer !== 'undefined' && data instanceof SharedArrayBuffer)
  )
}
