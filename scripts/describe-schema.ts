/**
 * From flatc's reflection on a schema to the description that drives the verifier. Everything that a
 * schema can say is either carried over or refused here, so that no buffer is called sound because
 * the verifier did not know what to look at.
 */

import type {
  ElementType,
  FieldDescription,
  FieldType,
  ScalarName,
  SchemaDescription,
  UnionMember,
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
  // The type of a union, one byte.
  ['UType', scalar('uint8', 1)],
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

// The custom attribute of the vector whose elements lie outside of the metadata.
const SEGMENT = 'segment'

// A vector with one of these is a buffer of its own, which would need a verification of its own.
const NESTING_ATTRIBUTES = ['nested_flatbuffer', 'flexbuffer']

/** Describes a schema that is given as the text of an .fbs without includes. */
export async function describe(fbsText: string): Promise<SchemaDescription> {
  return describeSchema(await reflect(fbsText))
}

/**
 * Describes a schema. Fields that are deprecated are left out, as in the verifiers that flatc
 * generates for C++: no accessor is generated for them, so nothing reads them. Throws an Error that
 * names the table and field of anything that the verifier does not know.
 */
export function describeSchema(reflection: Reflection): SchemaDescription {
  const { file_ident: identifier, root_table: root } = reflection
  if (root === undefined) throw new Error('the schema declares no root_type')
  // flatc writes an empty one where there is none.
  if (!identifier) throw new Error('the schema declares no file_identifier')

  const tables = new Map<string, readonly FieldDescription[]>()
  for (const object of reflection.objects) {
    if (object.is_struct) continue
    // Sorted by name so far.
    const fields = object.fields.filter((field) => !field.deprecated)
    fields.sort((a, b) => a.offset - b.offset)
    addUnique(
      tables,
      object.name,
      fields.map((field) => describeField(reflection, object, field)),
    )
  }

  const unions = new Map<string, readonly UnionMember[]>()
  for (const { name, is_union, values } of reflection.enums) {
    if (!is_union) continue
    const members: UnionMember[] = []
    for (const value of values) {
      if (value.value === 0) continue // NONE
      members.push({
        type: value.value,
        value: describeMember(reflection, `${name}.${value.name}`, value.union_type),
      })
    }
    addUnique(unions, name, members)
  }

  return {
    identifier,
    root: withoutNamespace(root.name),
    tables: Object.fromEntries(tables),
    unions: Object.fromEntries(unions),
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

/** What a field, an element of a vector or a member of a union is. */
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
      if (object === undefined) break
      if (!object.is_struct) return { base: 'table', table: withoutNamespace(object.name) }
      return { base: 'struct', size: object.bytesize, align: object.minalign }
    }
    case 'Union': {
      const union = reflection.enums[index]
      if (union?.is_union) return { base: 'union', union: withoutNamespace(union.name) }
    }
  }
  throw new Error(`${where}: the verifier does not know the type ${base} (${index})`)
}

function describeMember(
  reflection: Reflection,
  where: string,
  type: ReflectedType | undefined,
): UnionMember['value'] {
  const value = describeElement(reflection, where, type?.base_type ?? 'None', type?.index ?? -1)
  if (value.base === 'scalar' || value.base === 'union') {
    throw new Error(`${where}: the verifier does not know a ${value.base} in a union`)
  }
  return value
}

/** Adds under the name without its namespace, which has to be enough to tell it apart. */
function addUnique<T>(map: Map<string, T>, fullName: string, value: T): void {
  const name = withoutNamespace(fullName)
  if (map.has(name)) throw new Error(`${fullName}: another namespace has a ${name} too`)
  map.set(name, value)
}

function withoutNamespace(name: string): string {
  return name.slice(name.lastIndexOf('.') + 1)
}

function scalar(name: ScalarName, size: ScalarType['size']): ScalarType {
  return { base: 'scalar', scalar: name, size }
}
