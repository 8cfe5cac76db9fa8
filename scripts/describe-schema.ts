/**
 * Turns flatc's reflection of a schema into the description that drives the verifier. Everything that a schema can
 * contain is either carried over or refused here. So the verifier never passes a buffer because it does not know what
 * to verify.
 */

import type {
  ElementType,
  FieldDescription,
  FieldType,
  ScalarName,
  SchemaDescription,
} from '../src/format/description.js'
import {
  type BaseType,
  type ReflectedField,
  type ReflectedObject,
  type ReflectedType,
  type Reflection,
  reflect,
} from './reflection.js'

type ScalarType = Extract<ElementType, { base: 'scalar' }>

const SCALARS = new Map<BaseType, ScalarType>([
  ['Bool', scalar('bool', 1)],
  ['Byte', scalar('int8', 1)],
  ['UByte', scalar('uint8', 1)],
  ['Short', scalar('int16', 2)],
  ['UShort', scalar('uint16', 2)],
  ['Int', scalar('int32', 4)],
  ['UInt', scalar('uint32', 4)],
  ['Long', scalar('int64', 8)],
  ['ULong', scalar('uint64', 8)],
  ['Float', scalar('float32', 4)],
  ['Double', scalar('float64', 8)],
])

// The custom attribute of the vector whose elements lie outside the metadata.
const SEGMENT = 'segment'

// A vector with one of these is a buffer of its own, which would need separate verification.
const NESTING_ATTRIBUTES = ['nested_flatbuffer', 'flexbuffer']

/** Describes a schema, given as the text of an .fbs without includes. */
export async function describe(fbsText: string): Promise<SchemaDescription> {
  return describeSchema(await reflect(fbsText))
}

/**
 * Describes a schema. Deprecated fields are left out, as in the verifiers that flatc generates for C++: no accessor is
 * generated for them, so nothing reads them. Throws an Error that names the struct, the union, or the table and field
 * that the verifier does not support.
 */
export function describeSchema(reflection: Reflection): SchemaDescription {
  const { file_ident: identifier, root_table: root } = reflection
  if (root === undefined) throw new Error('the schema declares no root_type')
  // flatc writes an empty string if there is none.
  if (!identifier) throw new Error('the schema declares no file_identifier')

  for (const { name, is_union } of reflection.enums) {
    if (is_union) throw new Error(`${name}: the verifier does not know unions`)
  }
  const tables = new Map<string, readonly FieldDescription[]>()
  for (const object of reflection.objects) {
    if (object.is_struct) throw new Error(`${object.name}: the verifier does not know structs`)
    // Sorted by name until here.
    const fields = object.fields.filter((field) => !field.deprecated)
    fields.sort((a, b) => a.offset - b.offset)
    const name = withoutNamespace(object.name)
    if (tables.has(name)) throw new Error(`${object.name}: another namespace has a ${name} too`)
    tables.set(
      name,
      fields.map((field) => describeField(reflection, object, field)),
    )
  }

  return {
    identifier,
    root: withoutNamespace(root.name),
    tables: Object.fromEntries(tables),
  }
}

function describeField(
  reflection: Reflection,
  table: ReflectedObject,
  field: ReflectedField,
): FieldDescription {
  const where = `${table.name}.${field.name}`
  const attributes = (field.attributes ?? []).map((attribute) => attribute.key)
  if (field.offset64) throw new Error(`${where}: the verifier does not know 64-bit offsets`)
  for (const attribute of attributes) {
    if (NESTING_ATTRIBUTES.includes(attribute)) {
      throw new Error(`${where}: the verifier does not know the attribute ${attribute}`)
    }
  }
  const type = describeType(reflection, where, field.type, attributes.includes(SEGMENT))
  return { name: field.name, slot: field.offset, required: field.required, type }
}

function describeType(
  reflection: Reflection,
  where: string,
  type: ReflectedType,
  segment: boolean,
): FieldType {
  if (type.base_type === 'Vector') {
    const element = describeElement(reflection, where, type.element, type.index)
    if (segment && element.base !== 'scalar') {
      throw new Error(`${where}: only a vector of scalars can be a segment`)
    }
    return { base: 'vector', element, segment }
  }
  if (segment) throw new Error(`${where}: only a vector of scalars can be a segment`)
  return describeElement(reflection, where, type.base_type, type.index)
}

/** The type of a field or of a vector's element. */
function describeElement(
  reflection: Reflection,
  where: string,
  base: BaseType,
  index: number,
): ElementType {
  const known = SCALARS.get(base)
  if (known !== undefined) return known
  switch (base) {
    case 'String':
      return { base: 'string' }
    case 'Obj': {
      const object = reflection.objects[index]
      if (object !== undefined) return { base: 'table', table: withoutNamespace(object.name) }
    }
  }
  throw new Error(`${where}: the verifier does not know the type ${base} (${index})`)
}

function withoutNamespace(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function scalar(name: ScalarName, size: ScalarType['size']): ScalarType {
  return { base: 'scalar', scalar: name, size }
}
