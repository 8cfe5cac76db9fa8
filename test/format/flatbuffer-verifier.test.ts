import assert from 'node:assert/strict'
import test from 'ava'
import * as flatbuffers from 'flatbuffers'
import { Checkpoint } from '../../generated/lightwatch/format/checkpoint.js'
import { Entry } from '../../generated/lightwatch/format/entry.js'
import { State } from '../../generated/lightwatch/format/state.js'
import { Value } from '../../generated/lightwatch/format/value.js'
import { ValueKind } from '../../generated/lightwatch/format/value-kind.js'
import { CheckpointError } from '../../src/errors.js'
import type { Attribute } from '../../src/format/attributes.js'
import { decode } from '../../src/format/decode.js'
import type { FieldDescription } from '../../src/format/description.js'
import { MAX_DEPTH, verifyFlatBuffer } from '../../src/format/flatbuffer-verifier.js'
import { FLATBUFFER_LIMIT } from '../../src/format/layout.js'
import { checkRules } from '../../src/format/rules.js'
import { schema } from '../../src/format/schema.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'
import { anyContent, modelContent, seal } from '../support/format/contents.js'
import {
  everyBuffer,
  everyConstruct,
  everyDescription,
  everyReader,
  everything,
  ROOM,
} from '../support/format/every-construct.js'
import { mutated, randomNumbers } from '../support/format/mutations.js'
import { Patch, type TablePatch } from '../support/format/patch.js'
import { holds } from '../support/format/property.js'
import { ruleNames } from '../support/format/rule-names.js'
import { sampleFile } from '../support/format/sample.js'
import { OutOfRange, watchedBytes } from '../support/format/watched-bytes.js'

const every = await everyBuffer(everything)
const readEvery = await everyReader()

const verifyEvery = (bytes: Uint8Array) => verifyFlatBuffer(bytes, everyDescription)

/** The rule for which a buffer is refused, without its prefix; undefined where it is accepted. */
function verdict(bytes: Uint8Array, description = everyDescription): string | undefined {
  try {
    verifyFlatBuffer(bytes, description)
    return undefined
  } catch (error) {
    assert(error instanceof CheckpointError && error.code === 'CKPT_FLATBUFFER', String(error))
    const { rule = '', offset } = error
    assert(rule.startsWith('flatbuffer.') && offset !== undefined, error.message)
    return rule.slice('flatbuffer.'.length)
  }
}

/** The verdict on the buffer with everything in it, after a change. */
function changed(change: (patch: Patch) => void): string | undefined {
  const patch = new Patch(every, everyDescription)
  change(patch)
  return verdict(patch.bytes)
}

/** Where a test may write what it likes: inside of the root's text, at a multiple of 64. */
const roomOf = (patch: Patch): number => Math.ceil((patch.root.target('text') + 4) / 64) * 64

test('a buffer with every construct in it is accepted, wherever it lies in memory', (t) => {
  t.notThrows(() => verifyEvery(every))
  const memory = new Uint8Array(every.length + 16).fill(0xff)
  for (let start = 0; start < 16; start++) {
    memory.set(every, start)
    t.is(verdict(memory.subarray(start, start + every.length)), undefined)
    memory.fill(0xff)
  }
})

test('fields that are absent are accepted, but for those that are required', async (t) => {
  t.is(verdict(await everyBuffer({})), undefined)
  t.is(verdict(await everyBuffer({ required: everything.required })), undefined)
  const empty = { uint64s: [], strings: [], leaves: [] }
  t.is(verdict(await everyBuffer({ vectors: empty })), undefined)
})

test('fields that a newer schema has appended are not looked at', async (t) => {
  const newer = everyConstruct.replace(
    'table Leaf {\n  name:string (required);',
    'table Leaf {\n  name:string (required); more:Leaf; most:[double];',
  )
  t.not(newer, everyConstruct)
  const leaf = { name: 'a', more: { name: 'b' }, most: [1, 2] }
  t.is(verdict(await everyBuffer({ leaf }, newer)), undefined)
})

