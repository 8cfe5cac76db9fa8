import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { decode, decodeProgress } from '../../src/format/decode.js'
import { verifyFlatBuffer } from '../../src/format/flatbuffer-verifier.js'
import { schema } from '../../src/format/schema.js'
import { MAX_RANK } from '../../src/format/tensor-table.js'
import { modelContent, seal } from '../support/format/contents.js'
import { Patch, type TablePatch } from '../support/format/patch.js'
import { ruleNames } from '../support/format/rule-names.js'
import {
  attributeOf,
  type BrokenRule,
  refuses,
  sampleFile,
  stateOf,
  tensorOf,
} from '../support/format/sample.js'
import { watchedBytes } from '../support/format/watched-bytes.js'

const INVALID_UTF8 = [0xff]

/** What an attribute of the optimizer holds. */
const heldBy = (patch: Patch, key: Parameters<typeof attributeOf>[1]) =>
  attributeOf(patch, key).table('value')

/** Makes an offset lead to another table. */
function redirect(patch: Patch, at: number, target: TablePatch): void {
  patch.view.setUint32(at, target.at - at, true)
}

const cases: readonly BrokenRule[] = [
  ...(
    [
      ['the name of a tensor', (p) => tensorOf(p, 'weight').setText('name', INVALID_UTF8)],
      ['the name of a state', (p) => stateOf(p, 'other').setText('name', INVALID_UTF8)],
      ['the kind of a state', (p) => stateOf(p, 'model').setText('kind', INVALID_UTF8)],
      ['a key', (p) => attributeOf(p, 'flag').setText('key', INVALID_UTF8)],
      ['a text among the attributes', (p) => heldBy(p, 'mode').setText('text', INVALID_UTF8)],
      ['the name of a metric', (p) => p.root.tables('metrics')[0]!.setText('name', INVALID_UTF8)],
      ['the config', (p) => p.root.setText('config', INVALID_UTF8)],
    ] as const satisfies readonly (readonly [string, (patch: Patch) => void])[]
  ).map(
    ([what, change]): BrokenRule => ({
      rule: 'text.utf8',
      what: `${what} that is not UTF-8`,
      change,
      message: new RegExp(`^${what} is not valid UTF-8`),
    }),
  ),

  {
    rule: 'state.name',
    what: 'an extra that is called like another one',
    change: (p) => stateOf(p, 'extra').setText('name', 'other'),
    fields: { actual: 'other' },
    message: /"other", is taken/,
  },
  {
    rule: 'state.name',
    what: 'an extra that is called like another one, before what else it holds is decoded,',
    change: (p) => {
      stateOf(p, 'extra').setText('name', 'other')
      stateOf(p, 'extra').tables('attributes')[0]!.setText('key', INVALID_UTF8)
    },
    fields: { actual: 'other' },
  },
  {
    rule: 'metric.value',
    what: 'a metric without a value',
    change: (p) => p.root.tables('metrics')[1]!.drop('value'),
    message: /the metric "acc_a" has no value/,
  },
  {
    rule: 'metric.unique',
    what: 'a metric that is there twice',
    change: (p) => p.root.tables('metrics')[1]!.setText('name', 'acc_a'),
    fields: { actual: 'acc_a' },
  },

  {
    rule: 'tensor.dtype',
    what: 'a tensor of the dtype 0',
    change: (p) => tensorOf(p, 'scale').set('dtype', 0),
    fields: { state: 'model', tensor: 'scale', actual: 0 },
  },
  {
    rule: 'tensor.dtype',
    what: 'a tensor of a dtype between two that are known',
    change: (p) => tensorOf(p, 'codes').set('dtype', 13),
    fields: { state: 'other', tensor: 'codes', actual: 13 },
  },
  {
    rule: 'tensor.dtype',
    what: 'a tensor of a dtype beyond all that are known',
    change: (p) => tensorOf(p, 'exp_avg/weight').set('dtype', 255),
    fields: { state: 'optimizer', tensor: 'exp_avg/weight', actual: 255 },
  },
  {
    rule: 'tensor.rank',
    what: 'a tensor of 65 dimensions',
    change: (p) => p.view.setUint32(tensorOf(p, 'codes').target('shape'), 65, true),
    fields: { state: 'other', tensor: 'codes', expected: 64, actual: 65 },
  },

  ...(
    [
      ['an epoch of 2^53', (p) => p.root.set('epoch', 2 ** 53), 2n ** 53n],
      ['a step of -2^53', (p) => p.root.set('step', -(2 ** 53)), -(2n ** 53n)],
      ['the least step', (p) => p.root.set('step', -(2n ** 63n)), -(2n ** 63n)],
    ] as const satisfies readonly (readonly [string, (patch: Patch) => void, bigint])[]
  ).map(([what, change, actual]): BrokenRule => {
    return { rule: 'integer.safe', what, change, fields: { actual } }
  }),
  ...(
    [
      ['a dimension', (p) => tensorOf(p, 'weight').setElement('shape', 1, 2n ** 64n - 1n)],
      ['an offset', (p) => tensorOf(p, 'weight').set('offset', 2n ** 64n - 1n)],
      ['a length', (p) => tensorOf(p, 'weight').set('byte_length', 2n ** 64n - 1n)],
    ] as const satisfies readonly (readonly [string, (patch: Patch) => void])[]
  ).map(
    ([what, change]): BrokenRule => ({
      rule: 'integer.safe',
      what: `${what} of 2^64 - 1`,
      change,
      fields: { tensor: 'weight', actual: 2n ** 64n - 1n },
      message: new RegExp(`^${what} of the tensor "weight"`),
    }),
  ),
  {
    rule: 'integer.safe',
    what: 'an offset of 2^53',
    change: (p) => tensorOf(p, 'weight').set('offset', 2n ** 53n),
    fields: { tensor: 'weight', actual: 2n ** 53n },
  },
  {
    rule: 'integer.safe',
    what: 'an attribute of 2^53 that is said to fit a double',
    change: (p) => heldBy(p, 'step').set('integer', 2 ** 53),
    fields: { actual: 2n ** 53n },
  },

  {
    rule: 'attribute.unique',
    what: 'a key that is there twice among the attributes',
    change: (p) => attributeOf(p, 'none').setText('key', 'flag'),
    fields: { actual: 'flag' },
  },
  {
    rule: 'attribute.unique',
    what: 'a key that is there twice in a map',
    change: (p) => heldBy(p, 'group').tables('map')[1]!.setText('key', 'lr_a'),
    fields: { actual: 'lr_a' },
  },

  ...[0, 10, 255].map(
    (kind): BrokenRule => ({
      rule: 'value.kind',
      what: `an attribute of the kind ${kind}`,
      change: (p) => heldBy(p, 'flag').set('kind', kind),
      fields: { actual: kind },
    }),
  ),
  {
    rule: 'value.kind',
    what: 'a null that holds something',
    change: (p) => heldBy(p, 'flag').set('kind', 1),
    fields: { actual: 1 },
  },
  ...(
    [
      ['none', 2],
      ['none', 7],
      ['flag', 3],
      ['step', 2],
      ['step', 5],
      ['step', 6],
      ['mask', 3],
      ['mask', 4],
      ['lr_a', 3],
      ['lr_a', 7],
      ['mode', 8],
      ['mode', 6],
      ['betas', 9],
      ['betas', 7],
      ['group', 8],
      ['group', 2],
    ] as const
  ).map(
    ([key, kind]): BrokenRule => ({
      rule: 'value.kind',
      what: `the attribute ${key} with the kind ${kind}, which it is not,`,
      change: (p) => heldBy(p, key).set('kind', kind),
      fields: { actual: kind },
    }),
  ),
  {
    rule: 'value.kind',
    what: 'a uint64 that an int64 could hold',
    change: (p) => heldBy(p, 'mask').set('uinteger', 2n ** 63n - 1n),
    fields: { actual: 5 },
  },
  {
    rule: 'value.kind',
    what: 'an attribute that lacks what its kind says',
    change: (p) => heldBy(p, 'lr_a').drop('number'),
    fields: { actual: 6 },
  },
  {
    rule: 'value.kind',
    what: 'an attribute that holds two values',
    // Both entries lead to the same bytes.
    change: (p) => {
      const value = heldBy(p, 'mask')
      const uinteger = p.view.getUint16(value.entry('uinteger'), true)
      p.view.setUint16(value.entry('integer'), uinteger, true)
    },
    fields: { actual: 5 },
  },
  {
    rule: 'value.kind',
    what: 'a wrong kind deep in a list',
    change: (p) => {
      const list = heldBy(p, 'betas').target('list')
      redirect(p, list + 4, heldBy(p, 'none'))
      heldBy(p, 'none').set('kind', 2)
    },
    fields: { actual: 2 },
  },
]

