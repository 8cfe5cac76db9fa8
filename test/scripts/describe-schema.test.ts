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
    case 'struct':
      return `struct/${type.size}/${type.align}`
    case 'string':
      return 'string'
    case 'table':
      return `table ${type.table}`
    case 'union':
      return `union ${type.union}`
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

test('vectors are described by their elements, and a vector of unions by its types as well', (t) => {
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
    points: '30 [struct/16/8]',
    segments: '32 [struct/72/8]',
    wider: '34 [struct/16/16]',
    tinies: '36 [struct/1/1]',
    strings: '38 [string]',
    leaves: '40 [table Leaf]',
    anys_type: '42 [uint8/1]',
    anys: '44 [union Any]',
    singles_type: '46 [uint8/1]',
    singles: '48 [union Single]',
    aligned: '50 [uint8/1]',
  })
})

test('tables, structs (nested, with arrays, aligned by force), strings, unions and segments', (t) => {
  t.deepEqual(fieldsOf('Root'), {
    scalars: '4 table Scalars',
    vectors: '6 table Vectors',
    required: '8 table Required',
    deprecated_fields: '10 table Deprecated',
    numbered: '12 table Numbered',
    elsewhere: '14 table Elsewhere',
    point: '16 struct/16/8',
    segment_struct: '18 struct/72/8',
    wider: '20 struct/16/16',
    tiny: '22 struct/1/1',
    text: '24 string',
    any_type: '26 uint8/1',
    any: '28 union Any',
    single_type: '30 uint8/1',
    single: '32 union Single',
    child: '34 table Root',
    children: '36 [table Root]',
    data: '38 [uint8/1] segment',
    numbers: '40 [float64/8] segment',
  })
})

test('what is required is said to be; the type of a required union goes with its value', (t) => {
  t.deepEqual(fieldsOf('Required'), {
    text: '4 string required',
    point: '6 struct/16/8 required',
    leaf: '8 table Leaf required',
    bytes: '10 [uint8/1] required',
    texts: '12 [string] required',
    any_type: '14 uint8/1',
    any: '16 union Any required',
    anys_type: '18 [uint8/1] required',
    anys: '20 [union Any] required',
  })
})

test('deprecated fields are left out, and the slots after them stay', (t) => {
  t.deepEqual(fieldsOf('Deprecated'), { last: '18 int32/4' })
})

test('fields are in the order of their slots, in whatever order they are declared', (t) => {
  t.deepEqual(Object.keys(fieldsOf('Numbered')), [
    'first',
    'second',
    'third',
    'fourth',
    'fifth_type',
    'fifth',
  ])
  for (const fields of Object.values(description.tables)) {
    const slots = fields.map((field) => field.slot)
    t.deepEqual(
      slots,
      slots.toSorted((a, b) => a - b),
    )
  }
})

test('members of a union are tables, structs and strings, by their numbers, without NONE', (t) => {
  t.deepEqual(description.unions, {
    Any: [
      { type: 1, value: { base: 'table', table: 'Leaf' } },
      { type: 3, value: { base: 'table', table: 'Leaf' } },
      { type: 4, value: { base: 'struct', size: 16, align: 8 } },
      { type: 5, value: { base: 'string' } },
      { type: 6, value: { base: 'table', table: 'Root' } },
      { type: 7, value: { base: 'table', table: 'Empty' } },
    ],
    Single: [{ type: 1, value: { base: 'table', table: 'Leaf' } }],
  })
})

test('every table and union that is referred to is described', (t) => {
  const { tables, unions } = description
  const types = Object.values(tables).flatMap((fields) =>
    fields.map(({ type }) => (type.base === 'vector' ? type.element : type)),
  )
  const members = Object.values(unions).flatMap((list) => list.map((member) => member.value))
  t.true(types.length > 0 && members.length > 0)
  for (const type of [...types, ...members]) {
    if (type.base === 'table') t.true(Object.hasOwn(tables, type.table), type.table)
    if (type.base === 'union') t.true(Object.hasOwn(unions, type.union), type.union)
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
    'two unions of one name',
    'table T { } union U { T } namespace b; union U { a.T } root_type a.T;',
    /^b\.U: another namespace has a U too/,
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

test('tables of one name do not collide with unions, structs and enums of it', async (t) => {
  const { tables, unions } = await describe(
    `namespace a; table X { } namespace b; enum X : int { zero }
     namespace c; union X { a.X } namespace d; struct X { x:int; }
     namespace e; table Y { x:b.X; u:c.X; s:d.X; } root_type Y; file_identifier "TEST";`,
  )
  t.deepEqual(Object.keys(tables), ['X', 'Y'])
  t.deepEqual(Object.keys(unions), ['X'])
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
    objects: [{ name: 'a.Leaf', fields: [odd], is_struct: false, minalign: 1, bytesize: 0 }],
    enums: [{ name: 'a.Enum', values: [{ name: 'one', value: 0 }], is_union: false }],
    file_ident: 'TEST',
    root_table: { name: 'a.Leaf' },
  }
}