test('fields that are deprecated are not looked at', async (t) => {
  const older = everyConstruct.replaceAll('(deprecated)', '')
  const json = { deprecated_fields: { number: 1, text: 'a', leaf: { name: 'a' }, last: 2 } }
  const bytes = await everyBuffer(json, older)
  t.is(verdict(bytes), undefined)
  const { root, view } = new Patch(bytes, everyDescription)
  const table = root.table('deprecated_fields')
  // The text: its slot is the second.
  const text = table.at + view.getUint16(table.vtable + 6, true)
  bytes.fill(0xff, text, text + 4)
  t.is(verdict(bytes), undefined)
})

test('everything that encode makes is accepted', (t) => {
  holds(
    t,
    fc.property(anyContent, (content) => {
      verifyFlatBuffer(seal(content), schema)
    }),
    { numRuns: 200 },
  )
})

// What takes the most bytes of visits for each of its own; the base of the budget counts for nothing.
const dense: readonly (readonly [what: string, item: (i: number) => Attribute])[] = [
  ['null', () => null],
  ['booleans', (i) => i % 2 === 0],
  ['integers', (i) => i],
  ['bigints', (i) => 2n ** 63n + BigInt(i)],
  ['fractions', (i) => i + 0.5],
  ['empty text', () => ''],
  ['empty lists', () => []],
  ['empty maps', () => ({})],
  ['lists of an empty map', () => [{}]],
  ['maps of an empty map', () => ({ '': {} })],
]

for (const [what, item] of dense) {
  test(`a long list of ${what} is accepted: nothing that encode makes runs out of budget`, (t) => {
    const list = Array.from({ length: 50_000 }, (_, i) => item(i))
    t.notThrows(() => verifyFlatBuffer(seal(modelContent([], { list })), schema))
  })
}

test('a great many small states, metrics and tensors are accepted', (t) => {
  const content = modelContent(
    Array.from({ length: 5000 }, (_, i) => ({ name: `${i}`, dtype: 'int8', shape: [0] })),
    Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`k${i}`, {}])),
    { metrics: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`m${i}`, i])) },
  )
  const extras = Array.from({ length: 5000 }, (_, i) => {
    return { name: `${i}`, kind: '', attributes: {}, tensors: [] }
  })
  t.notThrows(() => verifyFlatBuffer(seal({ ...content, extras }), schema))
})

/** Sets one byte. */
const poke = (at: (patch: Patch) => number, value: number) => (patch: Patch) => {
  patch.bytes[at(patch)] = value
}

