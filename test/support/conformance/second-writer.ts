/**
 * A writer of the format that shares nothing with the library's: it knows the schema's slots, and lays
 * the tables out from the front to the back, each with its vtable behind it, where a FlatBuffers
 * builder does it from the back to the front, vtables first. It leaves out what has its default value.
 * A reader that takes for granted how our writer happens to write does not get through its files.
 */

import { crc32 } from 'node:zlib'
import { description } from '../../../generated/description.js'
import { DType } from '../../../generated/lightwatch/format/dtype.js'
import { ValueKind } from '../../../generated/lightwatch/format/value-kind.js'
import type { Attribute, Attributes } from '../../../src/format/attributes.js'
import type { Golden, GoldenState } from '../golden/v1.js'
import { placeSegments } from './expected-report.js'

/** A table's fields by their names: numbers, texts, tables, and vectors of tables or of numbers. */
export interface Fields {
  readonly [field: string]: FieldValue
}

export type FieldValue =
  | undefined
  | boolean
  | number
  | bigint
  | string
  | Fields
  | readonly (Fields | bigint)[]

export interface WriterOptions {
  /** Slots behind the last one that the schema knows, in every table: a later minor version's. */
  readonly unknownFields?: number
  /** Every number among the attributes as a Float64. */
  readonly doublesOnly?: boolean
  /** Bytes between the head and the root table, and behind the last table, that nothing refers to. */
  readonly idleBytes?: number
  /** The root table right behind the identifier, where nothing can be in front of it. */
  readonly rootInFront?: boolean
  /** Fields that are stored although they have their default value. */
  readonly keepDefaults?: boolean
}

/** The file that holds `golden`. */
export function writeFile(golden: Golden, options: WriterOptions = {}): Uint8Array {
  // The length of the metadata does not depend on what the places are.
  const { length } = new Metadata(golden, options, 0).bytes
  const metadata = new Metadata(golden, options, length).bytes
  const { offsets, fileLength } = placeSegments(golden, length)
  const file = new Uint8Array(fileLength)
  const view = new DataView(file.buffer)
  file.set(metadata)
  for (const [bytes, offset] of offsets) {
    view.setUint32(offset - 4, bytes.byteLength, true)
    file.set(bytes, offset)
  }
  return file
}

class Metadata {
  readonly bytes: Uint8Array
  readonly #out = new Uint8Array(1 << 18)
  readonly #view = new DataView(this.#out.buffer)
  readonly #options: WriterOptions
  readonly #offsets: ReadonlyMap<Uint8Array, number>
  #end: number

