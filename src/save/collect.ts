/**
 * Collects a state dict, in any form that a trainer may offer, into one form: a list of named tensors with validated
 * dtypes, shapes and lengths, and a copy of the attributes. It copies no bytes of tensors.
 *
 * Collecting finishes before the call returns, without yielding to the event loop, as long as the trainer answers
 * synchronously. Before it waits for a promise, or runs the trainer's own code (a generator's), it tells the caller:
 * what was collected may change from then on.
 */

import { CheckpointError } from '../errors.js'
import { type Attributes, copyAttributes, describe } from '../format/attributes.js'
import {
  arrayType,
  type DType,
  dtypeOfArray,
  dtypes,
  isDType,
  tensorByteLength,
} from '../format/dtype.js'
import { stateName } from '../format/metadata.js'
import { MAX_RANK } from '../format/tensor-table.js'
import { nameFault, textFault } from '../format/text.js'
import type { CheckpointTensor } from '../load/state.js'
import { quote } from '../printable.js'
import { kindOf } from '../realm.js'
import type { NamedTensors, State, StateDict, Stateful, TensorData, TensorLike } from '../state.js'
import { bytesOf, isTensorData } from '../state.js'
import { notMemory, notStateful, notTensor } from './mistakes.js'
import { carryOutSteps, isThenable, type Steps } from './steps.js'

/** A tensor of a trainer, validated. */
export interface CollectedTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
  /** The caller's memory, or undefined if the tensor must be fetched. */
  readonly bytes: Uint8Array | undefined
  readonly fetch: (() => TensorData | Promise<TensorData>) | undefined
  /**
   * The identity of the bytes: tensors with the same origin are the same, in memory only if they also have the same
   * range. It is the buffer of a tensor in memory; the object that has the function of a fetched tensor, since one
   * function may serve many; the segment of a checkpoint's tensor.
   */
  readonly origin: object
  /**
   * CRC-32 of the bytes at the moment of the save, if other code ran before they could be copied. The copy must have
   * the same checksum.
   */
  checksum: number | undefined
}

/** A state of a trainer, validated. */
export interface CollectedState {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** In the order in which the trainer gave them. */
  readonly tensors: ReadonlyMap<string, CollectedTensor>
}

/**
 * Collects what `source.stateDict()` returns. `name` is the name of the state, in messages and in the file. An abort
 * ends it even while the trainer does not answer. Throws a TypeError or RangeError, with the tensor's name, if the
 * result is not a state dict.
 */
export async function collectState(
  source: Stateful,
  name: string,
  signal?: AbortSignal,
): Promise<CollectedState> {
  return carryOutSteps(collectSteps(source, name), signal)
}

/**
 * The steps of `collectState`. Calls `onCollected` with each tensor, and `beforeTurn` before the trainer's own code
 * runs between two tensors.
 */
export function* collectSteps(
  source: Stateful,
  name: string,
  onCollected: (tensor: CollectedTensor, state: string) => void = () => {},
  beforeTurn: () => void = () => {},
): Steps<CollectedState> {
  checkStateful(source, name)
  const dict = (yield source.stateDict()) as StateDict
  const { tensors, attributes, kind } = asState(dict, name)
  // A state of a checkpoint has null if it has no kind.
  if (kind !== undefined && kind !== null) {
    if (typeof kind !== 'string') {
      throw new TypeError(`the kind of ${stateName(name)} must be a string, not ${describe(kind)}`)
    }
    const fault = textFault(kind)
    if (fault !== undefined) throw new TypeError(`the kind of ${stateName(name)} ${fault}`)
  }
  const copied = copyAttributes(attributes ?? {}, `${name}.attributes`)
  const collected = new Map<string, CollectedTensor>()
  const { iterator, isTrainers } = iteratorOf(tensors, name)
  let isOver = false
  try {
    for (;;) {
      if (isTrainers) beforeTurn()
      const { done, value } = (yield iterator.next()) as IteratorResult<unknown>
      if (done) break
      // The values of a synchronous iterator may be promises.
      const [key, tensor] = checkPair(yield value, name)
      const fault = typeof key === 'string' ? nameFault(key) : 'is not a string'
      if (fault !== undefined) {
        throw new TypeError(
          `the name of a tensor of ${stateName(name)}, ${quote(String(key))}, ${fault}`,
        )
      }
      if (collected.has(key)) {
        throw new TypeError(`${stateName(name)} has two tensors named ${quote(key)}`)
      }
      const checked = collectTensor(key, tensor, `the tensor ${quote(key)} of ${stateName(name)}`)
      collected.set(key, checked)
      onCollected(checked, name)
    }
    isOver = true
  } finally {
    // Not awaited: a generator that hangs would never answer.
    if (!isOver) end(iterator)
  }
  return { name, kind: kind ?? null, attributes: copied, tensors: collected }
}