/** One change a case; the rule is the one for which the buffer is then refused. */
const cases: readonly (readonly [rule: string, what: string, change: (patch: Patch) => void])[] = [
  ...[0, 1, 2, 3].map(
    (i) => ['identifier', `byte ${i} of the identifier`, poke(() => 4 + i, 0x7a)] as const,
  ),

  ['offset', 'a null root offset', (p) => p.view.setUint32(0, 0, true)],
  ['offset', 'a root at the end', (p) => p.view.setUint32(0, p.bytes.length, true)],
  ['offset', 'a root of the other half of the numbers', (p) => p.view.setInt32(0, -4, true)],
  ['alignment', 'a root that is not aligned', (p) => p.view.setUint32(0, p.root.at + 2, true)],

  ['range', 'a vtable behind the end', (p) => p.view.setInt32(p.root.at, -p.bytes.length, true)],
  ['range', 'a vtable before the start', (p) => p.view.setInt32(p.root.at, p.root.at + 2, true)],
  [
    'range',
    'a vtable farther than any buffer',
    (p) => p.view.setInt32(p.root.at, -(2 ** 31), true),
  ],
  [
    'range',
    'a vtable of which two bytes are left',
    (p) => p.view.setInt32(p.root.at, p.root.at - p.bytes.length + 2, true),
  ],
  [
    'alignment',
    'a vtable that is not aligned',
    (p) => p.view.setInt32(p.root.at, p.root.at - p.root.vtable + 1, true),
  ],
  ...[0, 2, 3, 5, 0x8000, 0xfffe, 0xffff].map(
    (length) =>
      [
        'vtable',
        `a vtable with a length of ${length}`,
        (p: Patch) => p.view.setUint16(p.root.vtable, length, true),
      ] as const,
  ),
  [
    'range',
    'a vtable that ends behind the end',
    (p) => p.view.setUint16(p.root.vtable, 0x7ffe, true),
  ],
  ...[0, 3].map(
    (length) =>
      [
        'table',
        `a table with a length of ${length}`,
        (p: Patch) => p.view.setUint16(p.root.vtable + 2, length, true),
      ] as const,
  ),
  [
    'range',
    'a table that ends behind the end',
    (p) => p.view.setUint16(p.root.vtable + 2, p.bytes.length, true),
  ],

  ['bool', 'a bool of 2', (p) => p.root.table('scalars').set('a_bool', 2)],
  ['bool', 'an optional bool of 255', (p) => p.root.table('scalars').set('an_optional_bool', 255)],
  ...[0, 1, 2].map(
    (i) =>
      [
        'bool',
        `a bool of 2 as element ${i} of a vector`,
        poke((p) => p.root.table('vectors').target('bools') + 4 + i, 2),
      ] as const,
  ),

  ['string', 'a string without its end', poke((p) => endOf(p, p.root.target('text')), 1)],
  [
    'string',
    'a string in a vector without its end',
    poke((p) => endOf(p, p.follow(p.root.table('vectors').target('strings') + 8)), 1),
  ],
  [
    // One byte too long, it ends with the buffer.
    'range',
    'a string whose end is behind the end',
    (p) => {
      const at = p.bytes.length - 12
      p.view.setUint32(at, 8, true)
      p.view.setUint32(p.root.position('text'), at - p.root.position('text'), true)
    },
  ],

  ['offset', 'a null offset in a vector of strings', (p) => setItem(p, 'strings', 0)],
  ['offset', 'a null offset in a vector of tables', (p) => setItem(p, 'leaves', 0)],
  ['offset', 'an offset backwards in a vector', (p) => setItem(p, 'leaves', 2 ** 32 - 16)],
  [
    'offset',
    'an offset out of the buffer in a vector',
    (p) => setItem(p, 'leaves', p.bytes.length),
  ],

  ...(['int64s', 'uint64s', 'float64s', 'wides'] as const).map(
    (name) =>
      [
        'alignment',
        `elements of ${name} that are not aligned, under a length that is,`,
        (p: Patch) => pointInto(p, name, roomOf(p)),
      ] as const,
  ),
  [
    'alignment',
    'a vector whose length is not aligned',
    (p) => pointInto(p, 'uint8s', roomOf(p) + 2),
  ],

  [
    'required',
    'a table without a field that is required, in a vector',
    (p) => {
      const vectors = p.root.table('vectors')
      const room = roomOf(p)
      // A table without any field: an offset to a vtable, then the vtable.
      p.view.setInt32(room, -4, true)
      p.view.setUint16(room + 4, 4, true)
      p.view.setUint16(room + 6, 4, true)
      const item = vectors.target('leaves') + 4
      p.view.setUint32(item, room - item, true)
    },
  ],
]

function endOf(patch: Patch, string: number): number {
  return string + 4 + patch.view.getUint32(string, true)
}

function setItem(patch: Patch, vector: string, offset: number): void {
  const first = patch.root.table('vectors').target(vector) + 4
  patch.view.setUint32(first, offset, true)
}

/** Makes a vector one of a single element at `at`. */
function pointInto(patch: Patch, vector: string, at: number): void {
  patch.view.setUint32(at, 1, true)
  const position = patch.root.table('vectors').position(vector)
  patch.view.setUint32(position, at - position, true)
}

for (const [rule, what, change] of cases) {
  test(`${what} is refused as ${rule}`, (t) => {
    t.is(changed(change), rule)
  })
}

test('bytes after the bools of a vector need not be bools', (t) => {
  const behind = (p: Patch) => p.root.table('vectors').target('bools') + 4 + 3
  t.is(changed(poke(behind, 2)), undefined)
})

test('the same vectors are accepted where their elements are aligned', (t) => {
  for (const name of ['int64s', 'uint64s', 'float64s', 'wides']) {
    t.is(
      changed((p) => pointInto(p, name, roomOf(p) + 12)),
      undefined,
      name,
    )
  }
  // There is no element that could be out of place.
  const empty = changed((p) => {
    pointInto(p, 'uint64s', roomOf(p))
    p.view.setUint32(roomOf(p), 0, true)
  })
  t.is(empty, undefined)
  t.true(ROOM >= 64 + 12 + 4 + 8)
})

