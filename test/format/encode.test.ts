import assert from 'node:assert/strict'
import test from 'ava'
import { type Attribute, type Attributes, copyAttributes } from '../../src/format/attributes.js'
import { decode } from '../../src/format/decode.js'
import { dtypes, tensorByteLength } from '../../src/format/dtype.js'
import { type Content, encode, type StateContent } from '../../src/format/encode.js'
import { verifyFlatBuffer } from '../../src/format/flatbuffer-verifier.js'
import { metadataChecksum, readHead } from '../../src/format/head.js'
import { FLATBUFFER_LIMIT, segmentStart } from '../../src/format/layout.js'
import { allStates, type StateRecord } from '../../src/format/metadata.js'
import { checkRules } from '../../src/format/rules.js'
import { schema } from '../../src/format/schema.js'
import fc from '../support/fast-check.js'
import { anyContent, modelContent, seal, type TensorSpec } from '../support/format/contents.js'
import { Patch } from '../support/format/patch.js'
import { holds } from '../support/format/property.js'

/** Order counts as well, which deepEqual does not see. */
function keysOf(value: Attribute): unknown {
  if (typeof value !== 'object' || value === null) return null
  if (Array.isArray(value)) return value.map(keysOf)
  return Object.entries(value as Attributes).map(([key, child]) => [key, keysOf(child)])
}

function contentStates({ model, optimizer, extras }: Content): StateContent[] {
  return optimizer === null ? [model, ...extras] : [model, optimizer, ...extras]
}

test('encoded metadata is valid, follows the rules, and decodes to the same content', (t) => {
  holds(
    t,
    fc.property(anyContent, (content) => {
      const checksums = content.segmentLengths.map((_, i) => (i * 0x9e3779b1) >>> 0)
      const { layout, plain, length, ...unsealed } = encode(content)
      const bytes = unsealed.seal(checksums)
      assert.equal(bytes.length, length)
      verifyFlatBuffer(bytes, schema)

      const head = readHead(bytes, layout.fileLength)
      assert.equal(head.metadataLength, length)
      assert.equal(head.metadataCrc32, metadataChecksum(bytes, head.crcOffset))

      const metadata = decode(bytes)
      const expectState = (state: StateContent) => ({
        name: state.name,
        kind: state.kind,
        attributes: state.attributes,
        tensors: state.tensors.map(({ name, dtype, shape, segment }) => ({
          name,
          dtype,
          shape,
          offset: layout.offsets[segment]!,
          byteLength: content.segmentLengths[segment]!,
          crc32: checksums[segment]!,
          vectorOffset: plain ? layout.offsets[segment]! - 4 : null,
        })),
      })
      const listed = (state: StateRecord) => ({ ...state, tensors: [...state.tensors] })
      const { model, optimizer, extras } = metadata
      const found = {
        ...metadata,
        model: listed(model),
        optimizer: optimizer === null ? null : listed(optimizer),
        extras: extras.map(listed),
      }
      assert.deepEqual(found, {
        version: 1,
        metadataLength: length,
        fileLength: layout.fileLength,
        progress: content.progress,
        model: expectState(content.model),
        optimizer: content.optimizer === null ? null : expectState(content.optimizer),
        extras: content.extras.map(expectState),
      })
      assert.deepEqual(
        allStates(metadata).map(({ attributes }) => keysOf(attributes)),
        contentStates(content).map(({ attributes }) => keysOf(attributes)),
      )
      assert.deepEqual(
        Object.keys(metadata.progress.metrics),
        Object.keys(content.progress.metrics),
      )

      const segments = [...checkRules(metadata).values()]
      assert.deepEqual(
        segments.map(({ offset, byteLength, crc32 }) => [offset, byteLength, crc32]),
        content.segmentLengths.map((n, i) => [layout.offsets[i], n, checksums[i]]),
      )
      assert.equal(plain, layout.fileLength < FLATBUFFER_LIMIT)
    }),
    { numRuns: 300 },
  )
})

test('the same content gives the same bytes', (t) => {
  holds(
    t,
    fc.property(anyContent, (content) => {
      const again = structuredClone(content)
      assert.deepEqual(seal(again), seal(content))
    }),
  )
})

