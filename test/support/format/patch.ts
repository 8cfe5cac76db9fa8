/**
 * Changes a FlatBuffer in place. It finds the position of any field by name, with the verifier's description of the
 * schema, and corrects the checksum of a checkpoint's metadata. So a test can make a file with exactly one fault.
 */

import { crc32 } from 'node:zlib'
import { description } from '../../../generated/description.js'
import type { FieldDescription, SchemaDescription } from '../../../src/format/description.js'

export class Patch {
  /** A copy that the test may change. */
  readonly bytes: Uint8Array
  readonly view: DataView
  readonly schema: SchemaDescription

  /** For a valid buffer, or a whole file that begins with one. */
  constructor(bytes: Uint8Array, schema: SchemaDescription = description) {
    this.bytes = bytes.slice()
    this.view = new DataView(this.bytes.buffer)
    this.schema = schema
  }

  get root(): TablePatch {
    return new TablePatch(this, this.view.getUint32(0, true), this.schema.root)
  }

  /** Sets `metadata_crc32` to the checksum of the present metadata, and returns the bytes. */
  seal(): Uint8Array {
    const { root, view } = this
    const at = root.position('metadata_crc32')
    view.setUint32(at, 0, true)
    const length = view.getUint32(root.position('metadata_length'), true)
    view.setUint32(at, crc32(this.bytes.subarray(0, length)), true)
    return this.bytes
  }

  /** The position that the offset at `at` leads to. */
  follow(at: number): number {
    return at + this.view.getUint32(at, true)
  }
}

export class TablePatch {
  readonly at: number
  readonly vtable: number
  readonly name: string
  readonly #patch: Patch
  readonly #view: DataView

  constructor(patch: Patch, at: number, name: string) {
    this.#patch = patch
    this.#view = patch.view
    this.at = at
    this.name = name
    this.vtable = at - this.#view.getInt32(at, true)
  }

  field(name: string): FieldDescription {
    const field = this.#patch.schema.tables[this.name]?.find((f) => f.name === name)
    if (field === undefined) throw new Error(`there is no field ${this.name}.${name}`)
    return field
  }

  /** Position of a field's entry in the vtable, which tables of the same shape share. */
  entry(name: string): number {
    const { slot } = this.field(name)
    if (slot >= this.#view.getUint16(this.vtable, true)) {
      throw new Error(`the vtable of this ${this.name} ends before ${name}`)
    }
    return this.vtable + slot
  }

  /** Position of a field in the table: of a scalar or struct itself, or of an offset. */
  position(name: string): number {
    const entry = this.#view.getUint16(this.entry(name), true)
    if (entry === 0) throw new Error(`this ${this.name} has no ${name}`)
    return this.at + entry
  }

  /** The position that a field's offset leads to. */
  target(name: string): number {
    return this.#patch.follow(this.position(name))
  }

  table(name: string): TablePatch {
    const { type } = this.field(name)
    if (type.base !== 'table') throw new Error(`${this.name}.${name} is no table`)
    return new TablePatch(this.#patch, this.target(name), type.table)
  }

  /** The tables of a vector. */
  tables(name: string): TablePatch[] {
    const { type } = this.field(name)
    if (type.base !== 'vector' || type.element.base !== 'table') {
      throw new Error(`${this.name}.${name} is no vector of tables`)
    }
    const { table } = type.element
    const vector = this.target(name)
    return Array.from(
      { length: this.#view.getUint32(vector, true) },
      (_, i) => new TablePatch(this.#patch, this.#patch.follow(vector + 4 + 4 * i), table),
    )
  }

  /** Sets a scalar that is present. */
  set(name: string, value: number | bigint): void {
    const { type } = this.field(name)
    if (type.base !== 'scalar') throw new Error(`${this.name}.${name} is no scalar`)
    const at = this.position(name)
    if (type.scalar === 'float64') this.#view.setFloat64(at, Number(value), true)
    else if (type.scalar === 'float32') this.#view.setFloat32(at, Number(value), true)
    else if (type.size === 8) this.#view.setBigUint64(at, BigInt.asUintN(64, BigInt(value)), true)
    else if (type.size === 4) this.#view.setUint32(at, Number(value), true)
    else if (type.size === 2) this.#view.setUint16(at, Number(value), true)
    else this.#view.setUint8(at, Number(value))
  }

  /** Sets an element of a vector of 64-bit integers. */
  setElement(name: string, index: number, value: number | bigint): void {
    this.#view.setBigUint64(
      this.target(name) + 4 + 8 * index,
      BigInt.asUintN(64, BigInt(value)),
      true,
    )
  }

  /** Writes other bytes over the first ones of a string. */
  setText(name: string, bytes: string | readonly number[]): void {
    const at = this.target(name)
    const encoded = typeof bytes === 'string' ? new TextEncoder().encode(bytes) : bytes
    if (encoded.length > this.#view.getUint32(at, true)) {
      throw new Error(`${this.name}.${name} is shorter than what is to be written over it`)
    }
    this.#patch.bytes.set(encoded, at + 4)
  }

  /** Cuts a string down to its first bytes. */
  shorten(name: string, length: number): void {
    const at = this.target(name)
    if (length > this.#view.getUint32(at, true)) throw new Error(`${name} is not as long`)
    this.#view.setUint32(at, length, true)
    this.#patch.bytes[at + 4 + length] = 0
  }

  /** Removes a field from this table, and from all tables that share its vtable. */
  drop(name: string): void {
    this.#view.setUint16(this.entry(name), 0, true)
  }
}