/** Tables that between them have every kind of field. */
const TABLES = ['scalars', 'vectors', 'required', 'numbered', 'elsewhere'] as const

function everyField(
  see: (name: string, field: FieldDescription, of: (patch: Patch) => TablePatch) => void,
): void {
  const sources = [
    ['Root', (p: Patch) => p.root],
    ...TABLES.map((name) => [tableName(name), (p: Patch) => p.root.table(name)] as const),
  ] as const
  for (const [table, of] of sources) {
    for (const field of everyDescription.tables[table]!) {
      if (field.type.base === 'vector' && field.type.segment) continue
      see(`${table}.${field.name}`, field, of)
    }
  }
}

function tableName(field: (typeof TABLES)[number]): string {
  return field[0]!.toUpperCase() + field.slice(1)
}

const sizeOf = ({ type }: FieldDescription): number => (type.base === 'scalar' ? type.size : 4)

test('every field must lie inside its table', (t) => {
  everyField((name, field, of) => {
    const moveTo = (entry: (tableLength: number) => number) =>
      changed((p) => {
        const table = of(p)
        const length = p.view.getUint16(table.vtable + 2, true)
        p.view.setUint16(table.entry(field.name), entry(length), true)
      })
    const size = sizeOf(field)
    t.is(
      moveTo(() => 3),
      'field',
      name,
    )
    t.is(
      moveTo((length) => length - size + 1),
      'field',
      name,
    )
    t.is(
      moveTo((length) => length),
      'field',
      name,
    )
    t.is(
      moveTo(() => 0x8000),
      'field',
      name,
    )
    t.is(
      moveTo(() => 0xffff),
      'field',
      name,
    )
  })
})

test('every field must be aligned', (t) => {
  let tried = 0
  everyField((name, field, of) => {
    const align = sizeOf(field)
    for (let by = 1; by < align; by *= 2) {
      const patch = new Patch(every, everyDescription)
      const table = of(patch)
      const entry = patch.view.getUint16(table.entry(field.name), true)
      // Towards the middle of the table, so that it stays inside.
      const moved = entry - by >= 4 ? entry - by : entry + by
      patch.view.setUint16(table.entry(field.name), moved, true)
      const inside = moved + sizeOf(field) <= patch.view.getUint16(table.vtable + 2, true)
      t.is(verdict(patch.bytes), inside ? 'alignment' : 'field', `${name} by ${by}`)
      if (inside) tried++
    }
  })
  t.true(tried > 50)
})

test('every offset must lead forward inside the buffer', (t) => {
  let tried = 0
  everyField((name, field, of) => {
    if (field.type.base === 'scalar') return
    const leadBy = (offset: (at: number) => number) =>
      changed((p) => {
        const at = of(p).position(field.name)
        p.view.setUint32(at, offset(at), true)
      })
    for (const offset of [0, 0x7fffffff, 0x80000000, 2 ** 32 - 4]) {
      t.is(
        leadBy(() => offset),
        'offset',
        `${name} by ${offset}`,
      )
    }
    t.is(
      leadBy((at) => every.length - at),
      'offset',
      `${name} to the end`,
    )
    t.is(
      leadBy((at) => every.length - 3 - at),
      'alignment',
      `${name} to the last bytes`,
    )
    tried++
  })
  t.true(tried > 25)
})

test('every vector must end inside the buffer, whatever its length says', (t) => {
  let tried = 0
  everyField((name, field, of) => {
    if (field.type.base !== 'vector' && field.type.base !== 'string') return
    const ofLength = (length: number) =>
      changed((p) => p.view.setUint32(of(p).target(field.name), length, true))
    t.is(ofLength(2 ** 32 - 1), 'length', name)
    t.is(ofLength(2 ** 31), 'length', name)
    t.is(ofLength(2 ** 31 - 1), 'length', name)
    // Counts that are larger than the file.
    t.is(ofLength(every.length), 'range', name)
    t.is(ofLength(20_000_000), 'range', name)
    tried++
  })
  t.true(tried > 15)
})