test('the same metadata can be sealed again, with other checksums', (t) => {
  const content = modelContent([{ name: 'a', dtype: 'uint8', shape: [3] }])
  const metadata = encode(content)
  const first = metadata.seal([1]).slice()
  t.is(decode(metadata.seal([0xffffffff])).model.tensors.at(0).crc32, 0xffffffff)
  t.deepEqual(metadata.seal([1]), first)
})

test('the checksum of the metadata is that of zlib, with its own bytes taken as zero', (t) => {
  const bytes = seal(modelContent([{ name: 'a', dtype: 'uint8', shape: [3] }], { lr: 0.1 }))
  // A patch that changes nothing makes it anew.
  t.deepEqual(new Patch(bytes).seal(), bytes)
})

const KINDS: readonly (readonly [what: string, value: Attribute, kind: number, field: string])[] = [
  ['a boolean', false, 2, 'boolean'],
  ['zero', 0, 3, 'integer'],
  ['a safe integer', -(2 ** 53 - 1), 3, 'integer'],
  ['a small bigint', 1n, 4, 'integer'],
  ['the least int64', -(2n ** 63n), 4, 'integer'],
  ['the greatest int64', 2n ** 63n - 1n, 4, 'integer'],
  ['the least that only a uint64 holds', 2n ** 63n, 5, 'uinteger'],
  ['-0', -0, 6, 'number'],
  ['a fraction', 0.5, 6, 'number'],
  ['an integer that is not safe', 2 ** 53, 6, 'number'],
  ['NaN', Number.NaN, 6, 'number'],
  ['empty text', '', 7, 'text'],
  ['an empty list', [], 8, 'list'],
  ['an empty map', {}, 9, 'map'],
]

for (const [what, value, kind, field] of KINDS) {
  test(`${what} is kept as ${field}, and in no other field`, (t) => {
    const patch = new Patch(seal(modelContent([], { a: value })))
    const table = patch.root.table('model').tables('attributes')[0]!.table('value')
    t.is(patch.view.getUint8(table.position('kind')), kind)
    const fields = schema.tables
      .Value!.map(({ name }) => name)
      .filter((name) => {
        return isThere(() => table.position(name))
      })
    t.deepEqual(fields, ['kind', field])
  })
}

test('null is a kind of its own, without a field', (t) => {
  const patch = new Patch(seal(modelContent([], { a: null })))
  const table = patch.root.table('model').tables('attributes')[0]!.table('value')
  t.is(patch.view.getUint8(table.position('kind')), 1)
  t.deepEqual(
    schema.tables
      .Value!.filter(({ name }) => isThere(() => table.position(name)))
      .map((f) => f.name),
    ['kind'],
  )
})

function isThere(look: () => unknown): boolean {
  try {
    look()
    return true
  } catch {
    return false
  }
}

test('no loss, a loss of 0, of -0 and of NaN are four different things', (t) => {
  for (const loss of [null, 0, -0, Number.NaN, Infinity]) {
    t.is(decode(seal(modelContent([], {}, { loss }))).progress.loss, loss)
  }
})

test('metrics keep NaN, -0 and the infinities', (t) => {
  const metrics = { a: Number.NaN, b: -0, c: 0, d: Infinity, e: -Infinity, f: 5e-324 }
  t.deepEqual(decode(seal(modelContent([], {}, { metrics }))).progress.metrics, metrics)
})

test('epoch and step hold every safe integer', (t) => {
  for (const step of [0, -1, 2 ** 31, 2 ** 32, 2 ** 53 - 1, -(2 ** 53 - 1)]) {
    const { progress } = decode(seal(modelContent([], {}, { epoch: -step, step })))
    t.true(progress.step === step && progress.epoch === -step)
  }
})

test('a tensor of every dtype comes back with its dtype and shape', (t) => {
  const tensors = dtypes.map((dtype) => ({ name: dtype, dtype, shape: [2, 4] }))
  const { model } = decode(seal(modelContent(tensors)))
  t.deepEqual(
    Array.from(model.tensors, ({ name, dtype, shape, byteLength }) => {
      return { name, dtype, shape, byteLength }
    }),
    tensors.map((tensor) => ({ ...tensor, byteLength: tensorByteLength(tensor.dtype, [2, 4]) })),
  )
})