/** Throws a TypeError unless `source` has the methods of a Stateful. */
export function checkStateful(source: unknown, name: string): asserts source is Stateful {
  if (typeof (source as Stateful | undefined)?.stateDict !== 'function') {
    throw notStateful(source, name)
  }
}

/** The bytes of a tensor's `data`, or of what its function returned, validated. The memory stays the trainer's. */
export function tensorBytes(
  data: TensorData,
  dtype: DType,
  byteLength: number,
  what: string,
): Uint8Array {
  if (!isTensorData(data)) {
    throw notMemory(data, what)
  }
  const held = dtypeOfArray(data)
  // Bytes may hold any dtype; elements must be the dtype's own, or those of float16.
  const fits =
    held === undefined || held === dtype || held === 'uint8' || arrayType(dtype) === arrayType(held)
  if (!fits) throw new TypeError(`${what} has the dtype ${dtype}, but its data is ${held}`)
  const bytes = bytesIfThere(data)
  if (bytes.byteLength !== byteLength) {
    throw new RangeError(
      `${what}: expected ${byteLength} bytes by its dtype and shape, found ${bytes.byteLength}`,
    )
  }
  return bytes
}

/** The error for a tensor that changed during its save. */
export function tensorChanged(state: string, tensor: string): CheckpointError {
  return new CheckpointError(
    'CKPT_TENSOR_CHANGED',
    `nothing was saved: ${quote(tensor)} (${stateName(state)}) was changed, or its memory detached or resized, while ` +
      'the save was running; await the save (of a background save, `staged`) before the next training step',
    { state, tensor },
  )
}

function collectTensor(name: string, tensor: TensorLike, what: string): CollectedTensor {
  if (typeof tensor !== 'object' || tensor === null || !('data' in tensor)) {
    throw notTensor(tensor, what)
  }
  // Fetched when its turn comes, because the checkpoint's source may have no memory to view.
  const saved = savedTensor(tensor)
  const data = saved === undefined ? tensor.data : () => saved.read()
  if (typeof data !== 'function' && !isTensorData(data)) {
    throw notMemory(data, what)
  }
  const dtype = tensor.dtype ?? dtypeOfArray(data)
  if (dtype === undefined) {
    throw new TypeError(`${what} needs a dtype, because its data does not imply one`)
  }
  if (!isDType(dtype)) {
    throw new TypeError(
      `${what} has the unknown dtype ${quote(String(dtype))}: expected one of ${dtypes.join(', ')}`,
    )
  }
  const shape = collectShape(tensor.shape, what)
  const byteLength = tensorByteLength(dtype, shape)
  if (byteLength === undefined) {
    throw new RangeError(
      `${what} is ${dtype} [${shape}], which does not fill whole bytes or exceeds 2^53 - 1 bytes`,
    )
  }
  if (typeof data === 'function') {
    const origin = saved?.segment?.() ?? tensor
    const fetch = () => data.call(tensor)
    return {
      ...{ name, dtype, shape, byteLength, origin },
      ...{ bytes: undefined, fetch, checksum: undefined },
    }
  }
  const bytes = tensorBytes(data, dtype, byteLength, what)
  return {
    ...{ name, dtype, shape, byteLength, origin: bytes.buffer },
    ...{ bytes, fetch: undefined, checksum: undefined },
  }
}

