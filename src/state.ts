/**
 * What a trainer passes to the library: anything with a `stateDict()`. The library imports no framework and asks for no
 * base class. A Map of arrays with their shapes is enough.
 */

import type { Attributes } from './format/attributes.js'
import type { DType } from './format/dtype.js'
import { kindOf } from './realm.js'

/** Memory that holds a tensor's elements, row-major and without gaps. */
export type TensorData = ArrayBufferView | ArrayBufferLike

/** Whether a value is memory: a view or a buffer, shared or not, of any realm. */
export function isTensorData(value: unknown): value is TensorData {
  return ArrayBuffer.isView(value) || /^(Shared)?ArrayBuffer$/.test(kindOf(value))
}

/** The same memory as bytes, without a copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)
}

/**
 * A tensor as a state dict offers it.
 *
 * `data` is either memory or a function that fetches it. Memory stays the caller's, and a save copies it piece by
 * piece. A function is called once, when the save comes to this tensor, and its result is released after the copy. So a
 * trainer whose tensors live on a GPU needs memory for its largest tensor, not for all of them.
 *
 * The function should return a copy. If it returns memory of the model that changes between two calls, the checkpoint
 * mixes two moments. It may return the same memory for each tensor.
 */
export interface TensorLike {
  /** May be absent if the typed array implies it: Float32Array is float32, Int8Array is int8. */
  readonly dtype?: DType
  /** Length of each dimension in elements; `[]` for a scalar. */
  readonly shape: readonly number[]
  readonly data: TensorData | (() => TensorData | Promise<TensorData>)
}

/**
 * Named tensors in an order that a save keeps: an object, a Map, or a generator of pairs. A generator must yield
 * separate memory for each tensor. One that refills a single array fails with CKPT_TENSOR_CHANGED.
 */
export type NamedTensors =
  | { readonly [name: string]: TensorLike }
  | Iterable<readonly [name: string, tensor: TensorLike]>
  | AsyncIterable<readonly [name: string, tensor: TensorLike]>

/** A state dict with attributes and a kind besides its tensors. */
export interface State {
  readonly tensors: NamedTensors
  /** Hyper-parameters, parameter groups, counters, a scheduler's or a sampler's state. */
  readonly attributes?: Attributes
  /** The class of the object that the state belongs to, e.g. `AdamW`. */
  readonly kind?: string
}

/** What `stateDict()` returns: named tensors alone, or with attributes and a kind. */
export type StateDict = NamedTensors | State

/** A saved state, as `loadStateDict` receives it. All of it has been verified and compared. */
export interface LoadedState extends Iterable<readonly [name: string, tensor: LoadedTensor]> {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** Number of tensors. */
  readonly size: number
  has(name: string): boolean
  /** Throws CKPT_NO_SUCH_TENSOR if the state has no tensor of this name. */
  get(name: string): LoadedTensor
  keys(): IterableIterator<string>
}

/** A tensor of a saved state. */
export interface LoadedTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
  /** The elements, in place if the file is mapped or in memory. Copy what you keep. */
  readonly data: TypedArray
  /** The elements, from any kind of source. */
  read(): Promise<TypedArray>
  /** Copies the bytes over `target`, which must have exactly `byteLength` bytes. */
  readInto(target: TensorData): Promise<void>
}

/** The arrays that elements are read as. The table of dtypes says which dtype uses which. */
export type TypedArray =
  | Float64Array
  | Float32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigUint64Array

/** How `loadStateDict` should take over a saved state. */
export interface LoadStateOptions {
  /** False: names that only one side has have been reported already, and are skipped. */
  readonly strict: boolean
}

/** How a saved state fits the current one; see `compareStateDict`. Names are of tensors or of values. */
export interface StateFit {
  /** The current names of the checkpoint's tensors. A tensor that is not in the map keeps its name. */
  readonly renamed?: ReadonlyMap<string, string>
  /** The attributes that `loadStateDict` receives; if absent, the saved ones. */
  readonly attributes?: Attributes
  /**
   * Names that the current state has and the checkpoint lacks. An error if strict; otherwise they keep their values.
   */
  readonly missing?: readonly string[]
  /** Tensors that the checkpoint lacks and `loadStateDict` removes; they do not count as missing. */
  readonly dropped?: readonly string[]
  /** Names that the checkpoint has and the current state does not take. An error if strict; otherwise skipped. */
  readonly unexpected?: readonly string[]
  /** Names that cannot be restored. An error even if not strict. */
  readonly mismatched?: readonly {
    readonly name: string
    readonly expected: string
    readonly actual: string
  }[]
  /** Other differences, one sentence each. An error if strict; otherwise a warning. */
  readonly differences?: readonly string[]
  /** Differences that do not prevent a restore, one sentence each. Always a warning. */
  readonly warnings?: readonly string[]
}

/**
 * Anything that can be saved: a module, an optimizer, a scheduler, a sampler.
 *
 * If its tensors are plain memory, `stateDict()` is enough: a restore copies straight into the arrays that it returns.
 * Otherwise `loadStateDict` must take over the saved tensors.
 */
export interface Stateful {
  stateDict(): StateDict | Promise<StateDict>
  /**
   * Takes over a saved state, after all of it has been compared with `stateDict()`. It is called instead of copying
   * into the arrays of `stateDict()`. `state` has only the tensors that must be restored.
   */
  loadStateDict?(state: LoadedState, options?: LoadStateOptions): void | Promise<void>
  /**
   * Says what `loadStateDict` cannot take of a saved state, or takes under another name. It adds to what the names,
   * dtypes and shapes of `stateDict()` tell. A restore asks every object before it changes any of them, so that one
   * state that does not fit leaves all of them as they are. Must change nothing itself.
   */
  compareStateDict?(saved: LoadedState): StateFit | Promise<StateFit>
  /**
   * Takes over saved attributes, for objects whose tensors are plain memory and that have no `loadStateDict`. It is
   * awaited. If it throws or rejects, it should do so before it changes anything.
   */
  loadAttributes?(attributes: Attributes): void | Promise<void>
  /**
   * True if `loadStateDict` creates tensors that `stateDict()` does not list yet, as an optimizer that creates its
   * buffers in its first step. A restore then passes on keys that `stateDict()` does not list, and does not refuse
   * them.
   */
  readonly createsTensors?: boolean
}

/** A model: its state is its parameters and buffers. */
export type Module = Stateful

/** An optimizer: its state is its buffers, keyed by the names of the parameters. */
export type Optimizer = Stateful
