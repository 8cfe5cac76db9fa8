/**
 * What every language has to know of the format, as data: the tables and dtypes of the schema, and what
 * stands beside it in schema/tables.json. Each language has a module here that prints it.
 */

import type { FieldDescription, SchemaDescription } from '../../src/format/description.js'
import { describeSchema } from '../describe-schema.js'
import type { Reflection } from '../reflection.js'

/** What the schema's language has no words for, in a project. */
export const TABLES = 'schema/tables.json'

/** The enum whose values are the dtypes, and the one of its values that is none. */
const DTYPE = 'DType'
const NO_DTYPE = 'unknown'

/**
 * What a dtype's elements are: IEEE floats, integers, booleans, pairs of floats, or anything else, of
 * which a reader knows the bits alone.
 */
export type Kind = 'float' | 'int' | 'uint' | 'bool' | 'complex' | 'other'

/** The numbers that a tensor's memory is viewed as; a complex number is two of them. */
export interface View {
  readonly kind: 'float' | 'int' | 'uint'
  readonly bits: number
}

export interface DTypeRow {
  readonly name: string
  /** The number in the file. */
  readonly code: number
  readonly kind: Kind
  /** Of an element. */
  readonly bits: number
  readonly view: View
  readonly about: string
}

export interface Limit {
  /** In lower case, with underscores. */
  readonly name: string
  readonly value: number
  readonly about: string
}

export interface ErrorCodeRow {
  readonly code: string
  /** Whether a reader has it, as the languages without a writer are. */
  readonly readers: boolean
  /** Whether a library that loads, saves and restores has it, as the one for C++ does. */
  readonly savers: boolean
  readonly about: string
}

export interface RuleRow {
  readonly name: string
  readonly about: string
}

export interface Tables {
  readonly description: SchemaDescription
  readonly dtypes: readonly DTypeRow[]
  readonly version: Limit
  readonly limits: readonly Limit[]
  readonly errors: readonly ErrorCodeRow[]
  readonly rules: readonly RuleRow[]
}

/** A generated file of tables: its path in the project, and its text without the note at its head. */
export type TableFile = readonly [path: string, text: string]

interface BesideTheSchema {
  readonly dtypes: { readonly [name: string]: { readonly kind: Kind; readonly bits: number } }
  readonly version: { readonly value: number; readonly about: string }
  readonly limits: { readonly [name: string]: { readonly value: number; readonly about: string } }
  readonly errors: {
    readonly [code: string]: {
      readonly about: string
      readonly readers?: boolean
      readonly savers?: boolean
    }
  }
  readonly rules: { readonly [name: string]: string }
}

/**
 * Puts together what flatc understood of the schema and `json`, the text of TABLES. Throws where one of
 * them has a dtype that the other has not, or a table has a field that not every reader knows.
 */
export function readTables(reflection: Reflection, json: string): Tables {
  const { dtypes, version, limits, errors, rules } = JSON.parse(json) as BesideTheSchema
  const description = describeSchema(reflection)
  for (const [table, fields] of Object.entries(description.tables)) {
    for (const field of fields) {
      if (fieldKind(field) === undefined) {
        throw new Error(`${table}.${field.name}: not every language's verifier knows such a field`)
      }
    }
  }
  const declared = reflection.enums.find(({ name }) => name.endsWith(`.${DTYPE}`))?.values ?? []
  const known = declared.filter(({ name }) => name !== NO_DTYPE)
  for (const name of Object.keys(dtypes)) {
    if (!known.some((value) => value.name === name)) {
      throw new Error(`${TABLES} has the dtype ${name}, which the schema has not`)
    }
  }
  return {
    description,
    dtypes: known.map(({ name, value, documentation }) => {
      const row = dtypes[name]
      if (row === undefined) throw new Error(`${TABLES} does not say how wide a ${name} is`)
      const about = (documentation ?? []).map((line) => line.trim()).join(' ')
      return { name, code: value, ...row, view: viewOf(row.kind, row.bits), about }
    }),
    version: { name: 'format_version', ...version },
    limits: Object.entries(limits).map(([name, limit]) => ({ name, ...limit })),
    errors: Object.entries(errors).map(([code, { about, readers = true, savers = readers }]) => ({
      code,
      readers,
      savers,
      about,
    })),
    rules: Object.entries(rules).map(([name, about]) => ({ name, about })),
  }
}

// Of the floats that every language has a type for, in bits; narrower ones are read as their bits.
const NARROWEST_FLOAT = 32

function viewOf(kind: Kind, bits: number): View {
  if (kind === 'complex') return { kind: 'float', bits: bits / 2 }
  if (kind === 'float' && bits >= NARROWEST_FLOAT) return { kind, bits }
  // Elements narrower than a byte are packed into bytes.
  if ((kind === 'int' || kind === 'uint') && bits >= 8) return { kind, bits }
  return { kind: 'uint', bits: Math.max(bits, 8) }
}

/** What a field of a table holds, as the verifiers of all languages tell it. */
export type FieldKind = 'number' | 'bool' | 'string' | 'table' | 'numbers' | 'tables' | 'segment'

export interface FieldRow {
  readonly name: string
  /** Position of its entry in the vtable, in bytes. */
  readonly slot: number
  readonly required: boolean
  readonly kind: FieldKind
  /** Bytes of a number, or of each number of a vector; else 0. */
  readonly size: number
  /** Of a table, or a vector of them. */
  readonly table: string | undefined
}

/** A field, flat, of tables that have been read. */
export function fieldRow(field: FieldDescription): FieldRow {
  const { name, slot, required, type } = field
  const element = type.base === 'vector' ? type.element : type
  return {
    name,
    slot,
    required,
    kind: fieldKind(field)!,
    size: element.base === 'scalar' ? element.size : 0,
    table: element.base === 'table' ? element.table : undefined,
  }
}

function fieldKind({ type }: FieldDescription): FieldKind | undefined {
  if (type.base === 'scalar') return type.scalar === 'bool' ? 'bool' : 'number'
  if (type.base === 'string' || type.base === 'table') return type.base
  if (type.base === 'vector') {
    if (type.segment) return 'segment'
    if (type.element.base === 'table') return 'tables'
    if (type.element.base === 'scalar' && type.element.scalar !== 'bool') return 'numbers'
  }
  return undefined
}

// Where a capital goes in the names of dtypes, besides the first letter.
const WORDS = /float|m\d|fnu(?!z)|fn|uz/g

/** `tensor.byte_length`, `CKPT_FLATBUFFER` or `float8_e4m3fnuz` as `TensorByteLength` and so on. */
export function pascalCase(name: string): string {
  const words = name.toLowerCase().split(/[._]/)
  return words
    .map((word) => word.replace(/^./, capital).replace(WORDS, capital))
    .join('')
    .replaceAll('Flatbuffer', 'FlatBuffer')
}

/** `max_rank` as `maxRank`. */
export function camelCase(name: string): string {
  const pascal = pascalCase(name)
  return pascal.charAt(0).toLowerCase() + pascal.slice(1)
}

/** `tensor.byte_length` as `TENSOR_BYTE_LENGTH`. */
export function upperCase(name: string): string {
  return name.replaceAll('.', '_').toUpperCase()
}

/** `tensor.byte_length` or `CKPT_FORMAT` as `tensor_byte_length` and `format`. */
export function snakeCase(name: string): string {
  return name
    .replace(/^CKPT_/, '')
    .replaceAll('.', '_')
    .toLowerCase()
}

/** The name of an error code without what all of them begin with. */
export function shortCode(code: string): string {
  return code.replace(/^CKPT_/, '')
}

function capital(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