test('a length whose product with the size of an element wraps around is refused', (t) => {
  for (const [name, size] of [
    ['uint16s', 2],
    ['uint32s', 4],
    ['strings', 4],
    ['uint64s', 8],
  ] as const) {
    for (const product of [2 ** 31, 2 ** 32, 2 ** 33]) {
      const length = Math.ceil(product / size)
      if (length >= 2 ** 32) continue
      const rule = changed((p) => {
        p.view.setUint32(p.root.table('vectors').target(name), length, true)
      })
      t.is(rule, 'length', `${name}[${length}]`)
    }
  }
})

test('every required field must be present, and the message names it', (t) => {
  const required = everyDescription.tables.Required!.filter((field) => field.required)
  t.is(required.length, 4)
  for (const { name } of required) {
    const patch = new Patch(every, everyDescription)
    patch.root.table('required').drop(name)
    const error = t.throws(() => verifyEvery(patch.bytes), { instanceOf: CheckpointError })
    t.is(error.rule, 'flatbuffer.required')
    t.regex(error.message, new RegExp(`Required lacks its required field ${name}\\b`))
  }
})

test('only the offset of a segment is read, and it must lie in its table', async (t) => {
  const bytes = await everyBuffer({ ...everything, data: [1, 2, 3], numbers: [1] })
  for (const name of ['data', 'numbers']) {
    for (const offset of [0, 3, 0x7fffffff, 0x80000000, 0xffffffff]) {
      const patch = new Patch(bytes, everyDescription)
      patch.view.setUint32(patch.root.position(name), offset, true)
      t.is(verdict(patch.bytes), undefined, `${name} at ${offset}`)
    }
    const outside = new Patch(bytes, everyDescription)
    outside.view.setUint16(outside.root.entry(name), 0x7ffc, true)
    t.is(verdict(outside.bytes), 'field')
    const askew = new Patch(bytes, everyDescription)
    const entry = askew.root.entry(name)
    askew.view.setUint16(entry, askew.view.getUint16(entry, true) - 2, true)
    t.is(verdict(askew.bytes), 'alignment')
  }
})

test('a buffer shorter than any can be is refused as length', (t) => {
  for (let length = 0; length < 12; length++) t.is(verdict(every.subarray(0, length)), 'length')
  t.not(verdict(every.subarray(0, 12)), 'length')
})

test('a buffer longer than offsets reach is refused as length', (t) => {
  t.is(FLATBUFFER_LIMIT, 2_147_483_647)
  // Memory that is never touched, and so never there.
  const long = new Uint8Array(FLATBUFFER_LIMIT)
  long.set(every)
  t.is(verdict(long), 'length')
  t.is(verdict(long.subarray(0, FLATBUFFER_LIMIT - 1)), undefined)
})

test('every truncation is refused', (t) => {
  // The last bytes are padding, and the padding is not looked at: up to there.
  const needed = (() => {
    let length = every.length
    while (verdict(every.subarray(0, length - 1)) === undefined) length--
    return length
  })()
  t.true(every.length - needed < 8)
  for (let length = 0; length < needed; length++) {
    t.not(verdict(every.subarray(0, length)), undefined, `${length} bytes`)
  }
})

// Entries beyond 32,767 are offsets that the runtime takes for negative: it would look before the
// table, where nothing has been verified.
test('a table so long that the runtime reads its entries as negative is refused', (t) => {
  const text = 'x'.repeat(200_000)
  const patch = new Patch(seal(modelContent([], {}, { config: JSON.stringify(text) })))
  const { view, root } = patch
  const table = Math.ceil((root.target('config') + 100_000) / 8) * 8
  const vtable = table - 16
  const entries = [12, 65_000, 40_000, 0, 0, 40_004] // name, kind, attributes, tensors
  for (const [i, number] of entries.entries()) view.setUint16(vtable + 2 * i, number, true)
  view.setInt32(table, table - vtable, true)
  // A name, "model", and an empty vector of tensors, as sound as any.
  view.setUint32(table + 40_000, 16, true)
  view.setUint32(table + 40_016, 5, true)
  patch.bytes.set(new TextEncoder().encode('model\0'), table + 40_020)
  view.setUint32(table + 40_004, 40, true)
  view.setUint32(table + 40_044, 0, true)
  view.setUint32(root.position('model'), table - root.position('model'), true)
  t.is(verdict(patch.bytes, schema), 'field')
  // The same table, with its fields in reach.
  for (const entry of [vtable + 4, vtable + 10]) {
    const at = view.getUint16(entry, true)
    patch.bytes.copyWithin(table + at - 20_000, table + at, table + at + 100)
    view.setUint16(entry, at - 20_000, true)
  }
  t.is(verdict(patch.bytes, schema), undefined)
})

