/**
 * flatc's reflection: its understanding of a schema, as data. flatc writes it as a FlatBuffer (.bfbs), and turns that
 * into JSON by scripts/reflection.fbs, so no reader of this project is involved.
 */

import { readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { flatc, jsonFromBinary, outputOf } from './flatc.js'

/** The names are those of reflection.fbs; a number is an unknown type. */
export type BaseType =
  | 'None'
  | 'UType'
  | 'Bool'
  | 'Byte'
  | 'UByte'
  | 'Short'
  | 'UShort'
  | 'Int'
  | 'UInt'
  | 'Long'
  | 'ULong'
  | 'Float'
  | 'Double'
  | 'String'
  | 'Vector'
  | 'Obj'
  | 'Union'
  | 'Array'
  | 'Vector64'
  | number

export interface ReflectedType {
  readonly base_type: BaseType
  /** The type of the elements of a vector or an array. */
  readonly element: BaseType
  /** The index in `objects` of the table or struct, or in `enums` of the enum or union; else -1. */
  readonly index: number
}

export interface ReflectedField {
  readonly name: string
  readonly type: ReflectedType
  readonly id: number
  /** Byte offset of the field's entry in the vtable, or of the field in its struct. */
  readonly offset: number
  readonly deprecated: boolean
  readonly required: boolean
  readonly attributes?: readonly { readonly key: string }[]
  readonly offset64: boolean
}

/** A table or a struct. */
export interface ReflectedObject {
  readonly name: string
  readonly fields: readonly ReflectedField[]
  readonly is_struct: boolean
}

export interface ReflectedEnum {
  readonly name: string
  readonly values: readonly {
    readonly name: string
    readonly value: number
    /** The lines of its doc comment. */
    readonly documentation?: readonly string[]
  }[]
  readonly is_union: boolean
}

/** Names are with their namespace; objects and enums are sorted by them. */
export interface Reflection {
  readonly objects: readonly ReflectedObject[]
  readonly enums: readonly ReflectedEnum[]
  readonly file_ident?: string
  readonly root_table?: { readonly name: string }
}

const REFLECTION_SCHEMA = new URL('./reflection.fbs', import.meta.url)

/**
 * The binary schema (.bfbs) that flatc makes of `schema`, the text of an .fbs without includes. `name` is for flatc's
 * messages. It depends on neither comments nor layout. Throws a FlatcError if flatc does not accept the schema.
 */
export async function binarySchema(schema: string, name = 'schema.fbs'): Promise<Uint8Array> {
  return compile(schema, name, [])
}

async function compile(
  schema: string,
  name: string,
  options: readonly string[],
): Promise<Uint8Array> {
  // Includes the attributes that flatc itself gives a meaning to.
  const args = ['--binary', '--schema', '--bfbs-builtins', ...options, name]
  return outputOf(await flatc(args, { [name]: schema }), `${basename(name, '.fbs')}.bfbs`)
}

/** flatc's understanding of `schema`. See `binarySchema`. */
export async function reflect(schema: string, name = 'schema.fbs'): Promise<Reflection> {
  const binary = await compile(schema, name, ['--bfbs-comments'])
  const reflectionSchema = await readFile(REFLECTION_SCHEMA, 'utf8')
  return JSON.parse(await jsonFromBinary(reflectionSchema, binary, ['--defaults-json']))
}
