/**
 * The tensors of one state, as the metadata lists them. Numbers are in columns; names and shapes stay where they stand;
 * records are made on demand. One pass builds and validates the table without an object for each tensor, since a file
 * may have a hundred thousand of them.
 */

import type { ByteBuffer } from 'flatbuffers'
import type { Rule } from '../../generated/errors.js'
import { MAX_RANK } from '../../generated/limits.js'
import { CheckpointError, type CheckpointErrorFields } from '../errors.js'
import { quote } from '../printable.js'
import { type DType, dtypeOfCode, tensorByteLength } from './dtype.js'
import { NameIndex } from './name-index.js'
import { fieldOf } from './schema.js'
import { decodeText, nameFault } from './text.js'

export { MAX_RANK }

// The upper half of 2^53 - 1, the largest integer that a double holds exactly.
const MAX_SAFE_UPPER = 0x1fffff

// In the column of vectors: the tensor has none.
const NO_VECTOR = -1

// Names of up to this many bytes are validated byte by byte; longer ones are decoded.
const MAX_PLAIN_NAME = 255

// The columns. Each value is a double, which holds all of these exactly.
const COLUMNS = 8
/** Positions of the name and of the shape, where their lengths stand. */
const AT_NAME = 0
const AT_SHAPE = 1
const AT_DTYPE = 2
const AT_OFFSET = 3
const AT_BYTE_LENGTH = 4
const AT_CRC32 = 5
/** Position of `data`. */
const AT_VECTOR = 6
/** 1 if the name is short and ASCII, and therefore valid. */
const AT_PLAIN_NAME = 7

const NO_NUMBERS = new Float64Array(0)

/** A tensor as the file describes it. Lengths and positions are in bytes. */
export interface TensorRecord {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Position of its segment, from the start of the file. */
  readonly offset: number
  readonly byteLength: number
  readonly crc32: number
  /** Position of the length of the `data` vector, or null if the tensor has no `data`. */
  readonly vectorOffset: number | null
}

/** The tensors of a state as numbers in one array. It makes a record of a tensor when one is asked for. */
export class TensorTable implements Iterable<TensorRecord> {
  readonly length: number
  readonly #buffer: ByteBuffer
  /** The same memory. The runtime's own reader assembles each number from its bytes, which is slower. */
  readonly #view: DataView
  readonly #numbers: Float64Array
  #index: NameIndex | undefined
  #records: TensorRecord[] | undefined
  /** Memory for a shape that is needed only for a moment. */
  readonly #scratch: number[] = []

  /**
   * Reads the vector of tables at `position`. The verifier must have passed the metadata, and it must not change.
   * Throws CKPT_FORMAT if a value has no meaning by itself; `state` is for messages.
   *
   * Internal, so that declarations that a user compiles do not name the types of flatbuffers, which need TypeScript
   * 5.7.
   * @internal
   */
  constructor(buffer: ByteBuffer, position: number, state: string) {
    this.#buffer = buffer
    const bytes = buffer.bytes()
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = view
    this.length = view.getUint32(position, true)
    // A state may be empty, and a file may have as many empty states as it has bytes for.
    this.#numbers = this.length === 0 ? NO_NUMBERS : new Float64Array(COLUMNS * this.length)
    // Tables with the same fields share one vtable, so almost all tensors of a file share one.
    let vtable: number | undefined
    let entries: Entries | undefined
    for (let i = 0; i < this.length; i++) {
      const at = position + 4 + 4 * i
      const table = at + view.getUint32(at, true)
      const own = table - view.getInt32(table, true)
      if (entries === undefined || own !== vtable) {
        vtable = own
        entries = readEntries(view, own)
      }
      this.#read(i, table, entries, state)
    }
  }

  /** The tensor of a number below `length`. Returns the same object each time. */
  at(i: number): TensorRecord {
    this.#records ??= []
    const known = this.#records[i]
    if (known !== undefined) return known
    const record: TensorRecord = {
      name: this.name(i),
      dtype: this.#dtype(i),
      shape: this.#shape(i),
      offset: this.offset(i),
      byteLength: this.byteLength(i),
      crc32: this.crc32(i),
      vectorOffset: this.vectorOffset(i),
    }
    this.#records[i] = record
    return record
  }