/** A root with one child in the other, `depth` tables in all. */
function chain(depth: number): Uint8Array {
  const builder = new flatbuffers.Builder(16 * depth)
  let inner = 0
  for (let i = 0; i < depth; i++) inner = rootOf(builder, 'child', inner)
  builder.finish(inner, everyDescription.identifier)
  return builder.asUint8Array()
}

/** A table with one field, where that is not null. */
function tableOf(
  builder: flatbuffers.Builder,
  name: string,
  field: string,
  offset: number,
): number {
  const { slot } = everyDescription.tables[name]!.find((f) => f.name === field)!
  const index = (slot - 4) / 2
  builder.startObject(index + 1)
  builder.addFieldOffset(index, offset, 0)
  return builder.endObject()
}

const rootOf = (builder: flatbuffers.Builder, field: string, offset: number) =>
  tableOf(builder, 'Root', field, offset)

/** A vector with `count` offsets to the same thing. */
function aliases(builder: flatbuffers.Builder, count: number, offset: number): number {
  builder.startVector(4, count, 4)
  for (let i = 0; i < count; i++) builder.addOffset(offset)
  return builder.endVector()
}

test('tables may be nested 64 deep, and no deeper', (t) => {
  t.is(MAX_DEPTH, 64)
  t.is(verdict(chain(1)), undefined)
  t.is(verdict(chain(64)), undefined)
  t.is(verdict(chain(65)), 'depth')
})

test('a hundred thousand tables in each other are refused, and do not exhaust the stack', (t) => {
  t.is(verdict(chain(100_000)), 'depth')
})

test('tables side by side do not count as nested', (t) => {
  const builder = new flatbuffers.Builder()
  const children = Array.from({ length: 1000 }, () => rootOf(builder, 'child', 0))
  builder.startVector(4, children.length, 4)
  for (const child of children) builder.addOffset(child)
  builder.finish(rootOf(builder, 'children', builder.endVector()), everyDescription.identifier)
  t.is(verdict(builder.asUint8Array()), undefined)
})

test('what is shared a little is accepted', (t) => {
  const builder = new flatbuffers.Builder()
  const child = rootOf(builder, 'child', 0)
  const children = aliases(builder, 100, child)
  builder.finish(rootOf(builder, 'children', children), everyDescription.identifier)
  t.is(verdict(builder.asUint8Array()), undefined)
})

test('a tree that doubles at every level, 2^60 tables in a few hundred bytes, is refused', (t) => {
  const builder = new flatbuffers.Builder()
  let root = rootOf(builder, 'child', 0)
  for (let i = 0; i < 60; i++) root = rootOf(builder, 'children', aliases(builder, 2, root))
  builder.finish(root, everyDescription.identifier)
  const bytes = builder.asUint8Array()
  t.true(bytes.length < 2000)
  t.is(verdict(bytes), 'budget')
})

test('nine hundred thousand aliases of one table are refused', (t) => {
  const builder = new flatbuffers.Builder(4_000_000)
  const children = aliases(builder, 900_000, rootOf(builder, 'child', 0))
  builder.finish(rootOf(builder, 'children', children), everyDescription.identifier)
  t.is(verdict(builder.asUint8Array()), 'budget')
})

/** A buffer with a string of `length` bytes that stands `count` times in a vector. */
function sharedString(length: number, count: number): Uint8Array {
  const builder = new flatbuffers.Builder(2 * length)
  const strings = aliases(builder, count, builder.createString('x'.repeat(length)))
  const vectors = tableOf(builder, 'Vectors', 'strings', strings)
  builder.finish(rootOf(builder, 'vectors', vectors), everyDescription.identifier)
  return builder.asUint8Array()
}

