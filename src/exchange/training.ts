/**
 * The interface between formats: the content of a file of any format, read lazily. A reader of a format makes a
 * `Training` from a `Source`; a writer writes a `Training` to a `Sink`. Neither knows the other's format. Both hold a
 * piece of a tensor at a time, or one tensor if the format requires it.
 *
 * To add a format:
 *
 *   1. Write a reader: `(place: InputPlace) => Promise<Training>`. It reads the descriptions of the tensors, validates
 *      every rule of the format, and reads no element. Each tensor is a `ForeignTensor` over a `TensorReader`, which
 *      reads its bytes by range: row-major, without gaps, little-endian.
 *   2. Write a writer: `(place: OutputPlace, training: Training, options: WriteOptions) => Promise<SaveReport>`.
 *   3. Enter both in the table of `formats.ts`, with how the format is recognised.
 *
 * Where each part goes: the network's weights and buffers are the `model`. The values that an optimizer keeps for each
 * weight are the `optimizer`, keyed by the names of the weights if these are known. Any other state is an extra under
 * its own name. Hyper-parameters, groups and schedulers' counters are attributes of their state. Epoch, step, loss and
 * metrics are `progress`. Notes of a file (the `__metadata__` of safetensors) are attributes of the model, under the
 * name of the format.
 *
 * A file that breaks a rule of its format is CKPT_FOREIGN_FILE, with the `rule`. Content that the other format cannot
 * hold is CKPT_NOT_CONVERTIBLE, with the name of the tensor and the remedy.
 */

import { CheckpointError } from '../errors.js'
import type { Attributes } from '../format/attributes.js'
import { arrayType, type DType, elementCount, tensorByteLength } from '../format/dtype.js'
import type { Sink } from '../io/sink.js'
import type { Source } from '../io/source.js'
import { printable, quote } from '../printable.js'
import type { OnProgress } from '../progress.js'
import { bytesOf, type TensorData, type TypedArray } from '../state.js'

/** Reads the bytes of one tensor: elements row-major, without gaps, little-endian. */
export interface TensorReader {
  readonly dtype: DType
  readonly shape: readonly number[]
  /**
   * Fills `target` from byte `position` of the tensor on. Both ends lie between two elements, and between two bytes of
   * packed elements: at a multiple of 3. Callers read from the start to the end. Another order may be slow, but must give
   * the right bytes. A reader that knows a checksum throws CKPT_FOREIGN_FILE with the last byte.
   */
  read(target: Uint8Array, position: number): Promise<void>
  /**
   * Number of reads that may be under way at once. By default one: the next call comes after this one has settled.
   */
  readonly readsAtOnce?: number | undefined
  /** CRC-32 of all bytes, if the reader verifies it over the bytes that it hands out from the start to the end. */
  readonly crc32?: number | undefined
  /**
   * For tied tensors: readers with the same origin, dtype and shape read the same bytes. Default: the reader itself.
   */
  readonly origin?: object
}

/** A tensor of a file of any format. It can be saved like any other tensor. */
export class ForeignTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
  readonly #reader: TensorReader

  /** Throws CKPT_NOT_CONVERTIBLE if the dtype and shape do not give a whole, safe number of bytes. */
  constructor(name: string, reader: TensorReader) {
    const byteLength = tensorByteLength(reader.dtype, reader.shape)
    if (byteLength === undefined) {
      const found = `${reader.dtype} [${reader.shape.join(', ')}]`
      throw new CheckpointError(
        'CKPT_NOT_CONVERTIBLE',
        `${quote(name)} has no whole and safe number of bytes: ${found}`,
        { tensor: name, actual: found },
      )
    }
    this.name = name
    this.dtype = reader.dtype
    this.shape = reader.shape
    this.byteLength = byteLength
    this.#reader = reader
  }

  /** Number of elements; 1 for a scalar. */
  get size(): number {
    return elementCount(this.shape)!
  }

  /** Reads the elements, as a save requests them. */
  readonly data = (): Promise<TypedArray> => this.read()

  /**
   * Reads the elements into a new array, which the caller owns. Throws CKPT_READ, CKPT_FOREIGN_FILE,
   * CKPT_TENSOR_TOO_LARGE.
   */
  async read(): Promise<TypedArray> {
    const bytes = newBytes(this.byteLength, this.name)
    await this.#reader.read(bytes, 0)
    const ArrayType = arrayType(this.dtype)
    return new ArrayType(bytes.buffer, 0, this.byteLength / ArrayType.BYTES_PER_ELEMENT)
  }

  /** Copies the bytes to `target`, which must have exactly the same length. */
  async readInto(target: TensorData): Promise<void> {
    const bytes = bytesOf(target)
    if (bytes.byteLength !== this.byteLength) {
      throw new RangeError(
        `${quote(this.name)} has ${this.byteLength} bytes, and the target ${bytes.byteLength}`,
      )
    }
    await this.#reader.read(bytes, 0)
  }

  /** Number of reads that may be under way at once; see TensorReader. */
  get readsAtOnce(): number {
    return this.#reader.readsAtOnce ?? 1
  }

  /** CRC-32 of all bytes, if reading them from the start to the end verifies it; see TensorReader. */
  get crc32(): number | undefined {
    return this.byteLength === 0 ? 0 : this.#reader.crc32
  }

  /** Fills `target` from byte `position` on; see TensorReader. */
  readBytes(target: Uint8Array, position: number): Promise<void> {
    return this.#reader.read(target, position)
  }

  /** The shared identity of tied tensors. A save writes their bytes once. */
  segment(): object {
    return this.#reader.origin ?? this.#reader
  }

  /** The same tensor under another name. */
  renamed(name: string): ForeignTensor {
    return new ForeignTensor(name, this.#reader)
  }
}