  name(i: number): string {
    const position = this.#number(i, AT_NAME)
    const end = position + 4 + this.#view.getUint32(position, true)
    return decodeText(this.#buffer.bytes().subarray(position + 4, end), 'the name of a tensor')
  }

  offset(i: number): number {
    return this.#number(i, AT_OFFSET)
  }

  byteLength(i: number): number {
    return this.#number(i, AT_BYTE_LENGTH)
  }

  crc32(i: number): number {
    return this.#number(i, AT_CRC32)
  }

  /** Position of the length of the `data` vector, or null if there is none. */
  vectorOffset(i: number): number | null {
    const vector = this.#number(i, AT_VECTOR)
    return vector === NO_VECTOR ? null : vector
  }

  /** The number of the tensor of that name, or -1 if no indexed tensor has it. */
  indexOf(name: string): number {
    return this.#index?.indexOf(name) ?? -1
  }

  /**
   * Adds a tensor to the index of names. Number 0 begins a new index; the others must follow in order. Returns false if
   * the name is a duplicate.
   */
  index(i: number): boolean {
    if (i === 0) {
      this.#index = new NameIndex(this.#buffer, this.length, (k) => this.#number(k, AT_NAME))
    }
    return this.#index!.addNext()
  }

  /** Why the name is invalid, or undefined if it is valid. */
  nameFault(i: number): string | undefined {
    return this.#number(i, AT_PLAIN_NAME) === 1 ? undefined : nameFault(this.name(i))
  }

  /** Bytes that the dtype and the shape imply, or undefined if that is not a safe integer. */
  impliedByteLength(i: number): number | undefined {
    return tensorByteLength(this.#dtype(i), this.#shape(i, this.#scratch))
  }

  *[Symbol.iterator](): IterableIterator<TensorRecord> {
    for (let i = 0; i < this.length; i++) yield this.at(i)
  }

  /** Reads the table at `table` into the columns, and validates each value by itself. */
  #read(i: number, table: number, entries: Entries, state: string): void {
    const view = this.#view
    const numbers = this.#numbers
    const row = COLUMNS * i
    const nameAt = table + entries.name
    numbers[row + AT_NAME] = nameAt + view.getUint32(nameAt, true)
    const plain = this.#hasPlainName(i)
    numbers[row + AT_PLAIN_NAME] = plain ? 1 : 0
    // Decodes the name, which throws if it is not UTF-8.
    if (!plain) this.name(i)

    const code = entries.dtype === 0 ? 0 : view.getUint8(table + entries.dtype)
    numbers[row + AT_DTYPE] = code
    if (dtypeOfCode(code) === undefined) {
      const tensor = this.name(i)
      const message = `the tensor ${quote(tensor)} has the unknown dtype ${code}`
      throw broken('tensor.dtype', message, { state, tensor, actual: code })
    }

    const shapeAt = table + entries.shape
    const shape = shapeAt + view.getUint32(shapeAt, true)
    numbers[row + AT_SHAPE] = shape
    const rank = view.getUint32(shape, true)
    if (rank > MAX_RANK) {
      const tensor = this.name(i)
      const message = `the tensor ${quote(tensor)} has ${rank} dimensions, more than ${MAX_RANK}`
      throw broken('tensor.rank', message, { state, tensor, expected: MAX_RANK, actual: rank })
    }
    for (let k = 0; k < rank; k++) this.#safe(shape + 4 + 8 * k, 'a dimension', i)

    const { offset, byteLength, crc32, data } = entries
    numbers[row + AT_OFFSET] = offset === 0 ? 0 : this.#safe(table + offset, 'an offset', i)
    numbers[row + AT_BYTE_LENGTH] =
      byteLength === 0 ? 0 : this.#safe(table + byteLength, 'a length', i)
    numbers[row + AT_CRC32] = crc32 === 0 ? 0 : view.getUint32(table + crc32, true)
    // Read as unsigned, unlike the runtime: a backward offset becomes a huge forward one, and is refused.
    numbers[row + AT_VECTOR] =
      data === 0 ? NO_VECTOR : table + data + view.getUint32(table + data, true)
  }

  /** The uint64 at `at`. Throws CKPT_FORMAT if a double cannot hold it exactly. `what` is for messages. */
  #safe(at: number, what: string, i: number): number {
    const view = this.#view
    const upper = view.getUint32(at + 4, true)
    if (upper <= MAX_SAFE_UPPER) return upper * 2 ** 32 + view.getUint32(at, true)
    const tensor = this.name(i)
    const actual = view.getBigUint64(at, true)
    const message = `${what} of the tensor ${quote(tensor)} is ${actual}, beyond 2^53 - 1`
    throw broken('integer.safe', message, { tensor, actual })
  }

  #hasPlainName(i: number): boolean {
    const position = this.#number(i, AT_NAME)
    const bytes = this.#buffer.bytes()
    const length = this.#view.getUint32(position, true)
    if (length === 0 || length > MAX_PLAIN_NAME) return false
    for (let at = position + 4, end = at + length; at < end; at++) {
      const byte = bytes[at]!
      if (byte === 0 || byte > 0x7f) return false
    }
    return true
  }

  #shape(i: number, into: number[] = []): number[] {
    const position = this.#number(i, AT_SHAPE)
    const rank = this.#view.getUint32(position, true)
    into.length = rank
    for (let k = 0; k < rank; k++) into[k] = this.#safe(position + 4 + 8 * k, 'a dimension', i)
    return into
  }

  #dtype(i: number): DType {
    return dtypeOfCode(this.#number(i, AT_DTYPE))!
  }

  #number(i: number, column: number): number {
    return this.#numbers[COLUMNS * i + column]!
  }
}

/** The offset of each field from the start of a table, in bytes, by the table's vtable; 0 if absent. */
interface Entries {
  readonly name: number
  readonly dtype: number
  readonly shape: number
  readonly offset: number
  readonly byteLength: number
  readonly crc32: number
  readonly data: number
}

const NAME = fieldOf('Tensor', 'name').slot
const DTYPE = fieldOf('Tensor', 'dtype').slot
const SHAPE = fieldOf('Tensor', 'shape').slot
const OFFSET = fieldOf('Tensor', 'offset').slot
const BYTE_LENGTH = fieldOf('Tensor', 'byte_length').slot
const CRC32 = fieldOf('Tensor', 'crc32').slot
const DATA = fieldOf('Tensor', 'data').slot

function readEntries(view: DataView, vtable: number): Entries {
  const length = view.getUint16(vtable, true)
  const entry = (slot: number): number => (slot < length ? view.getUint16(vtable + slot, true) : 0)
  return {
    name: entry(NAME),
    dtype: entry(DTYPE),
    shape: entry(SHAPE),
    offset: entry(OFFSET),
    byteLength: entry(BYTE_LENGTH),
    crc32: entry(CRC32),
    data: entry(DATA),
  }
}

function broken(rule: Rule, message: string, fields: CheckpointErrorFields): CheckpointError {
  return new CheckpointError('CKPT_FORMAT', message, { ...fields, rule })
}