test('a buffer may stand for four times its own length and 64 KiB, and no more', (t) => {
  // Of a long one the 64 KiB do not make five, and of a short one they make as much again.
  t.is(verdict(sharedString(2 ** 20, 4)), undefined)
  t.is(verdict(sharedString(2 ** 20, 5)), 'budget')
  t.is(verdict(sharedString(2 ** 14, 8)), undefined)
  t.is(verdict(sharedString(2 ** 14, 9)), 'budget')
})

test('two hundred thousand aliases of a string of 1 MiB are refused', (t) => {
  t.is(verdict(sharedString(2 ** 20, 200_000)), 'budget')
})

/** A checkpoint whose model has one attribute, made by `build`. */
function hostile(build: (builder: flatbuffers.Builder) => number): Uint8Array {
  const builder = new flatbuffers.Builder(4_000_000)
  const value = build(builder)
  const key = builder.createString('a')
  Entry.startEntry(builder)
  Entry.addKey(builder, key)
  Entry.addValue(builder, value)
  const entry = Entry.endEntry(builder)
  const attributes = State.createAttributesVector(builder, [entry])
  const tensors = State.createTensorsVector(builder, [])
  const name = builder.createString('model')
  State.startState(builder)
  State.addName(builder, name)
  State.addAttributes(builder, attributes)
  State.addTensors(builder, tensors)
  const model = State.endState(builder)
  Checkpoint.startCheckpoint(builder)
  Checkpoint.addVersion(builder, 1)
  Checkpoint.addModel(builder, model)
  Checkpoint.finishCheckpointBuffer(builder, Checkpoint.endCheckpoint(builder))
  return builder.asUint8Array()
}

function listOf(builder: flatbuffers.Builder, items: number): number {
  Value.startValue(builder)
  Value.addKind(builder, ValueKind.List)
  Value.addList(builder, items)
  return Value.endValue(builder)
}

function nothing(builder: flatbuffers.Builder): number {
  Value.startValue(builder)
  Value.addKind(builder, ValueKind.Null)
  return Value.endValue(builder)
}

test('the attributes of a checkpoint cannot be such a bomb', (t) => {
  const doubling = hostile((builder) => {
    let value = nothing(builder)
    for (let i = 0; i < 58; i++) value = listOf(builder, aliases(builder, 2, value))
    return value
  })
  t.is(verdict(doubling, schema), 'budget')
  const flat = hostile((builder) => listOf(builder, aliases(builder, 900_000, nothing(builder))))
  t.is(verdict(flat, schema), 'budget')
  const deep = hostile((builder) => {
    let value = nothing(builder)
    for (let i = 0; i < 1000; i++) value = listOf(builder, aliases(builder, 1, value))
    return value
  })
  t.is(verdict(deep, schema), 'depth')
  const harmless = hostile((builder) => listOf(builder, aliases(builder, 10, nothing(builder))))
  t.is(verdict(harmless, schema), undefined)
  t.deepEqual(decode(harmless).model.attributes, { a: new Array(10).fill(null) })
})

test('an error has the number that is at fault', (t) => {
  const numbers: [rule: string, actual: unknown, change: (patch: Patch) => void][] = [
    ['offset', 2 ** 32 - 4, (p) => p.view.setInt32(0, -4, true)],
    ['range', 0x7ffe, (p) => p.view.setUint16(p.root.vtable, 0x7ffe, true)],
    ['field', 1, (p) => p.view.setUint16(p.root.entry('text'), 1, true)],
    ['length', 2 ** 31, (p) => p.view.setUint32(p.root.target('text'), 2 ** 31, true)],
  ]
  for (const [rule, actual, change] of numbers) {
    const patch = new Patch(every, everyDescription)
    change(patch)
    const error = t.throws(() => verifyEvery(patch.bytes), { instanceOf: CheckpointError })
    t.like(error, { rule: `flatbuffer.${rule}`, actual })
  }
  const error = t.throws(() => verifyEvery(every.subarray(0, 11)), { instanceOf: CheckpointError })
  t.like(error, { expected: '12 to 2147483646 bytes', actual: 11 })
})

