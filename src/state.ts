/**
 * What a trainer brings: anything with a `stateDict()`. No framework is imported here, and no class
 * has to be extended; a Map of arrays with their shapes will do.
 */

import type { Attributes } from './format/attributes.js'
import type { DType } from './format/dtype.js'
import { kindOf } from './realm.js'

/** Memory that holds a tensor's elements, row-major and without gaps. */
export type TensorData = ArrayBufferView | ArrayBufferLike

/** Whether a value is memory: a view or a buffer, shared or not, of this realm or another. */
export function isTensorData(value: unknown): value is TensorData {
  return ArrayBuffer.isView(value) || /^(Shared)?ArrayBuffer$/.test(kindOf(value))
}

/** The same memory, as bytes; no copy. */
export function bytesOf(data: TensorData): Uint8Array {
  return ArrayBuffer.isView(data)
    ? new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    : new Uint8Array(data)
}

/**
 * A tensor as a state dict offers it.
 *
 * `data` is either the memory itself, which stays the caller's and is copied piece by piece while a save
 * runs; or a function that brings it. The function is called once, when the tensor's turn comes, and what it
 * returns is dropped when it has been copied. So a trainer whose tensors live on a GPU needs memory for its
 * largest tensor, not for all of them. (Bring a copy: memory of the model's own that changes between two
 * tensors' turns would make a checkpoint of two moments. It may be the same memory for each tensor.)
 */
export interface TensorLike {
  /** May be left out where the typed array says it: Float32Array is float32, Int8Array is int8. */
  readonly dtype?: DType
  /** Length of each dimension in elements; `[]` for a scalar. */
  readonly shape: readonly number[]
  readonly data: TensorData | (() => TensorData | Promise<TensorData>)
}

/**
 * Named tensors, in an order that a save keeps: an object, a Map, or a generator of pairs. A generator yields
 * memory of its own for each tensor; one that fills an array anew for the next is CKPT_TENSOR_CHANGED.
 */
export type NamedTensors =
  | { readonly [name: string]: TensorLike }
  | Iterable<readonly [name: string, tensor: TensorLike]>
  | AsyncIterable<readonly [name: string, tensor: TensorLike]>

/** A state dict with what it needs beside its tensors. */
export interface State {
  readonly tensors: NamedTensors
  /** Hyper-parameters, parameter groups, counters, a scheduler's or a sampler's state. */
  readonly attributes?: Attributes
  /** What it is the state of, e.g. `AdamW`. */
  readonly kind?: string
}

/** What `stateDict()` returns: named tensors, or those together with attributes and a kind. */
export type StateDict = NamedTensors | State

/** A state that was saved, as `loadStateDict` receives it: everything in it has been checked. */
export interface LoadedState extends Iterable<readonly [name: string, tensor: LoadedTensor]> {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** Number of tensors. */
  readonly size: number
  has(name: string): boolean
  /** Throws CKPT_NO_SUCH_TENSOR where there is none. */
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
  /** The elements, in place where the file is mapped or in memory. Copy what you keep. */
  readonly data: TypedArray
  /** The elements, from any kind of source. */
  read(): Promise<TypedArray>
  /** Copies the bytes over `target`, which has to be exactly as long. */
  readInto(target: TensorData): Promise<void>
}

/** The arrays that a tensor's elements are read as; see the table of dtypes for which is which. */
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

/** How a saved state is to be taken over. */
export interface LoadStateOptions {
  /** False: what only one side has has been reported already, and is skipped. */
  readonly strict: boolean
}

/** How a saved state fits the one that is there; see `compareStateDict`. Names are of tensors or values. */
export interface StateFit {
  /** The names that tensors of the checkpoint have here; those that are not in it keep theirs. */
  readonly renamed?: ReadonlyMap<string, string>
  /** What `loadStateDict` gets as attributes; the saved ones if left out. */
  readonly attributes?: Attributes
  /** What is here and not in the checkpoint. An error if strict; otherwise left as it is. */
  readonly missing?: readonly string[]
  /** What is in the checkpoint and not taken here. An error if strict; otherwise skipped. */
  readonly unexpected?: readonly string[]
  /** What cannot be taken: an error also if not strict. */
  readonly mismatched?: readonly {
    readonly name: string
    readonly expected: string
    readonly actual: string
  }[]
  /** Whatever else differs, a sentence each: an error if strict, otherwise a warning. */
  readonly differences?: readonly string[]
}

/**
 * Anything that can be saved: a module, an optimizer, a scheduler, a sampler.
 *
 * Where its tensors are plain memory, `stateDict()` is enough: a restore copies straight into the
 * arrays that it names. Otherwise `loadStateDict` takes what was saved.
 */
export interface Stateful {
  stateDict(): StateDict | Promise<StateDict>
  /**
   * Takes over a saved state, after all of it has been checked against `stateDict()`. Called instead
   * of copying into the arrays of `stateDict()`. It has those tensors alone that are to be restored.
   */
  loadStateDict?(state: LoadedState, options?: LoadStateOptions): void | Promise<void>
  /**
   * Says what of a saved state `loadStateDict` cannot take, or takes under another name, beyond what the
   * names, dtypes and shapes of `stateDict()` tell. A restore asks everybody before it changes anything,
   * so that a state which does not fit leaves the others as they are too. Must change nothing itself.
   */
  compareStateDict?(saved: LoadedState): StateFit | Promise<StateFit>
  /**
   * Takes over saved attributes, where the tensors are plain memory and there is no `loadStateDict`.
   * Should throw (or reject) before it changes anything, or not at all. It is awaited.
   */
  loadAttributes?(attributes: Attributes): void | Promise<void>
  /**
   * True where `loadStateDict` makes tensors that `stateDict()` does not list yet, as an optimizer
   * does that creates its buffers in its first step. Then keys that `stateDict()` does not list are
   * handed over and not refused.
   */
  readonly createsTensors?: boolean
}

/** A model: its state is its parameters and buffers. */
export type Module = Stateful

/** An optimizer: its state is its buffers, keyed by the names of the parameters. */
export type Optimizer = Stateful