test('a tensor may have 64 dimensions', (t) => {
  const tensor: TensorSpec = { name: 'deep', dtype: 'int8', shape: new Array(64).fill(1) }
  const bytes = seal(modelContent([tensor]))
  verifyFlatBuffer(bytes, schema)
  t.is(decode(bytes).model.tensors.at(0).shape.length, 64)
})

test('the longest name comes back', (t) => {
  const name = '€'.repeat(21_845)
  const bytes = seal(modelContent([{ name, dtype: 'int8', shape: [1] }]))
  verifyFlatBuffer(bytes, schema)
  const metadata = decode(bytes)
  t.true(metadata.model.tensors.at(0).name === name)
  t.is(checkRules(metadata).size, 1)
})

test('attributes may be nested to the limit that a copy allows', (t) => {
  for (const [deepest, wrap] of [
    [60, (inner: Attribute) => [inner]],
    [30, (inner: Attribute) => ({ k: inner })],
  ] as const) {
    let value: Attribute = Number.NaN
    for (let i = 0; i < deepest; i++) value = wrap(value)
    const attributes = copyAttributes({ a: value }, 'deep')
    t.throws(() => copyAttributes({ a: wrap(value) }, 'deep'), { instanceOf: TypeError })
    const bytes = seal({
      ...modelContent([]),
      extras: [{ name: 'deep', kind: null, attributes, tensors: [] }],
    })
    verifyFlatBuffer(bytes, schema)
    t.deepEqual(decode(bytes).extras[0]!.attributes, attributes)
  }
})

/** GPT-2 small with AdamW: every parameter, its two moments, and its step. */
function gpt2Tensors(): TensorSpec[] {
  const parameters: [string, number[]][] = [
    ['wte.weight', [50257, 768]],
    ['wpe.weight', [1024, 768]],
  ]
  for (let i = 0; i < 12; i++) {
    for (const [name, shape] of [
      ['ln_1.weight', [768]],
      ['ln_1.bias', [768]],
      ['attn.c_attn.weight', [768, 2304]],
      ['attn.c_attn.bias', [2304]],
      ['attn.c_proj.weight', [768, 768]],
      ['attn.c_proj.bias', [768]],
      ['ln_2.weight', [768]],
      ['ln_2.bias', [768]],
      ['mlp.c_fc.weight', [768, 3072]],
      ['mlp.c_fc.bias', [3072]],
      ['mlp.c_proj.weight', [3072, 768]],
      ['mlp.c_proj.bias', [768]],
    ] as const) {
      parameters.push([`h.${i}.${name}`, [...shape]])
    }
  }
  parameters.push(['ln_f.weight', [768]], ['ln_f.bias', [768]])
  const named = (prefix: string) =>
    parameters.map(([name, shape]): TensorSpec => {
      return { name: prefix + name, dtype: 'float32', shape: prefix === 'step/' ? [] : shape }
    })
  return ['', 'exp_avg/', 'exp_avg_sq/', 'step/'].flatMap(named)
}

test('the state of GPT-2 small takes less than 0.1 % more than its tensors', (t) => {
  const tensors = gpt2Tensors()
  t.is(tensors.length, 592)
  const content = modelContent(tensors, { lr: 6e-4, betas: [0.9, 0.95], weight_decay: 0.1 })
  const { layout } = encode(content)
  const tensorBytes = content.segmentLengths.reduce((sum, n) => sum + n, 0)
  t.is(tensorBytes, 3 * 4 * 124_439_808 + 4 * 148)
  const overhead = layout.fileLength - tensorBytes
  t.true(overhead < tensorBytes / 1000, `${overhead} bytes more than ${tensorBytes}`)
  const bytes = seal(content)
  verifyFlatBuffer(bytes, schema)
  t.is(checkRules(decode(bytes)).size, 592)
})

