/** A saved state as its reader sees it: named tensors, attributes, a kind. */

import { CheckpointError } from '../errors.js'
import type { Attributes } from '../format/attributes.js'
import { arrayType, type DType, elementCount } from '../format/dtype.js'
import type { StateRecord } from '../format/metadata.js'
import type { TensorRecord } from '../format/tensor-table.js'
import { printable, quote } from '../printable.js'
import type { LoadedState, LoadedTensor, TensorData, TypedArray } from '../state.js'
import { bytesOf } from '../state.js'
import { copySegments } from './copy.js'
import type { SegmentReader } from './segment.js'
import { checkSegments } from './verify.js'

/** The view under each array in place. A map keeps its memory as long as the view lives. */
const viewOf = new WeakMap<TypedArray, Uint8Array>()

/** A tensor of a checkpoint. */
export class CheckpointTensor implements LoadedTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly byteLength: number
  readonly #reader: () => SegmentReader
  readonly #unwritten: boolean
  #array: WeakRef<TypedArray> | undefined

  /**
   * `reader` returns the tensor's segment, or throws if the checkpoint has been closed. `unwritten`: `data` has the
   * file's bytes, even if the caller has written into the `data` of another tensor over the segment.
   */
  constructor(
    record: Pick<TensorRecord, 'name' | 'dtype' | 'shape' | 'byteLength'>,
    reader: () => SegmentReader,
    unwritten = false,
  ) {
    this.#unwritten = unwritten
    this.name = record.name
    this.dtype = record.dtype
    this.shape = record.shape
    this.byteLength = record.byteLength
    this.#reader = reader
  }

  /** Number of elements; 1 for a scalar. */
  get size(): number {
    return elementCount(this.shape)!
  }

  /**
   * The elements. If the file is mapped or in memory, the array is a view of the dtype's array type. It stays valid as
   * long as it is held, even after the checkpoint is closed. In a map, writing to it changes a private copy and never
   * the file. If the file is read, the array is a copy.
   *
   * The checksum is verified the first time. Throws CKPT_TENSOR_CHECKSUM or CKPT_FORMAT if the bytes are damaged,
   * CKPT_ASYNC_SOURCE for a Blob, CKPT_TENSOR_TOO_LARGE, CKPT_CLOSED.
   */
  get data(): TypedArray {
    const reader = this.#reader()
    let array = this.#array?.deref()
    if (array === undefined) {
      const bytes = reader.bytesSync(this.#unwritten)
      array = this.#typed(bytes)
      viewOf.set(array, bytes)
      this.#array = new WeakRef(array)
    }
    return array
  }

  /**
   * The file's elements in a new array, which the caller owns, even if the caller has written into `data`. Works for
   * every kind of source. The checksum is verified every time; throws like `data`.
   */
  async read(): Promise<TypedArray> {
    return this.#typed(await this.#reader().bytes())
  }

  /**
   * Copies the file's bytes over `target`: a typed array, DataView or buffer of exactly `byteLength` bytes. All bytes
   * are verified before the first one is written. They are read into memory of the library's own and then copied, so a
   * target that is transferred or resized meanwhile is CKPT_TENSOR_CHANGED.
   */
  async readInto(target: TensorData): Promise<void> {
    if (target.byteLength !== this.byteLength) {
      throw new RangeError(
        `expected a target of ${this.byteLength} bytes for ${quote(this.name)}, found ${target.byteLength}`,
      )
    }
    const reader = this.#reader()
    const bytes = bytesOf(target)
    for await (const fault of checkSegments([reader])) throw fault
    await copySegments([{ reader, target: bytes }])
    await reader.checkUnchanged()
  }

  /** @internal */
  segment(): SegmentReader {
    return this.#reader()
  }

  /** The same tensor with the file's bytes, whatever the caller has written into `data` of this one. @internal */
  unwritten(): CheckpointTensor {
    return new CheckpointTensor(this, () => this.segment(), true)
  }

  #typed(bytes: Uint8Array): TypedArray {
    const ArrayType = arrayType(this.dtype)
    const width = ArrayType.BYTES_PER_ELEMENT
    // Memory that the caller gave may start at any address, but a typed array needs an aligned one.
    const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
    return new ArrayType(
      aligned.buffer as ArrayBuffer,
      aligned.byteOffset,
      aligned.byteLength / width,
    )
  }
}