for (const broken of cases) {
  test(`${broken.what} is refused as ${broken.rule}`, async (t) => refuses(t, broken))
}

test('decoding alone refuses each of these, before what values mean for each other', async (t) => {
  const file = await sampleFile()
  for (const { what, rule, fields, change } of cases) {
    const patch = new Patch(file)
    change(patch)
    const error = t.throws(() => decode(patch.bytes), { instanceOf: CheckpointError }, what)
    t.is(error.rule, rule, what)
    t.deepEqual(error.actual, fields?.actual, what)
  }
})

test('every rule that decoding knows is among these', async (t) => {
  const files = ['decode.ts', 'tensor-table.ts', 'text.ts']
  const named = [...new Set((await Promise.all(files.map(ruleNames))).flat())].sort()
  t.deepEqual([...new Set(cases.map(({ rule }) => rule))].sort(), named)
  t.is(named.length, 9)
})

test('the sample is valid before it is changed', async (t) => {
  const patch = new Patch(await sampleFile())
  t.deepEqual(patch.seal(), await sampleFile())
  // Written over itself.
  attributeOf(patch, 'none').setText('key', 'none')
  t.deepEqual(patch.seal(), await sampleFile())
})

test('no byte outside the metadata is read', async (t) => {
  const file = await sampleFile()
  const length = new DataView(file.buffer).getUint32(
    new Patch(file).root.position('metadata_length'),
    true,
  )
  const metadata = file.subarray(0, length)
  t.deepEqual(decode(watchedBytes(metadata)), decode(metadata))
})