/** A content whose file is `fileLength` bytes long, by the length of its last tensor. */
function contentOfLength(fileLength: number): Content {
  const small: TensorSpec[] = [
    { name: 'scale', dtype: 'float32', shape: [] },
    { name: 'nothing', dtype: 'float32', shape: [0] },
  ]
  const content = (last: number): Content => ({
    ...modelContent([...small, { name: 'large', dtype: 'uint8', shape: [last] }]),
    // Of the same segment as `scale`.
    extras: [
      {
        name: 'ema',
        kind: null,
        attributes: {},
        tensors: [{ name: 'scale', dtype: 'float32', shape: [], segment: 0 }],
      },
    ],
  })
  const [, , offset] = encode(content(0)).layout.offsets
  return content(fileLength - offset!)
}

test('the longest plain file, of 2^31 - 2 bytes, is one whole FlatBuffer', (t) => {
  const content = contentOfLength(2 ** 31 - 2)
  const { layout, plain } = encode(content)
  t.is(layout.fileLength, 2_147_483_646)
  t.true(plain)
  const bytes = seal(content)
  verifyFlatBuffer(bytes, schema)
  const metadata = decode(bytes)
  for (const state of allStates(metadata)) {
    for (const tensor of state.tensors) t.is(tensor.vectorOffset, tensor.offset - 4)
  }
  t.is(checkRules(metadata).size, 3)
})

test('a file that is one byte longer has no data in any tensor, and metadata as long', (t) => {
  const content = contentOfLength(2 ** 31 - 1)
  const { layout, plain, length } = encode(content)
  t.is(layout.fileLength, 2_147_483_647)
  t.false(plain)
  t.is(length, encode(contentOfLength(2 ** 31 - 2)).length)
  const bytes = seal(content)
  verifyFlatBuffer(bytes, schema)
  const metadata = decode(bytes)
  for (const state of allStates(metadata)) {
    for (const tensor of state.tensors) t.is(tensor.vectorOffset, null)
  }
  t.is(checkRules(metadata).size, 3)
})

test('one segment more, though it is empty, takes a file over the edge', (t) => {
  const content = contentOfLength(2 ** 31 - 2)
  const more: Content = {
    ...content,
    extras: [
      ...content.extras,
      {
        name: 'more',
        kind: null,
        attributes: {},
        tensors: [{ name: 'empty', dtype: 'uint8', shape: [0], segment: 3 }],
      },
    ],
    segmentLengths: [...content.segmentLengths, 0],
  }
  t.false(encode(more).plain)
  const metadata = decode(seal(more))
  t.is(metadata.extras[1]!.tensors.at(0).vectorOffset, null)
  t.is(checkRules(metadata).size, 4)
})

test('positions past 4 GiB are exact', (t) => {
  const tensors: TensorSpec[] = [1, 2, 3].map((i) => ({
    name: `t${i}`,
    dtype: 'uint8',
    shape: [2 ** 32 + i],
  }))
  const bytes = seal(modelContent(tensors))
  verifyFlatBuffer(bytes, schema)
  const metadata = decode(bytes)
  let end = metadata.metadataLength
  for (const [i, tensor] of [...metadata.model.tensors].entries()) {
    t.is(tensor.offset, segmentStart(end))
    t.is(tensor.byteLength, 2 ** 32 + i + 1)
    end = tensor.offset + tensor.byteLength
  }
  t.is(metadata.fileLength, end)
  t.is(checkRules(metadata).size, 3)
})

test('a hundred thousand tensors are encoded, verified and decoded', (t) => {
  const tensors = Array.from(
    { length: 100_000 },
    (_, i): TensorSpec => ({
      name: `layers.${i >> 4}.experts.${i & 15}.weight`,
      dtype: 'bfloat16',
      shape: [i % 7, 4096],
    }),
  )
  const bytes = seal(modelContent(tensors))
  // Names, shapes and tables, and no more than that.
  t.true(bytes.length < 150 * tensors.length, `${bytes.length} bytes`)
  verifyFlatBuffer(bytes, schema)
  const metadata = decode(bytes)
  t.is(checkRules(metadata).size, 100_000)
  t.deepEqual(
    Array.from(metadata.model.tensors, ({ name }) => name),
    tensors.map(({ name }) => name),
  )
  t.is(metadata.model.tensors.at(99_999).crc32, 99_999)
})
