/**
 * Takes a state dict as a trainer offers it, in any of its forms, and makes one of it: a list of named
 * tensors, each with its dtype, shape and length validated, and a copy of the attributes. No tensor's bytes
 * are copied here.
 *
 * Collecting takes place within the call, without a turn for anybody else, as far as the trainer's answers
 * are at hand. Where something has to be waited for, or code of the trainer's runs in between (a
 * generator's), the caller is told first: what was collected may change from then on.
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
import { orAborted } from '../io/concurrency.js'
import type { CheckpointTensor } from '../load/state.js'
import { quote } from '../printable.js'
import { kindOf } from '../realm.js'
import type { NamedTensors, State, StateDict, Stateful, TensorData, TensorLike } from '../state.js'
import { bytesOf, isTensorData } from '../state.js'
import { notMemory, notStateful, notTensor } from './mistakes.js'

/** A tensor of a trainer's, validated. */
export interface CollectedTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
  /** The caller's memory, or undefined if it has to be fetched. */
  readonly bytes: Uint8Array | undefined
  readonly fetch: (() => TensorData | Promise<TensorData>) | undefined
  /**
   * Where the bytes come from: tensors with the same origin (and, in memory, over exactly the same
   * part of it) are the same one. The buffer; of a tensor that is fetched, the object that has the
   * function, since one function may serve many of them; of a checkpoint's tensor, its segment.
   */
  readonly origin: object
  /**
   * CRC-32 of the bytes at the moment of the save, if others had a turn before they could be copied. The
   * copy must come to the same.
   */
  checksum: number | undefined
}

/** A state of a trainer's, validated. */
export interface CollectedState {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** In the order in which the trainer gave them. */
  readonly tensors: ReadonlyMap<string, CollectedTensor>
}

/**
 * Work that is done at once as far as it can be: it yields what it may have to wait for, a promise or
 * not, and is sent the value.
 */
export type Steps<T> = Generator<unknown, T, unknown>

/** Carries out `steps`: at once if nothing has to be waited for, else as a promise, which an abort ends. */
export function carryOutSteps<T>(
  steps: Steps<T>,
  signal: AbortSignal | undefined,
  beforeTurn: () => void = () => {},
): T | Promise<T> {
  let step = steps.next()
  while (!step.done) {
    if (isThenable(step.value)) return waitAndGoOn(steps, step.value, signal, beforeTurn)
    step = steps.next(step.value)
  }
  return step.value
}

async function waitAndGoOn<T>(
  steps: Steps<T>,
  first: PromiseLike<unknown>,
  signal: AbortSignal | undefined,
  beforeTurn: () => void,
): Promise<T> {
  let wanted: unknown = first
  for (;;) {
    let step: IteratorResult<unknown, T>
    try {
      if (isThenable(wanted)) {
        beforeTurn()
        wanted = await orAborted(wanted, signal)
      }
      step = steps.next(wanted)
    } catch (error) {
      step = steps.throw(error)
    }
    if (step.done) return step.value
    wanted = step.value
  }
}

/** Whether a value is a promise, of whichever realm or library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}

/**
 * Collects what `source.stateDict()` returns. `name` is the state's, for messages and for the file. An
 * abort ends it, also while the trainer does not answer. Throws a TypeError or RangeError, with the
 * tensor's name, for what is not a state dict.
 */
export async function collectState(
  source: Stateful,
  name: string,
  signal?: AbortSignal,
): Promise<CollectedState> {
  return carryOutSteps(collectSteps(source, name), signal)
}