test('an error says where in the buffer the fault is', (t) => {
  const faults: [where: (patch: Patch) => number, change: (patch: Patch) => void][] = [
    [() => 0, (p) => p.view.setUint32(0, 0, true)],
    [() => 4, poke(() => 4, 0)],
    [(p) => p.root.vtable, (p) => p.view.setUint16(p.root.vtable, 2, true)],
    [(p) => p.root.vtable + 2, (p) => p.view.setUint16(p.root.vtable + 2, 3, true)],
    [(p) => p.root.at, (p) => p.view.setUint16(p.root.entry('text'), 1, true)],
    [(p) => p.root.position('text'), (p) => p.view.setUint32(p.root.position('text'), 0, true)],
    [(p) => p.root.target('text'), (p) => p.view.setUint32(p.root.target('text'), 2 ** 31, true)],
    [(p) => endOf(p, p.root.target('text')), poke((p) => endOf(p, p.root.target('text')), 1)],
    [
      (p) => p.root.table('vectors').target('bools') + 5,
      poke((p) => p.root.table('vectors').target('bools') + 5, 2),
    ],
    [
      (p) => p.root.table('scalars').position('a_bool'),
      (p) => p.root.table('scalars').set('a_bool', 2),
    ],
  ]
  for (const [where, change] of faults) {
    const patch = new Patch(every, everyDescription)
    const offset = where(patch)
    change(patch)
    const error = t.throws(() => verifyEvery(patch.bytes), { instanceOf: CheckpointError })
    t.is(error.offset, offset, error.message)
    t.true(error.message.endsWith(`(at byte ${offset})`))
  }
})

test('every rule of the verifier has been met above', async (t) => {
  const tested = new Set([...cases.map(([rule]) => rule), 'length', 'field', 'depth', 'budget'])
  t.deepEqual([...tested].sort(), await ruleNames('flatbuffer-verifier.ts'))
  t.is(tested.size, 13)
})

test('any mutated buffer that is accepted can be read to its end without leaving it', async (t) => {
  const sources = [every]
  const seed = 20_251
  const random = randomNumbers(seed)
  const runs = times(1_000)
  let accepted = 0
  for (let i = 0; i < runs; i++) {
    const bytes = mutated(sources, random)
    try {
      if (verdict(bytes) !== undefined) continue
      accepted++
      readEvery(watchedBytes(bytes))
    } catch (error) {
      t.fail(`mutation ${i} of seed ${seed}: ${error}`)
    }
  }
  t.true(accepted > runs / 100, `${accepted} of ${runs} were accepted`)
  t.log(`${accepted} of ${runs} were accepted`)
})

test('any mutated metadata is refused, or decoded to its end without leaving it', async (t) => {
  const file = await sampleFile()
  const { root, view } = new Patch(file)
  const sources = [
    file.slice(0, view.getUint32(root.position('metadata_length'), true)),
    seal(modelContent([{ name: 'a', dtype: 'int8', shape: [1] }], { a: { b: [{ c: [] }] } })),
  ]
  const seed = 7_919
  const random = randomNumbers(seed)
  const runs = times(2_000)
  let decoded = 0
  for (let i = 0; i < runs; i++) {
    const bytes = mutated(sources, random)
    try {
      if (verdict(bytes, schema) !== undefined) continue
      checkRules(decode(watchedBytes(bytes)))
      decoded++
    } catch (error) {
      if (error instanceof CheckpointError && error.code === 'CKPT_FORMAT') continue
      t.fail(`mutation ${i} of seed ${seed}: ${error}`)
    }
  }
  t.true(decoded > runs / 100, `${decoded} of ${runs} were decoded`)
  t.log(`${decoded} of ${runs} were decoded`)
})

test('a reader that leaves its bytes is noticed by these tests', (t) => {
  // Without the verifier, an offset out of the buffer is followed in silence.
  const patch = new Patch(every, everyDescription)
  patch.view.setUint32(patch.root.position('text'), 0x7fffff00, true)
  t.notThrows(() => readEvery(patch.bytes))
  t.throws(() => readEvery(watchedBytes(patch.bytes)), { instanceOf: OutOfRange })
})
