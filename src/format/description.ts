/**
 * Types for a description of a FlatBuffers schema: the layout of its tables, as data. `npm run gen` derives
 * `generated/description.ts` from flatc's reflection, and the verifier follows it. No list of fields is written by
 * hand.
 */

/** The scalar types of FlatBuffers, by the names that the description gives them. */
export type ScalarName =
  | 'bool'
  | 'int8'
  | 'uint8'
  | 'int16'
  | 'uint16'
  | 'int32'
  | 'uint32'
  | 'int64'
  | 'uint64'
  | 'float32'
  | 'float64'

/** The type of a field or of a vector's element. `size` is in bytes. */
export type ElementType =
  | { readonly base: 'scalar'; readonly scalar: ScalarName; readonly size: 1 | 2 | 4 | 8 }
  | { readonly base: 'string' }
  | { readonly base: 'table'; readonly table: string }

/** The type of a field. `segment` marks the vector that holds a tensor's bytes, which is not read as metadata. */
export type FieldType =
  | ElementType
  | { readonly base: 'vector'; readonly element: ElementType; readonly segment: boolean }

/** A field of a table: its name, its place in the vtable, whether a table must have it, and its type. */
export interface FieldDescription {
  readonly name: string
  /** Byte offset of the field's entry in the vtable: 4 for the first field, 6 for the second. */
  readonly slot: number
  readonly required: boolean
  readonly type: FieldType
}

/** All tables of a schema, with the identifier and the name of its root table. */
export interface SchemaDescription {
  /** Four characters at byte 4 of a buffer. */
  readonly identifier: string
  readonly root: string
  /** Fields by table, in the order of their slots. Names are without the namespace. */
  readonly tables: { readonly [table: string]: readonly FieldDescription[] }
}
