import { readFile } from 'node:fs/promises'
import test from 'ava'
import { describe, describeSchema } from '../../scripts/describe-schema.js'
import type { ReflectedField, ReflectedType, Reflection } from '../../scripts/reflection.js'
import type { ElementType, FieldDescription } from '../../src/format/description.js'

const description = await describe(
  await readFile(new URL('../support/format/every-construct.fbs', import.meta.url), 'utf8'),
)

/** A table's fields by name, each as its slot, what it is, and `required` or `segment`. */
function fieldsOf(table: string): Record<string, string> {
  const fields = description.tables[table] ?? []
  return Object.fromEntries(fields.map((field) => [field.name, inShort(field)]))
}

function inShort({ slot, required, type }: FieldDescription): string {
  const words = [`${slot}`]
  if (type.base === 'vector') words.push(`[${elementInShort(type.element)}]`)
  else words.push(elementInShort(type))
  if (type.base === 'vector' && type.segment) words.push('segment')
  if (required) words.push('required')
  return words.join(' ')
}

function elementInShort(type: ElementType): string {
  switch (type.base) {
    case 'scalar':
      return `${type.scalar}/${type.size}`
    case 'string':
      return 'string'
    case 'table':
      return `table ${type.table}`
  }
}

test('the identifier and the root are those of the schema', (t) => {
  t.is(description.identifier, 'EVRY')
  t.is(description.root, 'Root')
})

test('every table is described, by its name without the namespace', (t) => {
  t.deepEqual(Object.keys(description.tables).sort(), [
    'Deprecated',
    'Elsewhere',
    'Empty',
    'Leaf',
    'Numbered',
    'Required',
    'Root',
    'Scalars',
    'Vectors',
  ])
  t.deepEqual(description.tables.Empty, [])
})

test('scalars have their size, and enums are the scalars under them', (t) => {
  t.deepEqual(fieldsOf('Scalars'), {
    a_bool: '4 bool/1',
    an_int8: '6 int8/1',
    a_uint8: '8 uint8/1',
    an_int16: '10 int16/2',
    a_uint16: '12 uint16/2',
    an_int32: '14 int32/4',
    a_uint32: '16 uint32/4',
    an_int64: '18 int64/8',
    a_uint64: '20 uint64/8',
    a_float32: '22 float32/4',
    a_float64: '24 float64/8',
    a_small: '26 int8/1',
    a_wide: '28 uint64/8',
    some_flags: '30 uint16/2',
    an_int16_by_default: '32 int16/2',
    an_infinity: '34 float32/4',
    an_optional_bool: '36 bool/1',
    an_optional_int64: '38 int64/8',
    an_optional_small: '40 int8/1',
  })
})

test('vectors are described by their elements', (t) => {
  t.deepEqual(fieldsOf('Vectors'), {
    bools: '4 [bool/1]',
    int8s: '6 [int8/1]',
    uint8s: '8 [uint8/1]',
    int16s: '10 [int16/2]',
    uint16s: '12 [uint16/2]',
    int32s: '14 [int32/4]',
    uint32s: '16 [uint32/4]',
    int64s: '18 [int64/8]',
    uint64s: '20 [uint64/8]',
    float32s: '22 [float32/4]',
    float64s: '24 [float64/8]',
    smalls: '26 [int8/1]',
    wides: '28 [uint64/8]',
    strings: '30 [string]',
    leaves: '32 [table Leaf]',
    aligned: '34 [uint8/1]',
  })
})

test('tables, strings and segments', (t) => {
  t.deepEqual(fieldsOf('Root'), {
    scalars: '4 table Scalars',
    vectors: '6 table Vectors',
    required: '8 table Required',
    deprecated_fields: '10 table Deprecated',
    numbered: '12 table Numbered',
    elsewhere: '14 table Elsewhere',
    leaf: '16 table Leaf',
    text: '18 string',
    child: '20 table Root',
    children: '22 [table Root]',
    data: '24 [uint8/1] segment',
    numbers: '26 [float64/8] segment',
  })
})

test('required fields are marked as required', (t) => {
  t.deepEqual(fieldsOf('Required'), {
    text: '4 string required',
    leaf: '6 table Leaf required',
    bytes: '8 [uint8/1] required',
    texts: '10 [string] required',
  })
})

test('deprecated fields are left out, and the slots after them stay', (t) => {
  t.deepEqual(fieldsOf('Deprecated'), { last: '10 int32/4' })
})

test('fields are in the order of their slots, in whatever order they are declared', (t) => {
  t.deepEqual(Object.keys(fieldsOf('Numbered')), ['first', 'second', 'third', 'fourth', 'fifth'])
  for (const fields of Object.values(description.tables)) {
    const slots = fields.map((field) => field.slot)
    t.deepEqual(
      slots,
      slots.toSorted((a, b) => a - b),
    )
  }
})