/** Tensors by name, in the order of the save: a Map, or an object with the same methods. */
export interface TensorsByName {
  readonly size: number
  has(name: string): boolean
  get(name: string): CheckpointTensor | undefined
  keys(): IterableIterator<string>
  entries(): IterableIterator<[name: string, tensor: CheckpointTensor]>
}

/** The tensors of a saved state. Each is made once, when it is first needed. */
export class LazyTensors implements TensorsByName {
  readonly #record: StateRecord
  readonly #make: (state: string, tensor: TensorRecord) => CheckpointTensor
  #made: CheckpointTensor[] | undefined

  /** `make` makes a tensor of a state; it is called at most once for each. */
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

/** A state of a checkpoint. */
export class CheckpointState implements LoadedState {
  readonly name: string
  /** The class of the saved object, e.g. `AdamW`, or null if the trainer named none. */
  readonly kind: string | null
  readonly attributes: Attributes
  readonly #tensors: TensorsByName

  constructor(record: Pick<StateRecord, 'name' | 'kind' | 'attributes'>, tensors: TensorsByName) {
    this.name = record.name
    this.kind = record.kind
    this.attributes = record.attributes
    this.#tensors = tensors
  }

  /** Number of tensors. */
  get size(): number {
    return this.#tensors.size
  }

  /** The state itself, so that a saved state is a state dict that can be saved again. */
  get tensors(): Iterable<readonly [name: string, tensor: CheckpointTensor]> {
    return this
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  /** The tensor of that name. Throws CKPT_NO_SUCH_TENSOR if there is none; see `has`. */
  get(name: string): CheckpointTensor {
    const tensor = this.#tensors.get(name)
    if (tensor === undefined) {
      const names = [...this.#tensors.keys()]
      const some = names.slice(0, 5).map(quote).join(', ')
      throw new CheckpointError(
        'CKPT_NO_SUCH_TENSOR',
        `${printable(this.name)} has no tensor ${quote(name)}; it has ${names.length}` +
          (names.length === 0 ? '' : `: ${some}${names.length > 5 ? ', …' : ''}`),
        { state: this.name, tensor: name },
      )
    }
    return tensor
  }

  keys(): IterableIterator<string> {
    return this.#tensors.keys()
  }

  /** The tensors with their names, in the order of the save. */
  [Symbol.iterator](): IterableIterator<[name: string, tensor: CheckpointTensor]> {
    return this.#tensors.entries()
  }

  /** The same state with other attributes, and with its tensors renamed by `names`. */
  renamed(names: ReadonlyMap<string, string>, attributes: Attributes): CheckpointState {
    const tensors = new Map(Array.from(this, ([name, tensor]) => [names.get(name) ?? name, tensor]))
    return new CheckpointState({ name: this.name, kind: this.kind, attributes }, tensors)
  }

  /** The same state with the file's bytes, whatever the caller has written into `data`. */
  unwritten(): CheckpointState {
    return this.map((tensor) => tensor.unwritten())
  }

  /** The same state with what `make` makes of each tensor, under the same names. */
  map(make: (tensor: CheckpointTensor, name: string) => CheckpointTensor): CheckpointState {
    const made = new Map(Array.from(this, ([name, tensor]) => [name, make(tensor, name)]))
    return new CheckpointState(this, made)
  }

  /** The same state with only those tensors whose name `keep` accepts. */
  filter(keep: (name: string) => boolean): CheckpointState {
    const kept = new Map([...this].filter(([name]) => keep(name)))
    return new CheckpointState(this, kept)
  }
}
