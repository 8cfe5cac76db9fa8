import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { decode } from '../../src/format/decode.js'
import { arrayType } from '../../src/format/dtype.js'
import {
  type Checkpoint,
  type CheckpointState,
  type DType,
  dtypes,
  loadCheckpoint,
} from '../../src/index.js'
import {
  doubleText,
  type Expected,
  type ExpectedState,
  expected,
  hex,
  jsonAttribute,
} from '../support/golden/expected.js'
import { saveGolden } from '../support/golden/save.js'
import { v1 } from '../support/golden/v1.js'

const path = fileURLToPath(new URL('v1.ckpt', import.meta.url))
const file: Uint8Array = await readFile(path)
const json: Expected = JSON.parse(await readFile(new URL('v1.json', import.meta.url), 'utf8'))

/** What a checkpoint says, in the form of the expected values. */
function found(checkpoint: Checkpoint): Expected {
  const { epoch, step, loss, metrics, configText, model, optimizer, extras } = checkpoint
  return {
    epoch,
    step,
    loss: loss === null ? null : doubleText(loss),
    metrics: Object.entries(metrics).map(([name, value]) => [name, doubleText(value)]),
    config: configText,
    model: foundState(model),
    optimizer: optimizer === null ? null : foundState(optimizer),
    extras: Array.from(extras.values(), foundState),
  }
}

function foundState(state: CheckpointState): ExpectedState {
  return {
    name: state.name,
    kind: state.kind,
    attributes: jsonAttribute(state.attributes),
    tensors: Array.from(state, ([name, tensor]) => ({
      name,
      dtype: tensor.dtype,
      shape: tensor.shape,
      data: hex(new Uint8Array(tensor.data.buffer, tensor.data.byteOffset, tensor.byteLength)),
    })),
  }
}

for (const [how, from, options] of [
  ['from its bytes', file, {}],
  ['from a path', path, {}],
  ['from a path, without a map', path, { map: false }],
] as const) {
  test(`the file of version 1 says everything that it was to say, read ${how}`, async (t) => {
    await using checkpoint = await loadCheckpoint(from, options)
    await checkpoint.verify()
    t.is(checkpoint.version, 1)
    t.is(checkpoint.byteLength, file.byteLength)
    t.deepEqual(found(checkpoint), json)
  })
}

test('the same state gives exactly the bytes of the file today', async (t) => {
  const today = await saveGolden(v1)
  t.is(hex(today), hex(file))
})

test('the expected content of the file is what was saved in it', (t) => {
  t.deepEqual(expected(v1), json)
})

test('the file has a tensor of every dtype of version 1', (t) => {
  const named = json.model.tensors.filter(({ name }) => name.startsWith('dtype/'))
  t.is(named.length, 23)
  for (const { name, dtype } of named) {
    t.is(name, `dtype/${dtype}`)
    t.true(dtypes.includes(dtype as DType))
  }
})

test('every tensor is read as the array of its dtype', async (t) => {
  await using checkpoint = await loadCheckpoint(file)
  for (const [name, tensor] of checkpoint.model) {
    t.is(tensor.data.constructor, arrayType(tensor.dtype), name)
  }
})

test('tensors over the same memory are one segment of the file', (t) => {
  const { model, extras } = decode(file)
  const [embedding] = model.tensors
  const head = [...model.tensors].find(({ name }) => name === 'head.weight')
  const ema = extras[0]!.tensors.at(0)
  t.is(embedding!.offset, head!.offset)
  t.is(embedding!.offset, ema.offset)
})

test('numbers come back as what they were: NaN, -0, bigints and doubles', async (t) => {
  await using checkpoint = await loadCheckpoint(file)
  const attributes = checkpoint.optimizer!.attributes
  t.is(attributes['not a number'], Number.NaN)
  t.is(attributes['negative zero'], -0)
  t.is(attributes['small int64'], 1n)
  t.is(attributes['greatest uint64'], 18446744073709551615n)
  t.is(attributes['greatest safe'], 9007199254740991)
  t.is(attributes.subnormal, 5e-324)
  t.is(checkpoint.metrics['negative zero'], -0)
  t.is(checkpoint.loss, 0.30000000000000004)
})

test('the config is text to the letter, and a value where one is asked for', async (t) => {
  await using checkpoint = await loadCheckpoint(file)
  t.is(checkpoint.configText, v1.config)
  t.deepEqual(checkpoint.config, { lr: 2, name: 'größe ☃', layers: [12, -0, Infinity] })
})