test('every table that is referred to is described', (t) => {
  const types = Object.values(description.tables).flatMap((fields) =>
    fields.map(({ type }) => (type.base === 'vector' ? type.element : type)),
  )
  t.true(types.length > 0)
  for (const type of types) {
    if (type.base === 'table') t.true(Object.hasOwn(description.tables, type.table), type.table)
  }
})

const REFUSED: [what: string, schema: string, message: RegExp][] = [
  [
    'a nested FlatBuffer',
    'table Leaf { nested:[ubyte] (nested_flatbuffer: "Leaf"); } root_type Leaf;',
    /^a\.Leaf\.nested: .*nested_flatbuffer/,
  ],
  [
    'a nested FlexBuffer',
    'table Leaf { nested:[ubyte] (flexbuffer); } root_type Leaf;',
    /^a\.Leaf\.nested: .*flexbuffer/,
  ],
  [
    'a vector behind a 64-bit offset',
    'table Leaf { far:[ubyte] (offset64); } root_type Leaf;',
    /^a\.Leaf\.far: .*64-bit/,
  ],
  [
    'a vector with a 64-bit length',
    'table Leaf { long:[ubyte] (vector64); } root_type Leaf;',
    /^a\.Leaf\.long: .*64/,
  ],
  [
    'a string behind a 64-bit offset',
    'table Leaf { far:string (offset64); } root_type Leaf;',
    /^a\.Leaf\.far: .*64-bit/,
  ],
  [
    'a string for a segment',
    'table Leaf { text:string (segment); } root_type Leaf;',
    /^a\.Leaf\.text: .*segment/,
  ],
  [
    'a vector of tables for a segment',
    'table Leaf { leaves:[Leaf] (segment); } root_type Leaf;',
    /^a\.Leaf\.leaves: .*segment/,
  ],
  [
    'two tables of one name',
    'table Leaf { } namespace b; table Leaf { } root_type Leaf;',
    /^b\.Leaf: another namespace has a Leaf too/,
  ],
  [
    'a union',
    'table Leaf { } union Any { Leaf } root_type Leaf;',
    /^a\.Any: the verifier does not know unions/,
  ],
  [
    'a struct',
    'table Leaf { point:Point; } struct Point { x:int; } root_type Leaf;',
    /^a\.Point: the verifier does not know structs/,
  ],
  ['a schema without a root', 'table Leaf { }', /root_type/],
]

for (const [what, schema, message] of REFUSED) {
  test(`refuses ${what}`, async (t) => {
    const text = `attribute "segment"; namespace a; ${schema}`
    const identifier = schema.includes('root_type') ? 'file_identifier "TEST";' : ''
    await t.throwsAsync(describe(`${text} ${identifier}`), { message })
  })
}

test('refuses a schema without an identifier', async (t) => {
  const schema = 'table Leaf { } root_type Leaf;'
  await t.throwsAsync(describe(schema), { message: /file_identifier/ })
})

test('a table does not collide with an enum of its name', async (t) => {
  const { tables } = await describe(
    `namespace a; table X { } namespace b; enum X : int { zero }
     namespace c; table Y { x:b.X; } root_type Y; file_identifier "TEST";`,
  )
  t.deepEqual(Object.keys(tables), ['X', 'Y'])
})

/** What flatc does not let into a table today, and types that a later flatc may have. */
const UNKNOWN: [what: string, type: ReflectedType][] = [
  ['an array outside of a struct', { base_type: 'Array', element: 'Int', index: -1 }],
  ['a vector of vectors', { base_type: 'Vector', element: 'Vector', index: -1 }],
  ['a type of a later flatc', { base_type: 77, element: 'None', index: -1 }],
  ['elements of a later flatc', { base_type: 'Vector', element: 77, index: -1 }],
  ['a table that is nowhere', { base_type: 'Obj', element: 'None', index: 9 }],
  ['a union that is an enum', { base_type: 'Union', element: 'None', index: 0 }],
  ['no type', { base_type: 'None', element: 'None', index: -1 }],
  ['a type named like a method', { base_type: 'constructor' as 'Int', element: 'None', index: -1 }],
]

for (const [what, type] of UNKNOWN) {
  test(`refuses a field that is ${what}`, (t) => {
    t.throws(() => describeSchema(reflectionOf(type)), {
      message: /^a\.Leaf\.odd: the verifier does not know the type/,
    })
  })
}

function reflectionOf(type: ReflectedType): Reflection {
  const odd: ReflectedField = {
    name: 'odd',
    type,
    id: 0,
    offset: 4,
    deprecated: false,
    required: false,
    offset64: false,
  }
  return {
    objects: [{ name: 'a.Leaf', fields: [odd], is_struct: false }],
    enums: [{ name: 'a.Enum', values: [{ name: 'one', value: 0 }], is_union: false }],
    file_ident: 'TEST',
    root_table: { name: 'a.Leaf' },
  }
}
