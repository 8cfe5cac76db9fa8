import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { decode } from '../../src/format/decode.js'
import { encode } from '../../src/format/encode.js'
import { FLATBUFFER_LIMIT } from '../../src/format/layout.js'
import { checkRules } from '../../src/format/rules.js'
import { loadCheckpoint } from '../../src/index.js'
import { modelContent, seal, type TensorSpec } from '../support/format/contents.js'
import { Patch } from '../support/format/patch.js'
import { ruleNames } from '../support/format/rule-names.js'
import {
  type BrokenRule,
  refuses,
  sampleFile,
  stateOf,
  tensorOf,
} from '../support/format/sample.js'

const lastLength = 5
const at = (state: string, tensor: string) => ({ state, tensor })

/** Where the sample's segments are. */
const offsets = await (async () => {
  const checkpoint = new Patch(await sampleFile())
  const offset = (name: Parameters<typeof tensorOf>[1]) =>
    Number(checkpoint.view.getBigUint64(tensorOf(checkpoint, name).position('offset'), true))
  return {
    weight: offset('weight'),
    nothing: offset('nothing'),
    scale: offset('scale'),
    expAvg: offset('exp_avg/weight'),
    codes: offset('codes'),
    end: offset('codes') + lastLength,
  }
})()

/** Moves a tensor, with its vector, so that offset and data still agree. */
function move(patch: Patch, name: Parameters<typeof tensorOf>[1], offset: number): void {
  const tensor = tensorOf(patch, name)
  tensor.set('offset', offset)
  const data = tensor.position('data')
  patch.view.setUint32(data, offset - 4 - data, true)
}