test('lists and maps come back with what they hold, in its order', (t) => {
  const attributes = {
    empty: [],
    betas: [0.9, 0.999],
    groups: [{ z: 1, a: [null, true, 'text', -1] }, {}, [[], [2n ** 64n - 1n]]],
  }
  const { model } = decode(seal(modelContent([], attributes)))
  t.deepEqual(model.attributes, attributes)
  const [first] = model.attributes.groups as { [key: string]: unknown }[]
  t.deepEqual(Object.keys(first!), ['z', 'a'])
})

test('the progress alone is the same as with all the rest, and as strict', async (t) => {
  const file = await sampleFile()
  t.deepEqual(decodeProgress(file), decode(file).progress)
  const faults: [string, (patch: Patch) => void][] = [
    ['metric.value', (p) => p.root.tables('metrics')[0]!.drop('value')],
    ['metric.unique', (p) => p.root.tables('metrics')[1]!.setText('name', 'acc_a')],
    ['integer.safe', (p) => p.root.set('step', 2 ** 53)],
    ['text.utf8', (p) => p.root.setText('config', INVALID_UTF8)],
  ]
  for (const [rule, change] of faults) {
    const patch = new Patch(file)
    change(patch)
    t.is(t.throws(() => decodeProgress(patch.bytes), { instanceOf: CheckpointError }).rule, rule)
  }
})

test('what a save was given, or was not, comes back: order, time, states, integers of 64 bits', (t) => {
  for (const [sequence, savedAt] of [
    [null, null],
    [0, 0],
    [2 ** 53 - 1, 1],
    [1, null],
  ] as const) {
    t.like(decodeProgress(seal(modelContent([], {}, { sequence, savedAt }))), { sequence, savedAt })
  }
  const attributes = { most: 2n ** 64n - 1n, more: 2n ** 63n, least: -(2n ** 63n) }
  const content = modelContent([], attributes)
  const extras = ['ema', 'a'].map((name) => ({ ...content.model, name }))
  const { model, extras: decoded } = decode(seal({ ...content, extras }))
  t.deepEqual(model.attributes, attributes)
  t.deepEqual(
    decoded.map(({ name }) => name),
    ['ema', 'a'],
  )
})

test('an integer that a Uint64 is not needed for is refused as one', (t) => {
  const patch = new Patch(seal(modelContent([], { n: 2n ** 63n })))
  patch.root
    .table('model')
    .tables('attributes')[0]!
    .table('value')
    .set('uinteger', 2n ** 63n - 1n)
  const error = t.throws(() => decode(patch.seal()), { instanceOf: CheckpointError })
  t.is(error.rule, 'value.kind')
})

test('decoding the progress alone reads nothing about tensors', async (t) => {
  const file = await sampleFile()
  const patch = new Patch(file)
  tensorOf(patch, 'weight').set('dtype', 0)
  t.deepEqual(decodeProgress(patch.bytes), decodeProgress(file))
})

test('text whose name is in the message cannot steer a terminal', (t) => {
  const patch = new Patch(
    seal(modelContent([{ name: '\u001b[2J\u202e', dtype: 'int8', shape: [] }])),
  )
  patch.root.table('model').tables('tensors')[0]!.set('dtype', 200)
  const error = t.throws(() => decode(patch.seal()), {
    instanceOf: CheckpointError,
    code: 'CKPT_FORMAT',
  })
  t.is(error.message, 'the tensor "\\u{1b}[2J\\u{202e}" has the unknown dtype 200')
  t.is(error.tensor, '\u001b[2J\u202e')
})

test('keys that objects inherit are keys like any other', (t) => {
  // Each is written over a harmless one of the same length, as another writer could have put it.
  for (const key of ['__proto__', 'constructor', 'toString']) {
    const harmless = 'x'.repeat(key.length)
    const content = modelContent(
      [],
      { [harmless]: { polluted: true } },
      { metrics: { [harmless]: 1 } },
    )
    const patch = new Patch(seal(content))
    patch.root.table('model').tables('attributes')[0]!.setText('key', key)
    patch.root.tables('metrics')[0]!.setText('name', key)
    const bytes = patch.seal()
    verifyFlatBuffer(bytes, schema)
    const { model, progress } = decode(bytes)
    t.deepEqual(Object.keys(model.attributes), [key])
    t.deepEqual(Object.getOwnPropertyDescriptor(model.attributes, key)?.value, { polluted: true })
    t.is(Object.getPrototypeOf(model.attributes), Object.prototype)
    t.deepEqual(Object.entries(progress.metrics), [[key, 1]])
    t.false('polluted' in {})
  }
})

test('the most dimensions are those of NumPy and PyTorch', (t) => {
  t.is(MAX_RANK, 64)
  const shape = new Array<number>(64).fill(1)
  const { tensors } = decode(seal(modelContent([{ name: 'a', dtype: 'int8', shape }]))).model
  t.deepEqual(tensors.at(0).shape, shape)
})