/**
 * The steps of `collectState`. `onCollected` is called with each tensor, and `beforeTurn` before code of the
 * trainer's runs between two tensors.
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
  // A checkpoint's own state has null where it has none.
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
      // An iterator that is not asynchronous may have promises as values.
      const [key, tensor] = checkPair(yield value, name)
      const fault = typeof key === 'string' ? nameFault(key) : 'is no string'
      if (fault !== undefined) {
        throw new TypeError(
          `the name of a tensor of ${stateName(name)}, ${quote(String(key))}, ${fault}`,
        )
      }
      if (collected.has(key)) {
        throw new TypeError(`${stateName(name)} has two tensors that are called ${quote(key)}`)
      }
      const checked = collectTensor(key, tensor, `the tensor ${quote(key)} of ${stateName(name)}`)
      collected.set(key, checked)
      onCollected(checked, name)
    }
    isOver = true
  } finally {
    // Not waited for: a generator that hangs would never answer.
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

/** The bytes of what a tensor's `data`, or the function there, gave; validated. The memory stays the trainer's. */
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
  // Bytes may hold anything; elements have to be the dtype's, or float16's own.
  const fits =
    held === undefined || held === dtype || held === 'uint8' || arrayType(dtype) === arrayType(held)
  if (!fits) throw new TypeError(`${what} is said to be ${dtype}, but its data is ${held}`)
  const bytes = bytesIfThere(data)
  if (bytes.byteLength !== byteLength) {
    throw new RangeError(
      `${what} needs ${byteLength} bytes by its dtype and shape, but its data has ${bytes.byteLength}`,
    )
  }
  return bytes
}

/** Says that a tensor changed while it was being saved. */
export function tensorChanged(state: string, tensor: string): CheckpointError {
  return new CheckpointError(
    'CKPT_TENSOR_CHANGED',
    `nothing was saved: ${quote(tensor)} (${stateName(state)}) was changed, or its memory detached or resized, while ` +
      'the save was running; await the save (in the background, `staged`) before the next training step',
    { state, tensor },
  )
}

function collectTensor(name: string, tensor: TensorLike, what: string): CollectedTensor {
  if (typeof tensor !== 'object' || tensor === null || !('data' in tensor)) {
    throw notTensor(tensor, what)
  }
  // Brought when its turn comes, as from a device: its source may be one that is only read.
  const saved = savedTensor(tensor)
  const data = saved === undefined ? tensor.data : () => saved.read()
  if (typeof data !== 'function' && !isTensorData(data)) {
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
      `${stateName(name)}.stateDict() must return named tensors, or an object with \`tensors\`; ` +
        `it returned ${describe(dict)}`,
    )
  }
  const { tensors } = dict as Partial<State>
  const isTensor = Array.isArray((tensors as TensorLike | undefined)?.shape)
  return tensors === undefined || isTensor ? { tensors: dict as NamedTensors } : (dict as State)
}

/** The iterator of named tensors, and whether code of the trainer's runs in it, as in a generator. */
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
    throw new TypeError(`the tensors of ${stateName(name)} must come as pairs [name, tensor]`)
  }
  return pair as [string, TensorLike]
}

/** Lets a trainer's iterator end before its end, as a loop that is left does. */
function end(iterator: Iterator<unknown> | AsyncIterator<unknown>): void {
  try {
    const ended: unknown = iterator.return?.()
    if (isThenable(ended)) ended.then(undefined, () => {})
  } catch {
    // What has gone wrong before is told.
  }
}

/** A tensor of a checkpoint, by its methods: it may be one of another copy of this library. */
function savedTensor(
  tensor: TensorLike & Partial<SavedTensor>,
): (Partial<SavedTensor> & ReadTensor) | undefined {
  const { read, readInto } = tensor
  const isSaved = typeof read === 'function' && typeof readInto === 'function'
  return isSaved ? (tensor as SavedTensor) : undefined
}

type SavedTensor = Pick<CheckpointTensor, 'read' | 'readInto' | 'segment'>
type ReadTensor = Pick<SavedTensor, 'read'>

/** The bytes, none if the memory is gone: the engine makes no view of a detached buffer. */
function bytesIfThere(data: TensorData): Uint8Array {
  try {
    return bytesOf(data)
  } catch {
    return new Uint8Array(0)
  }
}