const cases: readonly BrokenRule[] = [
  {
    rule: 'state.name',
    what: 'a model with another name',
    change: (p) => stateOf(p, 'model').setText('name', 'moddl'),
    fields: { expected: 'model', actual: 'moddl' },
  },
  {
    rule: 'state.name',
    what: 'an optimizer with another name',
    change: (p) => stateOf(p, 'optimizer').setText('name', 'Optimizer'),
    fields: { expected: 'optimizer', actual: 'Optimizer' },
  },
  {
    rule: 'state.name',
    what: 'an extra that is called like the model',
    change: (p) => stateOf(p, 'other').setText('name', 'model'),
    fields: { actual: 'model' },
    message: /"model", is taken/,
  },
  {
    rule: 'state.name',
    what: 'an extra without a name',
    change: (p) => stateOf(p, 'extra').shorten('name', 0),
    fields: { actual: '' },
    message: /is empty/,
  },
  {
    rule: 'state.name',
    what: 'an extra with U+0000 in its name',
    change: (p) => stateOf(p, 'extra').setText('name', 'ex\0ra'),
    fields: { actual: 'ex\0ra' },
    message: /contains U\+0000/,
  },
  {
    rule: 'metric.name',
    what: 'a metric without a name',
    change: (p) => p.root.tables('metrics')[0]!.shorten('name', 0),
    fields: { actual: '' },
  },
  {
    rule: 'metric.name',
    what: 'a metric with U+0000 in its name',
    change: (p) => p.root.tables('metrics')[1]!.setText('name', 'a\0'),
    fields: { actual: 'a\0c_b' },
  },

  {
    rule: 'tensor.name',
    what: 'a tensor without a name',
    change: (p) => tensorOf(p, 'scale').shorten('name', 0),
    fields: at('model', ''),
  },
  {
    rule: 'tensor.name',
    what: 'a tensor with U+0000 in its name',
    change: (p) => tensorOf(p, 'codes').setText('name', 'c\0'),
    fields: at('other', 'c\0des'),
  },
  {
    rule: 'tensor.unique',
    what: 'a tensor that is there twice',
    change: (p) => tensorOf(p, 'shadow').setText('name', 'weight'),
    fields: at('model', 'weight'),
  },

  {
    rule: 'tensor.byte_length',
    what: 'a length of a byte less than the shape takes',
    change: (p) => tensorOf(p, 'codes').set('byte_length', 4),
    fields: { ...at('other', 'codes'), expected: 5, actual: 4 },
  },
  {
    rule: 'tensor.byte_length',
    what: 'a shape that takes less than the length',
    change: (p) => tensorOf(p, 'codes').setElement('shape', 0, 4),
    fields: { ...at('other', 'codes'), expected: 4, actual: 5 },
  },
  {
    rule: 'tensor.byte_length',
    what: 'a dtype that takes more than the length',
    change: (p) => tensorOf(p, 'codes').set('dtype', 17),
    fields: { ...at('other', 'codes'), expected: 10, actual: 5 },
  },
  {
    rule: 'tensor.byte_length',
    what: 'a packed dtype whose bits do not fill the bytes',
    change: (p) => tensorOf(p, 'codes').set('dtype', 12),
    fields: { ...at('other', 'codes'), expected: undefined, actual: 5 },
  },
  {
    rule: 'tensor.byte_length',
    what: 'a shape whose product wraps around to the length in 64 bits',
    change: (p) => {
      tensorOf(p, 'nothing').setElement('shape', 0, 2 ** 32)
      tensorOf(p, 'nothing').setElement('shape', 1, 2 ** 32)
    },
    fields: { ...at('model', 'nothing'), expected: undefined, actual: 0 },
  },
  {
    rule: 'tensor.byte_length',
    what: 'a length with nothing in the shape',
    change: (p) => tensorOf(p, 'weight').setElement('shape', 1, 0),
    fields: { ...at('model', 'weight'), expected: 0, actual: 24 },
  },

  {
    rule: 'tensor.offset',
    what: 'a first segment that does not follow the metadata',
    change: (p) => move(p, 'weight', offsets.weight + 64),
    fields: { ...at('model', 'weight'), expected: offsets.weight, actual: offsets.weight + 64 },
  },
  {
    rule: 'tensor.offset',
    what: 'a segment in the metadata',
    change: (p) => move(p, 'weight', 64),
    fields: { ...at('model', 'weight'), expected: offsets.weight, actual: 64 },
  },
  {
    rule: 'tensor.offset',
    what: 'a segment that does not start at a multiple of 64',
    change: (p) => move(p, 'codes', offsets.codes + 4),
    fields: { ...at('other', 'codes'), expected: offsets.codes, actual: offsets.codes + 4 },
  },
  {
    rule: 'tensor.offset',
    what: 'a segment that begins in another one',
    change: (p) => move(p, 'scale', offsets.weight + 8),
    fields: at('model', 'scale'),
  },
  {
    rule: 'tensor.offset',
    what: 'a segment out of turn',
    change: (p) => {
      move(p, 'nothing', offsets.scale)
      move(p, 'scale', offsets.nothing)
    },
    fields: { ...at('model', 'nothing'), expected: offsets.nothing, actual: offsets.scale },
  },
  {
    rule: 'tensor.offset',
    what: 'a segment behind the end of the file',
    change: (p) => move(p, 'codes', offsets.codes + 2 ** 20),
    fields: { ...at('other', 'codes'), expected: offsets.codes },
  },
  {
    rule: 'tensor.offset',
    what: 'a segment at the end of all safe integers',
    change: (p) => tensorOf(p, 'codes').set('offset', 2 ** 53 - 1),
    fields: { ...at('other', 'codes'), expected: offsets.codes, actual: 2 ** 53 - 1 },
  },

  {
    rule: 'tensor.range',
    what: 'a tensor that reaches a byte beyond the end of the file',
    change: (p) => {
      tensorOf(p, 'codes').setElement('shape', 0, 6)
      tensorOf(p, 'codes').set('byte_length', 6)
    },
    fields: { ...at('other', 'codes'), expected: offsets.end, actual: offsets.end + 1 },
  },
  {
    rule: 'tensor.range',
    what: 'a tensor of all safe integers',
    change: (p) => {
      tensorOf(p, 'codes').setElement('shape', 0, 2 ** 53 - 1)
      tensorOf(p, 'codes').set('byte_length', 2 ** 53 - 1)
    },
    fields: { ...at('other', 'codes'), expected: offsets.end },
  },

  {
    rule: 'tensor.alias',
    what: 'a tensor at the place of another one, of another length,',
    change: (p) => {
      tensorOf(p, 'shadow').setElement('shape', 0, 2)
      tensorOf(p, 'shadow').set('byte_length', 16)
    },
    fields: at('model', 'shadow'),
  },
  {
    rule: 'tensor.alias',
    what: 'a tensor at the place of another one, with another checksum,',
    change: (p) => tensorOf(p, 'shadow').set('crc32', 1),
    fields: at('model', 'shadow'),
  },
  {
    rule: 'tensor.alias',
    what: 'an empty tensor at the place of one that is not empty',
    change: (p) => move(p, 'nothing', offsets.weight),
    fields: at('model', 'nothing'),
  },

  {
    rule: 'tensor.data',
    what: 'data at another place than the offset says',
    change: (p) => {
      const data = tensorOf(p, 'scale').position('data')
      p.view.setUint32(data, p.view.getUint32(data, true) + 4, true)
    },
    fields: {
      ...at('model', 'scale'),
      expected: offsets.scale - 4,
      actual: offsets.scale,
    },
  },
  {
    rule: 'tensor.data',
    what: 'data in the metadata',
    change: (p) => p.view.setUint32(tensorOf(p, 'scale').position('data'), 4, true),
    fields: { ...at('model', 'scale'), expected: offsets.scale - 4 },
  },
  {
    rule: 'tensor.data',
    what: 'an offset of data that leads nowhere',
    change: (p) => p.view.setUint32(tensorOf(p, 'scale').position('data'), 0, true),
    fields: { ...at('model', 'scale'), expected: offsets.scale - 4 },
  },
  {
    rule: 'tensor.data',
    what: 'an offset of data that leads backwards',
    change: (p) => p.view.setInt32(tensorOf(p, 'scale').position('data'), -8, true),
    fields: { ...at('model', 'scale'), expected: offsets.scale - 4 },
  },
  {
    rule: 'tensor.data',
    what: 'a short file without data',
    change: (p) => tensorOf(p, 'weight').drop('data'),
    fields: { ...at('model', 'weight'), expected: offsets.weight - 4, actual: null },
    message: /^the data and the offset of "weight" disagree/,
  },
  {
    rule: 'tensor.data',
    what: 'other data of a tensor that shares its segment',
    change: (p) => {
      const data = tensorOf(p, 'shadow').position('data')
      p.view.setUint32(data, p.view.getUint32(data, true) + 64, true)
    },
    fields: { ...at('model', 'shadow'), expected: offsets.weight - 4, actual: offsets.weight + 60 },
  },
]

