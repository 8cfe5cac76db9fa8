/**
 * A verifier for FlatBuffers. It proves that generated accessors can read a buffer without leaving it, and without
 * reading something that the schema does not describe. The runtime for TypeScript has no verifier and checks no bounds:
 * it reads zeros past the end, and follows offsets backwards and in circles.
 *
 * The rules are those of the C++ verifier (flatbuffers/verifier.h). They are stricter where C++ passes something that
 * would be misread: fields must lie inside their table, elements are aligned, vectors have no null offsets, booleans
 * are 0 or 1, and shared parts have a budget. This verifier never accepts what the C++ verifier refuses.
 *
 * The schema comes as data, derived from flatc's reflection. UTF-8 is validated when text is decoded.
 */

import type { Rule } from '../../generated/errors.js'
import {
  BUDGET_BASE,
  BUDGET_PER_BYTE,
  FLATBUFFER_LIMIT,
  MAX_DEPTH,
  MAX_VTABLE_NUMBER,
  MIN_BUFFER_LENGTH,
} from '../../generated/limits.js'
import { CheckpointError, type CheckpointErrorFields } from '../errors.js'
import type { ElementType, FieldDescription, SchemaDescription } from './description.js'

export { MAX_DEPTH }

// A vtable starts with its own length and that of the table, two bytes each.
const VTABLE_HEADER = 4

/** The rest of the names that begin with `Prefix`. */
type After<Prefix extends string, Name> = Name extends `${Prefix}${infer Rest}` ? Rest : never

/**
 * Verifies all of `bytes` against a schema, from the root offset at byte 0. Throws CKPT_FLATBUFFER with the broken rule
 * and its position.
 */
export function verifyFlatBuffer(bytes: Uint8Array, schema: SchemaDescription): void {
  new Verification(bytes, schema).root()
}

class Verification {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #length: number
  readonly #schema: SchemaDescription
  #depth = 0
  #budget: number

