import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import { crc32 } from '../../src/format/checksum.js'
import { type Attributes, loadCheckpoint, saveCheckpoint } from '../../src/index.js'
import { anyWellFormedString } from '../support/any-string.js'
import { runFake } from '../support/cli/fake-terminal.js'
import { saveNames, saveSample, stateful } from '../support/cli/sample-checkpoint.js'
import fc from '../support/fast-check.js'
import { scratchFolder } from '../support/scratch.js'

const inspectJson = async (file: string) => {
  const { code, out, err } = await runFake(['inspect', '--json', file])
  if (code !== 0) throw new Error(err)
  return JSON.parse(out)
}

/** Attributes again, by the rules that `ckpt help inspect` gives. */
function decodeAttribute(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(decodeAttribute)
  const [[key, value] = ['', null], second] = Object.entries(json)
  if (second === undefined) {
    if (key === '$number') return Number(value)
    if (key === '$bigint') return BigInt(value as string)
    if (key === '$map') return decodeMap(value as object)
  }
  return decodeMap(json)
}

function decodeMap(json: object): object {
  return Object.fromEntries(Object.entries(json).map(([key, item]) => [key, decodeAttribute(item)]))
}

test('--json prints one object with everything in it', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const { model, optimizer, extras, ...rest } = await inspectJson(file)
  t.deepEqual(rest, {
    file,
    version: 1,
    byteLength: 6400,
    metadataLength: 1896,
    epoch: 3,
    step: 12000,
    loss: 0.4375,
    metrics: { accuracy: 0.875, perplexity: 'NaN' },
    config: { lr: 3e-4, seed: 12345678901234567000, layers: [1, 2], name: 'nano' },
    configText: '{"lr":3e-4,"seed":12345678901234567890,"layers":[1,2],"name":"nano"}',
    sequence: null,
    savedAt: null,
  })
  t.deepEqual(
    [optimizer.name, optimizer.kind, optimizer.elements, optimizer.byteLength],
    ['optimizer', 'AdamW', 512, 2048],
  )
  t.deepEqual(optimizer.attributes.groups[1].weight_decay, { $number: '-0' })
  t.deepEqual(extras[0].attributes, {
    best: { $number: 'Infinity' },
    seed: { $bigint: '9223372036854775808' },
    cooldown: null,
    verbose: false,
  })
  t.deepEqual(
    [model.kind, model.attributes, model.elements, model.byteLength],
    [null, {}, 529, 2088],
  )
  t.deepEqual(
    model.tensors.map(({ crc32: _, ...tensor }: { crc32: number }) => tensor),
    [
      {
        name: 'wte.weight',
        dtype: 'float32',
        shape: [32, 16],
        elements: 512,
        byteLength: 2048,
        offset: 1920,
        sameAs: null,
      },
      {
        name: 'h.0.bias',
        dtype: 'bfloat16',
        shape: [16],
        elements: 16,
        byteLength: 32,
        offset: 4032,
        sameAs: null,
      },
      {
        name: 'lm_head.weight',
        dtype: 'float32',
        shape: [32, 16],
        elements: 512,
        byteLength: 2048,
        offset: 1920,
        sameAs: { state: 'model', tensor: 'wte.weight' },
      },
      {
        name: 'seen',
        dtype: 'int64',
        shape: [],
        elements: 1,
        byteLength: 8,
        offset: 4096,
        sameAs: null,
      },
      {
        name: 'none',
        dtype: 'uint8',
        shape: [0, 4],
        elements: 0,
        byteLength: 0,
        offset: 4160,
        sameAs: null,
      },
    ],
  )
})

test('each tensor is where --json says, and has the checksum that it says', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await saveSample(file)
  const bytes = await readFile(file)
  const { model, optimizer, extras } = await inspectJson(file)
  for (const state of [model, optimizer, ...extras]) {
    for (const tensor of state.tensors) {
      t.is(
        crc32(bytes.subarray(tensor.offset, tensor.offset + tensor.byteLength)),
        tensor.crc32,
        tensor.name,
      )
    }
  }
})

const odd: fc.Arbitrary<number> = fc.oneof(
  fc.double(),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0),
)
const key = fc.oneof(
  anyWellFormedString(),
  fc.constantFrom('$number', '$bigint', '$map', '$', '__proto__'),
)
const { tree } = fc.letrec<{ tree: unknown; map: unknown }>((tie) => ({
  tree: fc.oneof(
    { maxDepth: 5 },
    odd,
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
    fc.constantFrom(null, true, false, 'NaN', 'Infinity', '-0', '1n'),
    key,
    fc.array(tie('tree'), { maxLength: 3 }),
    tie('map'),
  ),
  map: fc.dictionary(key, tie('tree'), { maxKeys: 3, noNullPrototype: true }),
}))

test('every tree of attributes can be restored from --json', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(key, tree), { maxLength: 3 }), async (entries) => {
      await saveNames(file, [], Object.fromEntries(entries) as Attributes)
      using checkpoint = await loadCheckpoint(file)
      const { model } = await inspectJson(file)
      t.deepEqual(decodeMap(model.attributes), checkpoint.model.attributes)
    }),
    { numRuns: 200 },
  )
})

test('a loss and metrics that JSON has no numbers for are strings that Number() takes', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const numbers = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 0, 5e-324]
  for (const number of numbers) {
    await saveCheckpoint(file, stateful({}), null, { loss: number, metrics: { m: number } })
    const { loss, metrics } = await inspectJson(file)
    t.is(Number(loss), number)
    t.is(Number(metrics.m), number)
    t.is(typeof loss, Number.isFinite(number) && !Object.is(number, -0) ? 'number' : 'string')
  }
  await saveCheckpoint(file, stateful({}), null, { loss: null })
  t.is((await inspectJson(file)).loss, null)
})

test('what could steer a terminal is escaped, and is the same to a parser', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  const name = 'a\u001b[2J\u009b\u202e\u2028\u{e0041}\u007f"\\b'
  await saveNames(file, [name], { [name]: name })
  const { out } = await runFake(['inspect', '--json', file])
  t.notRegex(out, /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u)
  const { model } = JSON.parse(out)
  t.is(model.tensors[0].name, name)
  t.deepEqual(model.attributes, { [name]: name })
})

test('a config that is nested beyond measure is still there as text', async (t) => {
  const file = join(await scratchFolder(t), 'a.ckpt')
  // Deeper than JSON.stringify goes; and so deep that the indentation would be longer than the file.
  for (const levels of [50_000, 2000]) {
    const config = '['.repeat(levels) + ']'.repeat(levels)
    await saveCheckpoint(file, stateful({}), null, { config })
    const json = await inspectJson(file)
    t.is(json.config, null)
    t.is(json.configText, config)
    t.is((await runFake(['inspect', file])).code, 0)
  }
})