for (const broken of cases) {
  test(`${broken.what} is refused as ${broken.rule}`, async (t) => refuses(t, broken))
}

/** The sample with `length` bytes more behind it, and with a length that says so. */
async function extended(length: number): Promise<Uint8Array> {
  const file = await sampleFile()
  const longer = new Uint8Array(file.length + length)
  longer.set(file)
  const patch = new Patch(longer)
  patch.root.set('file_length', longer.length)
  return patch.seal()
}

for (const length of [1, 59, 64, 1000]) {
  test(`${length} bytes that belong to nothing are refused as file_length`, async (t) => {
    const error = await t.throwsAsync(loadCheckpoint(await extended(length)), {
      instanceOf: CheckpointError,
      code: 'CKPT_FORMAT',
    })
    t.is(error!.rule, 'file_length')
    t.is(error!.expected, offsets.end)
    t.is(error!.actual, offsets.end + length)
  })
}

test('a name that is too long is refused as tensor.name, of whatever characters it is', (t) => {
  const named = (name: string) => () =>
    checkRules(decode(seal(modelContent([{ name, dtype: 'int8', shape: [] }]))))
  for (const character of ['n', 'é']) {
    const most = Math.floor(65_535 / Buffer.byteLength(character))
    t.notThrows(named(character.repeat(most)))
    const error = t.throws(named(character.repeat(most + 1)), { instanceOf: CheckpointError })
    t.is(error.rule, 'tensor.name')
  }
})

const large: TensorSpec = { name: 'large', dtype: 'uint8', shape: [FLATBUFFER_LIMIT] }

test('data in a file of 2 GiB or more is refused as tensor.data', (t) => {
  const patch = new Patch(encode(modelContent([large])).seal([0]))
  const tensor = patch.root.table('model').tables('tensors')[0]!
  const metadata = () => decode(patch.seal())
  t.is(checkRules(metadata()).size, 1)
  // The field is there, but for its entry: four bytes that no other field has.
  const taken = new Set(
    ['name', 'dtype', 'shape', 'offset', 'byte_length', 'crc32'].map((name) =>
      tensor.position(name),
    ),
  )
  let free = tensor.at + 4
  while (taken.has(free) || patch.view.getUint32(free, true) !== 0) free += 4
  patch.view.setUint16(tensor.entry('data'), free - tensor.at, true)
  patch.view.setUint32(free, 64, true)
  const error = t.throws(() => checkRules(metadata()), {
    instanceOf: CheckpointError,
    code: 'CKPT_FORMAT',
    message: '"large" has data, which a file of 2 GiB or more cannot have',
  })
  t.like(error, { rule: 'tensor.data', state: 'model', tensor: 'large', expected: null })
  t.is(error.actual, free + 64)
})

test('every rule of the format is among these', async (t) => {
  const tested = new Set([...cases.map(({ rule }) => rule), 'file_length'])
  t.deepEqual([...tested].sort(), await ruleNames('rules.ts'))
  t.is(tested.size, 10)
})

test('the segments are those of the file, in its order, and the gap before each', async (t) => {
  const segments = [...checkRules(decode(await sampleFile())).values()]
  t.deepEqual(
    segments.map(({ gapStart, offset, byteLength }) => [gapStart, offset, byteLength]),
    [
      [segments[0]!.gapStart, offsets.weight, 24],
      [offsets.weight + 24, offsets.nothing, 0],
      [offsets.nothing, offsets.scale, 8],
      [offsets.scale + 8, offsets.expAvg, 24],
      [offsets.expAvg + 24, offsets.codes, 5],
    ],
  )
  t.is(segments[0]!.gapStart, decode(await sampleFile()).metadataLength)
  t.is(segments[1]!.crc32, 0)
})

test('a tensor of another state may share a segment, with another dtype of the same length', (t) => {
  const content = modelContent([{ name: 'a', dtype: 'float32', shape: [2] }])
  const metadata = encode({
    ...content,
    extras: [
      {
        name: 'raw',
        kind: null,
        attributes: {},
        tensors: [{ name: 'a', dtype: 'uint8', shape: [8], segment: 0 }],
      },
    ],
  })
  t.is(checkRules(decode(metadata.seal([7]))).size, 1)
})