function collectShape(shape: readonly number[], what: string): readonly number[] {
  if (typeof shape?.length !== 'number') {
    throw new TypeError(`${what} needs a shape: an array with the length of each dimension`)
  }
  const copy = Array.from(shape)
  for (const length of copy) {
    if (!Number.isSafeInteger(length) || length < 0) {
      const found = typeof length === 'string' ? `the string ${quote(length)}` : String(length)
      throw new RangeError(`${what} has a dimension of ${found}: expected integers from 0 on`)
    }
  }
  if (copy.length > MAX_RANK) {
    throw new RangeError(`${what} has ${copy.length} dimensions: expected at most ${MAX_RANK}`)
  }
  return copy
}

/**
 * Tells the two forms apart. An object with `tensors` is a State, unless `tensors` has a shape: then it is a tensor of
 * that name in a plain object of tensors.
 */
function asState(dict: StateDict, name: string): State {
  if (typeof dict !== 'object' || dict === null) {
    throw new TypeError(
      `${stateName(name)}.stateDict() must return named tensors, or an object with \`tensors\`; ` +
        `it returned ${describe(dict)}`,
    )
  }
  const { tensors } = dict as Partial<State>
  const isTensor = Array.isArray((tensors as TensorLike | undefined)?.shape)
  return tensors === undefined || isTensor ? { tensors: dict as NamedTensors } : (dict as State)
}

/** The iterator of named tensors, and whether it runs the trainer's own code, as a generator does. */
function iteratorOf(
  tensors: NamedTensors,
  name: string,
): { iterator: Iterator<unknown> | AsyncIterator<unknown>; isTrainers: boolean } {
  if (typeof tensors !== 'object' || tensors === null) {
    throw new TypeError(
      `the tensors of ${stateName(name)} must be named tensors, not ${describe(tensors)}`,
    )
  }
  const { [Symbol.asyncIterator]: ofPromises, [Symbol.iterator]: ofValues } = tensors as Partial<
    AsyncIterable<unknown> & Iterable<unknown>
  >
  const iterator =
    ofPromises?.call(tensors) ?? ofValues?.call(tensors) ?? Object.entries(tensors).values()
  return { iterator, isTrainers: !/^(Array|Map) Iterator$/.test(kindOf(iterator)) }
}

function checkPair(pair: unknown, name: string): [key: string, tensor: TensorLike] {
  if (!Array.isArray(pair) || pair.length !== 2) {
    throw new TypeError(`the tensors of ${stateName(name)} must be pairs [name, tensor]`)
  }
  return pair as [string, TensorLike]
}

/** Ends a trainer's iterator early, as leaving a loop does. */
function end(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  try {
    const ended: unknown = iterator.return?.()
    if (isThenable(ended)) ended.then(undefined, () => {})
  } catch {
    // The caller gets the earlier error.
  }
}

/** A checkpoint's tensor, recognised by its methods, because another copy of this library may have made it. */
function savedTensor(
  tensor: TensorLike & Partial<SavedTensor>,
): (Partial<SavedTensor> & ReadTensor) | undefined {
  const { read, readInto } = tensor
  const isSaved = typeof read === 'function' && typeof readInto === 'function'
  return isSaved ? (tensor as SavedTensor) : undefined
}

type SavedTensor = Pick<CheckpointTensor, 'read' | 'readInto' | 'segment'>
type ReadTensor = Pick<SavedTensor, 'read'>

/** The bytes, or none if the memory is detached: the engine makes no view of a detached buffer. */
function bytesIfThere(data: TensorData): Uint8Array {
  try {
    return bytesOf(data)
  } catch {
    return new Uint8Array(0)
  }
}