  constructor(golden: Golden, options: WriterOptions, metadataLength: number) {
    this.#options = options
    const { offsets, fileLength } = placeSegments(golden, metadataLength)
    this.#offsets = offsets
    this.#out.set(new TextEncoder().encode('LWCK'), 4)
    this.#end = 8 + (options.idleBytes ?? 0)
    const root = this.#table('Checkpoint', {
      version: 1,
      metadata_length: metadataLength,
      metadata_crc32: 0,
      file_length: BigInt(fileLength),
      epoch: this.#unless(0n, BigInt(golden.epoch)),
      step: this.#unless(0n, BigInt(golden.step)),
      loss: golden.loss ?? undefined,
      metrics: golden.metrics.map(([name, value]) => ({ name, value })),
      config: golden.config ?? undefined,
      model: this.#state(golden.model),
      optimizer: golden.optimizer === null ? undefined : this.#state(golden.optimizer),
      extras: golden.extras.map((state) => this.#state(state)),
      sequence: golden.sequence === undefined ? undefined : BigInt(golden.sequence),
      saved_at: golden.savedAt === undefined ? undefined : BigInt(golden.savedAt),
    })
    this.#view.setUint32(0, root, true)
    this.bytes = this.#out.slice(0, this.#end + (options.idleBytes ?? 0))
    const crc = root + this.#view.getUint16(root - this.#view.getInt32(root, true) + 8, true)
    new DataView(this.bytes.buffer).setUint32(crc, crc32(this.bytes), true)
  }

  #unless<T>(initial: T, value: T): T | undefined {
    return value === initial && !this.#options.keepDefaults ? undefined : value
  }

  #state({ name, kind, attributes, tensors }: GoldenState): Fields {
    return {
      name,
      kind: kind ?? undefined,
      attributes: this.#entries(attributes),
      tensors: tensors.map(({ name, dtype, shape, bytes }) => {
        const offset = this.#offsets.get(bytes)!
        return {
          name,
          dtype: DType[dtype],
          shape: shape.map(BigInt),
          offset: BigInt(offset),
          byte_length: this.#unless(0n, BigInt(bytes.byteLength)),
          crc32: this.#unless(0, crc32(bytes)),
          data: offset - 4,
        }
      }),
    }
  }

  #entries(map: Attributes): Fields[] {
    return Object.keys(map).map((key) => ({ key, value: this.#value(map[key]!) }))
  }

  #value(value: Attribute): Fields {
    if (value === null) return { kind: ValueKind.Null }
    switch (typeof value) {
      case 'boolean':
        return { kind: ValueKind.Boolean, boolean: value }
      case 'string':
        return { kind: ValueKind.Text, text: value }
      case 'bigint':
        return value < 2n ** 63n
          ? { kind: ValueKind.Int64, integer: value }
          : { kind: ValueKind.Uint64, uinteger: value }
      case 'number': {
        const integer = Number.isSafeInteger(value) && !Object.is(value, -0)
        return integer && !this.#options.doublesOnly
          ? { kind: ValueKind.Integer, integer: BigInt(value) }
          : { kind: ValueKind.Float64, number: value }
      }
    }
    if (Array.isArray(value)) {
      return { kind: ValueKind.List, list: value.map((item: Attribute) => this.#value(item)) }
    }
    return { kind: ValueKind.Map, map: this.#entries(value as Attributes) }
  }

  /** Writes a table, its vtable, and all that it refers to, behind what is there. */
  #table(name: string, given: Fields): number {
    const known = description.tables[name]!
    const fields = known.filter((field) => given[field.name] !== undefined)
    const { unknownFields = 0 } = this.#options
    // Fields of 8 bytes come first, right behind the offset of the vtable.
    const sizeOf = ({ type }: (typeof known)[number]) => (type.base === 'scalar' ? type.size : 4)
    const inOrder = [...fields].sort((a, b) => sizeOf(b) - sizeOf(a))
    const inFront = this.#options.rootInFront === true && name === 'Checkpoint'
    const at = inFront ? this.#end : this.#align(8, 4)
    let length = inFront ? 8 : 4
    const entries = new Map<string, number>()
    for (const field of inOrder) {
      entries.set(field.name, length)
      length += sizeOf(field)
    }
    const unknownAt = length
    length += unknownFields
    this.#take(length)
    // An unknown field's bytes may be anything.
    this.#out.fill(0xa5, at + unknownAt, at + length)

    const vtable = this.#align(2)
    const slots = unknownFields > 0 ? known : known.slice(0, 1 + lastOf(known, fields))
    const vtableLength = 4 + 2 * (slots.length + unknownFields)
    this.#take(vtableLength)
    this.#view.setInt32(at, at - vtable, true)
    this.#view.setUint16(vtable, vtableLength, true)
    this.#view.setUint16(vtable + 2, length, true)
    for (const { name, slot } of slots) {
      this.#view.setUint16(vtable + slot, entries.get(name) ?? 0, true)
    }
    for (let i = 0; i < unknownFields; i++) {
      this.#view.setUint16(vtable + 4 + 2 * (slots.length + i), unknownAt + i, true)
    }

    for (const { name, type } of fields) {
      const position = at + entries.get(name)!
      const value = given[name]!
      if (type.base === 'scalar') this.#scalar(position, type.scalar, type.size, value)
      else if (name === 'data') this.#view.setUint32(position, (value as number) - position, true)
      else this.#refer(position, this.#target(type, value))
    }
    return at
  }

  #target(type: (typeof description.tables)[string][number]['type'], value: FieldValue): number {
    if (type.base === 'table') return this.#table(type.table, value as Fields)
    if (type.base === 'string') return this.#string(value as string)
    if (type.base !== 'vector') throw new Error(`there is no ${type.base} in the schema`)
    const { element } = type
    if (element.base === 'table') {
      const items = value as readonly Fields[]
      const at = this.#vector(items.length, 4, 4)
      for (const [i, item] of items.entries()) {
        this.#refer(at + 4 + 4 * i, this.#table(element.table, item))
      }
      return at
    }
    const items = value as readonly bigint[]
    // Where there are none, the elements need no place that is aligned.
    const at = items.length === 0 ? this.#vector(0, 8, 4) : this.#vector(items.length, 8, 8)
    for (const [i, item] of items.entries()) this.#view.setBigUint64(at + 4 + 8 * i, item, true)
    return at
  }

  #string(text: string): number {
    const bytes = new TextEncoder().encode(text)
    const at = this.#vector(bytes.length, 1, 4)
    this.#out.set(bytes, at + 4)
    // The zero that ends it.
    this.#take(1)
    return at
  }

  /** Makes room for a vector, its elements aligned, and returns where its length is. */
  #vector(length: number, size: number, align: number): number {
    const at = this.#align(align, align - 4)
    this.#take(4 + length * size)
    this.#view.setUint32(at, length, true)
    return at
  }

  #scalar(at: number, scalar: string, size: number, value: FieldValue): void {
    if (scalar === 'float64') this.#view.setFloat64(at, value as number, true)
    else if (size === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, value as bigint), true)
    else if (size === 4) this.#view.setUint32(at, value as number, true)
    else this.#view.setUint8(at, Number(value))
  }

  #refer(at: number, target: number): void {
    this.#view.setUint32(at, target - at, true)
  }

  /** Skips to the next position that leaves `rest` when it is divided by `align`. */
  #align(align: number, rest = 0): number {
    while (this.#end % align !== rest) this.#end++
    return this.#end
  }

  #take(length: number): void {
    this.#end += length
  }
}

/** The index of the last of `known` that is among `fields`; -1 where there is none. */
function lastOf<T>(known: readonly T[], fields: readonly T[]): number {
  return known.findLastIndex((field) => fields.includes(field))
}