  constructor(bytes: Uint8Array, schema: SchemaDescription) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#length = bytes.byteLength
    this.#schema = schema
    // Shared tables and strings are legal. They let a small buffer stand for an enormous tree, which doubles at each
    // level. So every visited range counts towards a budget, shared or not. A buffer of this library visits at most
    // 3.05 times its length (a list of empty maps): a table counts once as a whole, once by its fields, and once for
    // its vtable.
    this.#budget = BUDGET_PER_BYTE * bytes.byteLength + BUDGET_BASE
  }

  root(): void {
    const { identifier, root } = this.#schema
    if (this.#length < MIN_BUFFER_LENGTH || this.#length >= FLATBUFFER_LIMIT) {
      throw fault('length', `it is ${this.#length} bytes long`, 0, {
        expected: `${MIN_BUFFER_LENGTH} to ${FLATBUFFER_LIMIT - 1} bytes`,
        actual: this.#length,
      })
    }
    for (let i = 0; i < identifier.length; i++) {
      if (this.#bytes[4 + i] !== identifier.charCodeAt(i)) {
        throw fault('identifier', `its identifier is not ${identifier}`, 4)
      }
    }
    this.#table(this.#offset(0, 'the root'), root)
  }

  /**
   * Verifies that `length` bytes at `at` lie in the buffer. As in C++, a length equal to the buffer's fails. The bytes
   * are `what`, or a part of it (`the length of `). These are two strings because joining them for each of many tensors
   * would take as long as the verification.
   */
  #range(at: number, length: number, what: string, part = ''): void {
    if (!(at >= 0 && length < this.#length && at <= this.#length - length)) {
      throw fault('range', `${part}${what} of ${length} bytes reaches outside the buffer`, at, {
        actual: length,
      })
    }
    this.#budget -= length
    if (this.#budget < 0) {
      throw fault('budget', `it stands for far more than its ${this.#length} bytes`, at)
    }
  }

  /** Verifies that a number of `size` bytes at `at` lies in the buffer, aligned to `align`. */
  #inline(at: number, size: number, align: number, what: string, part = ''): void {
    if (at % align !== 0) {
      throw fault('alignment', `${part}${what} is not aligned to ${align} bytes`, at)
    }
    this.#range(at, size, what, part)
  }

  /** Verifies the offset at `at`, and returns the position that it leads to. */
  #offset(at: number, what: string): number {
    this.#inline(at, 4, 4, what, 'the offset of ')
    const offset = this.#view.getUint32(at, true)
    if (offset === 0) throw fault('offset', `${what} has a null offset`, at)
    if (at + offset >= this.#length) {
      throw fault('offset', `the offset of ${what} leads outside the buffer`, at, {
        actual: offset,
      })
    }
    return at + offset
  }

  #table(at: number, name: string): void {
    const view = this.#view
    this.#inline(at, 4, 4, name)
    if (++this.#depth > MAX_DEPTH) {
      throw fault('depth', `it has tables nested more than ${MAX_DEPTH} deep`, at)
    }
    const vtable = at - view.getInt32(at, true)
    this.#inline(vtable, VTABLE_HEADER, 2, name, 'the vtable of ')
    const vtableLength = view.getUint16(vtable, true)
    const tableLength = view.getUint16(vtable + 2, true)
    if (
      vtableLength < VTABLE_HEADER ||
      vtableLength > MAX_VTABLE_NUMBER ||
      vtableLength % 2 !== 0
    ) {
      throw fault('vtable', `the vtable of ${name} has a length of ${vtableLength}`, vtable)
    }
    this.#range(vtable, vtableLength, name, 'the vtable of ')
    if (tableLength < 4) throw fault('table', `${name} has a length of ${tableLength}`, vtable + 2)
    this.#range(at, tableLength, name)
    const fields = this.#schema.tables[name]!
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!
      const entry = field.slot < vtableLength ? view.getUint16(vtable + field.slot, true) : 0
      if (entry === 0) {
        if (field.required) {
          throw fault('required', `${name} lacks its required field ${field.name}`, at)
        }
      } else this.#field(field, at, entry, tableLength, name)
    }
    this.#depth--
  }

  #field(
    field: FieldDescription,
    table: number,
    entry: number,
    tableLength: number,
    name: string,
  ): void {
    const { type } = field
    const size = type.base === 'scalar' ? type.size : 4
    if (entry < 4 || entry > MAX_VTABLE_NUMBER || entry + size > tableLength) {
      throw fault('field', `${name}.${field.name} lies outside its table`, table, {
        actual: entry,
      })
    }
    const at = table + entry
    switch (type.base) {
      case 'scalar':
        this.#inline(at, size, size, field.name)
        if (type.scalar === 'bool' && this.#bytes[at]! > 1) {
          throw fault('bool', `${name}.${field.name} is neither 0 nor 1`, at)
        }
        return
      case 'string':
        this.#string(this.#offset(at, field.name), field.name)
        return
      case 'table':
        this.#table(this.#offset(at, field.name), type.table)
        return
      case 'vector':
        // The elements of a segment lie beyond the metadata; the format's own rules place them.
        if (type.segment) this.#inline(at, 4, 4, field.name, 'the offset of ')
        else this.#vector(type.element, this.#offset(at, field.name), field.name)
    }
  }

  #string(at: number, what: string): void {
    const end = this.#vector(BYTE, at, what)
    this.#range(end, 1, what, 'the end of ')
    if (this.#bytes[end] !== 0) throw fault('string', `${what} does not end with a zero byte`, end)
  }

  /** Verifies a vector, and returns the position of its end. */
  #vector(element: ElementType, at: number, what: string): number {
    const size = element.base === 'scalar' ? element.size : 4
    const length = this.#vectorLength(at, size, what)
    const start = at + 4
    if (element.base === 'scalar') {
      if (length > 0 && start % size !== 0) {
        throw fault('alignment', `the elements of ${what} are not aligned to ${size} bytes`, start)
      }
      if (element.scalar === 'bool') {
        for (let i = 0; i < length; i++) {
          if (this.#bytes[start + i]! > 1) {
            throw fault('bool', `${what}[${i}] is neither 0 nor 1`, start + i)
          }
        }
      }
    } else {
      for (let i = 0; i < length; i++) {
        const target = this.#offset(start + 4 * i, what)
        if (element.base === 'string') this.#string(target, what)
        else this.#table(target, element.table)
      }
    }
    return start + length * size
  }

  #vectorLength(at: number, size: number, what: string): number {
    this.#inline(at, 4, 4, what, 'the length of ')
    const length = this.#view.getUint32(at, true)
    // Bounded before the multiplication, so that neither the product nor a loop over it can run away.
    if (length >= FLATBUFFER_LIMIT / size) {
      throw fault('length', `${what} has ${length} elements`, at, { actual: length })
    }
    this.#range(at, 4 + length * size, what)
    return length
  }
}

const BYTE: ElementType = { base: 'scalar', scalar: 'uint8', size: 1 }

function fault(
  rule: After<'flatbuffer.', Rule>,
  message: string,
  offset: number,
  fields: CheckpointErrorFields = {},
): CheckpointError {
  return new CheckpointError(
    'CKPT_FLATBUFFER',
    `the metadata is not a valid FlatBuffer: ${message} (at byte ${offset})`,
    { ...fields, rule: `flatbuffer.${rule}`, offset },
  )
}