function newBytes(length: number, name: string): Uint8Array & { readonly buffer: ArrayBuffer } {
  try {
    return new Uint8Array(length)
  } catch (cause) {
    throw new CheckpointError(
      'CKPT_TENSOR_TOO_LARGE',
      `${quote(name)} has ${length} bytes, for which there is no array here: read it in parts`,
      { tensor: name, actual: length, cause },
    )
  }
}

/** A state of a file: named tensors in file order, attributes, a kind. It can be saved as it is. */
export class ForeignState {
  readonly kind: string | null
  readonly attributes: Attributes
  readonly #tensors: ReadonlyMap<string, ForeignTensor>

  constructor(
    tensors: Iterable<ForeignTensor>,
    attributes: Attributes = {},
    kind: string | null = null,
  ) {
    this.#tensors = new Map(Array.from(tensors, (tensor) => [tensor.name, tensor]))
    this.attributes = attributes
    this.kind = kind
  }

  /** Number of tensors. */
  get size(): number {
    return this.#tensors.size
  }

  /** Returns the state itself, so that it can be saved as a state dict. */
  get tensors(): Iterable<readonly [name: string, tensor: ForeignTensor]> {
    return this
  }

  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  /** Throws CKPT_NO_SUCH_TENSOR if there is no such tensor. */
  get(name: string): ForeignTensor {
    const tensor = this.#tensors.get(name)
    if (tensor !== undefined) return tensor
    const some = [...this.keys()].slice(0, 5).map(quote).join(', ')
    throw new CheckpointError(
      'CKPT_NO_SUCH_TENSOR',
      `there is no tensor ${quote(name)} among ${this.size}${some === '' ? '' : `: ${some}`}${this.size > 5 ? ', …' : ''}`,
      { tensor: name },
    )
  }

  keys(): IterableIterator<string> {
    return this.#tensors.keys()
  }

  values(): IterableIterator<ForeignTensor> {
    return this.#tensors.values()
  }

  [Symbol.iterator](): IterableIterator<[name: string, tensor: ForeignTensor]> {
    return this.#tensors.entries()
  }
}

/** The progress of a run. The file does not know the absent values. */
export interface TrainingProgress {
  readonly epoch?: number
  /** Optimizer steps taken. */
  readonly step?: number
  readonly loss?: number | null
  readonly metrics?: { readonly [name: string]: number }
  /** JSON text. */
  readonly config?: string | null
  readonly sequence?: number | null
  /** In milliseconds since 1970. */
  readonly savedAt?: number | null
}

/** The whole content of a file. It keeps its file open until `close`. */
export interface Training {
  /** The name of the format, as in the table of `formats.ts`. */
  readonly format: string
  readonly model: ForeignState
  readonly optimizer: ForeignState | null
  readonly extras: ReadonlyMap<string, ForeignState>
  readonly progress: TrainingProgress
  /** Releases the file and the files next to it. Tensors cannot be read afterwards. */
  close(): void
}

/** The place of a foreign file. */
export interface InputPlace {
  /** The name of the file without its folder; empty if there is none, as for bytes. */
  readonly name: string
  /** The reader owns the source: `Training.close` closes it, and so does a reader that fails. */
  readonly source: Source
  /**
   * Opens a file in the same folder, such as a shard that an index names. The caller owns the source. Throws CKPT_READ
   * if there is no such file, and CKPT_FOREIGN_FILE for a name that leads out of the folder.
   */
  sibling(name: string): Promise<Source>
}

/** The place that a file is written to. */
export interface OutputPlace {
  /** The name of the file without its folder; empty if there is none. */
  readonly name: string
  readonly sink: Sink
  /** A sink for a file in the same folder. Commit it before the main file, which names it. */
  sibling(name: string): Sink
}

/** Options of a writer. */
export interface WriteOptions {
  /**
   * Writes a dtype that the format does not have as its raw bytes (uint8, one dimension), instead of throwing. A
   * description of the training, if the file has one, keeps the dtype and the shape, so that a reader restores them.
   */
  readonly raw?: boolean | undefined
  /**
   * Also describes a model that is alone in its file, so that the order of its tensors and their ties come back. Tied
   * tensors are then written once, under the first of their names. A whole checkpoint is described in any case.
   */
  readonly exact?: boolean | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** The error for a broken rule of a format. `rule` begins with the format's name: `npy.header`. */
export function foreignFault(
  rule: string,
  message: string,
  fields: { readonly tensor?: string; readonly offset?: number; readonly cause?: unknown } & {
    readonly expected?: unknown
    readonly actual?: unknown
  } = {},
): CheckpointError {
  return new CheckpointError('CKPT_FOREIGN_FILE', message, { rule, ...fields })
}

/** The error for content that the target format, or a checkpoint, cannot hold. */
export function notConvertible(
  message: string,
  fields: {
    readonly path?: string
    readonly tensor?: string
    readonly state?: string
    readonly actual?: unknown
  } = {},
): CheckpointError {
  return new CheckpointError('CKPT_NOT_CONVERTIBLE', printable(message), fields)
}
