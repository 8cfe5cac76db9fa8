/** The valid files: what each of them is to hold, and which of the two writers makes it. */

import type { Attribute, Attributes } from '../../../src/format/attributes.js'
import { type DType, dtypes, tensorByteLength } from '../../../src/format/dtype.js'
import { type Golden, type GoldenState, type GoldenTensor, v1, v1Dtypes } from '../golden/v1.js'
import type { WriterOptions } from './second-writer.js'
import { MAX_NULLS, sharedTexts, sharedTextsHold } from './shared-texts.js'

export interface ValidFile {
  /** Of the file, without its extension. */
  readonly name: string
  /** What a reader could get wrong in it. */
  readonly about: string
  readonly holds: Golden
  /** Written by the second writer, with these options; by the library where there are none. */
  readonly second?: WriterOptions
  /** Made by hand, where no writer of states would. */
  readonly make?: () => Uint8Array
  /** A file that was written once and for all, relative to this one. */
  readonly written?: string
}

const NOTHING: Golden = {
  epoch: 0,
  step: 0,
  loss: null,
  metrics: [],
  config: null,
  model: state('model', []),
  optimizer: null,
  extras: [],
}

function state(
  name: string,
  tensors: readonly GoldenTensor[],
  attributes: Attributes = {},
  kind: string | null = null,
): GoldenState {
  return { name, kind, attributes, tensors }
}

/** A tensor of bytes of every sort. */
function tensor(name: string, dtype: DType, shape: readonly number[], first = 1): GoldenTensor {
  const length = tensorByteLength(dtype, shape)!
  const bytes = Uint8Array.from({ length }, (_, i) => (first * 31 + i * 37) & 0xff)
  return { name, dtype, shape, bytes }
}

function model(tensors: readonly GoldenTensor[], attributes: Attributes = {}): Golden {
  return { ...NOTHING, model: state('model', tensors, attributes) }
}

/** Another name, or another view, of the memory of a tensor. */
function tie(to: GoldenTensor, changes: Partial<GoldenTensor>): GoldenTensor {
  return { ...to, ...changes }
}

const bits = (dtype: DType, name: string, array: ArrayBufferView): GoldenTensor => {
  const bytes = new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength)
  const width = tensorByteLength(dtype, [])!
  return { name, dtype, shape: [bytes.length / width], bytes }
}

const embedding = tensor('embedding.weight', 'float32', [4, 3], 3)

export const training: Golden = {
  epoch: 3,
  step: 1000,
  loss: 0.42,
  metrics: [
    ['val/accuracy', 0.91],
    ['accuracy', 0.95],
  ],
  config: '{"lr":0.1,"layers":[4,3]}',
  model: state('model', [embedding, tensor('head.bias', 'float32', [3], 5)], {}, 'TinyNet'),
  optimizer: state(
    'optimizer',
    [
      tensor('exp_avg/embedding.weight', 'float32', [4, 3], 7),
      tensor('exp_avg_sq/embedding.weight', 'float32', [4, 3], 9),
    ],
    { groups: [{ lr: 0.001, betas: [0.9, 0.999], amsgrad: false, params: ['embedding.weight'] }] },
    'AdamW',
  ),
  extras: [
    state('ema', [tie(embedding, {})], { decay: 0.999 }),
    state('scheduler', [], { best: Infinity, patience: 10 }, 'ReduceLROnPlateau'),
  ],
}

const NAMES = [
  'größe',
  'gro\u0308ße',
  '重み.層',
  'الوزن',
  '𝛉🔥',
  '\u{10ffff}',
  '\uffff',
  '\ufeffweight',
  'weight',
  '\u202egnp',
  ' ',
  'a\nb',
  '\u007f',
  '\u0001',
  '"quoted"\\',
  '__proto__',
  'constructor',
  '0',
  '-0',
  '../../etc/passwd',
  'a\u0430',
  '\u2028',
]

const unicode: Golden = {
  ...NOTHING,
  metrics: NAMES.map((name, i) => [name, i / 4]),
  config: '{"größe":"🔥\\u0000","\u202e":"\ufeff"}',
  model: state(
    'model',
    NAMES.map((name, i) => tensor(name, 'uint8', [2], i)),
    Object.fromEntries(NAMES.map((name, i) => [name, i])),
    'größe 🔥 \ufeff',
  ),
  extras: NAMES.slice(0, 8).map((name, i) => state(name, [tensor('own', 'uint8', [1], i)])),
}

const numbers: Attributes = {
  zero: 0,
  'negative zero': -0,
  'greatest safe': Number.MAX_SAFE_INTEGER,
  'least safe': Number.MIN_SAFE_INTEGER,
  'two to the 53': 2 ** 53,
  'not a number': Number.NaN,
  infinity: Infinity,
  'negative infinity': -Infinity,
  subnormal: 5e-324,
  largest: Number.MAX_VALUE,
  third: 1 / 3,
  'int64 of 1': 1n,
  'least int64': -(2n ** 63n),
  'greatest int64': 2n ** 63n - 1n,
  'least uint64': 2n ** 63n,
  'greatest uint64': 2n ** 64n - 1n,
}

const values: Attributes = {
  null: null,
  true: true,
  false: false,
  text: 'text',
  'empty text': '',
  'text with a zero': 'a\0b',
  '': 'an empty key',
  'a\0b': 'a key with a zero',
  'empty list': [],
  'empty map': {},
  mixed: [null, true, -1, 0.5, 2n, 'two', [], {}, [[['deep']]]],
  nested: { b: { c: [{ d: null }] }, a: 1 },
  numbers,
}

const progress: Golden = {
  ...NOTHING,
  epoch: Number.MAX_SAFE_INTEGER,
  step: Number.MIN_SAFE_INTEGER,
  loss: -0,
  metrics: [
    ['z', Number.NaN],
    ['a', -0],
    ['ab', 0],
    ['B', Infinity],
    ['ä', -Infinity],
    ['10', 5e-324],
    ['9', Number.MAX_VALUE],
  ],
  config: ' { "lr": 1.0e-3, "lr": 2, "big": 1e400, "n": 12345678901234567890 } ',
}

/** With these, what a reader has to see first just fits where it looks. */
export const HEAD_OF_4096 = { idleBytes: 3972, unknownFields: 5 } satisfies WriterOptions

/** Lists in a list, one item each. */
function nested(depth: number): Attribute {
  let value: Attribute = 'innermost'
  for (let i = 0; i < depth; i++) value = [value]
  return value
}

const floats = [
  bits(
    'float64',
    'float64',
    BigUint64Array.of(0x7ff0000000000001n, 0xfff8123456789abcn, 1n << 63n),
  ),
  bits('float32', 'float32', Uint32Array.of(0x7fa00001, 0xffc12345, 0x80000000, 1, 0x7f800000)),
  bits('float16', 'float16', Uint16Array.of(0x7c01, 0xfe00, 0x8000, 1, 0x7c00)),
  bits('bfloat16', 'bfloat16', Uint16Array.of(0x7f81, 0xffc0, 0x8000, 1, 0xff80)),
  bits('complex64', 'complex64', Uint32Array.of(0x7fa00001, 0x80000000)),
]

const packed = [
  bits('float8_e8m0fnu', 'scales', Uint8Array.of(0, 127, 255)),
  { ...tensor('four sixths', 'float6_e2m3fn', [4], 2) },
  { ...tensor('eight sixths', 'float6_e3m2fn', [2, 4], 4) },
  { ...tensor('two halves', 'float4_e2m1fn', [2], 6) },
  { ...tensor('none', 'float4_e2m1fn', [0], 6) },
  bits('bool', 'bools', Uint8Array.of(0, 1, 2, 255)),
]

const nibbles = [
  tensor('dtype/int4', 'int4', [2, 4], 8),
  tensor('dtype/uint4', 'uint4', [2, 4], 9),
  bits('uint8', 'bytes', Uint8Array.of(255)),
  {
    name: 'every int4',
    dtype: 'int4',
    shape: [16],
    bytes: Uint8Array.of(0x10, 0x32, 0x54, 0x76, 0x98, 0xba, 0xdc, 0xfe),
  },
  { name: 'none', dtype: 'uint4', shape: [3, 0], bytes: new Uint8Array(0) },
] satisfies GoldenTensor[]

export const validFiles: readonly ValidFile[] = [
  {
    name: 'golden-v1',
    about: 'the golden file of format version 1, which was written once and is never made again',
    holds: v1,
    written: '../../golden/v1.ckpt',
  },
  {
    name: 'example',
    about: 'the file that docs/format.md shows byte by byte',
    holds: {
      ...NOTHING,
      epoch: 3,
      step: 1000,
      loss: 0.42,
      metrics: [['acc', 0.91]],
      config: '{"lr":0.1}',
      model: state(
        'model',
        [
          bits('float32', 'w', Float32Array.of(1, -2, 0.5)),
          { name: 'b', dtype: 'bfloat16', shape: [], bytes: Uint8Array.of(0x80, 0x3f) },
        ],
        { decay: 0.01 },
        'Net',
      ),
    },
  },
  { name: 'nothing', about: 'a model without a tensor: metadata alone', holds: NOTHING },
  { name: 'training', about: 'a model, its optimizer, and extras', holds: training },
  {
    name: 'every-dtype',
    about: 'a tensor of every dtype of version 0.1.0 of the library',
    holds: model(v1Dtypes.map((dtype, i) => tensor(dtype, dtype, [2, 4], i))),
  },
  {
    name: 'integers-of-4-bits',
    about: 'packed integers, two to a byte, whose first element is in the lower half',
    holds: model(nibbles),
  },
  {
    name: 'scalars',
    about: 'tensors of no dimension, of one element, of every dtype that fills whole bytes',
    holds: model(
      dtypes
        .filter((dtype) => tensorByteLength(dtype, []) !== undefined)
        .map((dtype, i) => tensor(dtype, dtype, [], i)),
    ),
  },
  {
    name: 'empty-tensors',
    about: 'tensors without elements, first, between others, and last: each has its place',
    holds: model([
      tensor('first', 'float32', [0]),
      tensor('row', 'float64', [0, 7]),
      tensor('some', 'uint8', [3]),
      tensor('column', 'int64', [4, 0]),
      tensor('wide', 'uint8', [0, Number.MAX_SAFE_INTEGER]),
      tensor('many', 'uint8', [2 ** 20, 0, 2 ** 20]),
      tensor('last', 'bfloat16', [2, 0, 2]),
    ]),
  },
  {
    name: 'tied-weights',
    about: 'several tensors over one segment, of other shapes and dtypes, in several states',
    holds: {
      ...NOTHING,
      model: state('model', [
        embedding,
        tensor('between', 'uint8', [5], 8),
        tie(embedding, { name: 'head.weight', shape: [3, 4] }),
        tie(embedding, { name: 'bits', dtype: 'uint8', shape: [48] }),
        tie(embedding, { name: 'pairs', dtype: 'complex64', shape: [6] }),
      ]),
      optimizer: state('optimizer', [tie(embedding, { name: 'slow' })]),
      extras: [state('ema', [tie(embedding, {}), tensor('own', 'int16', [3], 4)])],
    },
  },
  {
    name: 'tied-empty-tensors',
    about: 'tensors without elements over one segment',
    holds: model(
      (() => {
        const none = tensor('none', 'float32', [0, 2])
        return [
          none,
          tie(none, { name: 'too', dtype: 'int8', shape: [3, 0] }),
          tensor('some', 'int8', [1]),
        ]
      })(),
    ),
    second: {},
  },
  {
    name: 'lengths',
    about: 'segments that end just before, at, and behind where the next could begin',
    holds: model(
      [1, 59, 60, 61, 63, 64, 65, 124, 128, 255, 256, 257, 1].map((length, i) =>
        tensor(`${i}: ${length} bytes`, 'uint8', [length], i),
      ),
    ),
  },
  {
    name: 'floats',
    about: 'NaN payloads, -0 and subnormal numbers in tensors',
    holds: model(floats),
  },
  {
    name: 'packed',
    about: 'elements of 6 and 4 bits, and bools that are neither 0 nor 1',
    holds: model(packed),
  },
  {
    name: 'ranks',
    about: 'tensors of 1 to 64 dimensions',
    holds: model([
      tensor('1', 'int16', [3]),
      tensor('8', 'int16', [1, 1, 2, 1, 1, 1, 3, 1]),
      tensor('64', 'uint8', [...Array<number>(63).fill(1), 2]),
    ]),
  },
  { name: 'unicode-names', about: 'names of any script, and names that mislead', holds: unicode },
  {
    name: 'longest-name',
    about: 'a name of 65,535 bytes in UTF-8',
    holds: model([tensor(`${'é'.repeat(32_767)}x`, 'uint8', [1])]),
  },
  {
    name: 'progress',
    about: 'integers and doubles at their limits; a config as text',
    holds: progress,
  },
  {
    name: 'loss-nan',
    about: 'a loss that is there and is not a number, and a config of no character',
    holds: { ...NOTHING, loss: Number.NaN, config: '' },
    second: {},
  },
  {
    name: 'order-of-saves',
    about: 'a place in the order of saves, and a time, as large as they may be',
    holds: { ...training, sequence: 2 ** 53 - 1, savedAt: 2 ** 53 - 1 },
  },
  {
    name: 'first-save',
    about: 'a place in the order of saves, and a time, that are there and are 0',
    holds: { ...NOTHING, sequence: 0, savedAt: 0 },
    second: {},
  },
  {
    name: 'time-alone',
    about: 'a time of a save without a place in an order',
    holds: { ...NOTHING, savedAt: 1_796_000_000_123 },
    second: {},
  },
  { name: 'attributes', about: 'every kind of value', holds: model([], values) },
  {
    name: 'same-names',
    about: 'the same names in several states, and as metrics, keys and extras',
    holds: {
      ...NOTHING,
      metrics: [['model', 1]],
      model: state('model', [tensor('model', 'uint8', [1], 1)], { model: 'model' }),
      optimizer: state('optimizer', [tensor('model', 'uint8', [1], 2)], { model: { model: 1 } }),
      extras: [
        state('Model', [tensor('model', 'uint8', [1], 3)]),
        state('tensors', [tensor('model', 'uint8', [1], 3)]),
      ],
    },
  },
  {
    name: 'second-writer',
    about: 'tables from the front to the back, vtables behind them, defaults left out',
    holds: { ...training, epoch: 0 },
    second: {},
  },
  {
    name: 'second-writer-attributes',
    about: 'every kind of value, by the second writer; whole numbers as doubles',
    holds: { ...model([], values), step: 7 },
    second: { doublesOnly: true, keepDefaults: true },
  },
  {
    name: 'second-writer-empty',
    about: 'tensors without elements whose length and checksum are left out, being 0',
    holds: model([
      tensor('none', 'float32', [0]),
      tensor('some', 'int32', [2]),
      tensor('scalar', 'int64', []),
      tensor('another scalar', 'int64', [], 2),
      tensor('last', 'int8', [0]),
    ]),
    second: {},
  },
  {
    name: 'root-in-front',
    about: 'the root table is at 8, right behind the identifier',
    holds: training,
    second: { rootInFront: true },
  },
  {
    name: 'unknown-fields',
    about: 'every table has fields that the schema does not know: a later version appended them',
    holds: training,
    second: { unknownFields: 3 },
  },
  {
    name: 'idle-bytes',
    about: 'bytes in the metadata that nothing refers to, and a root table that is not in front',
    holds: training,
    second: { idleBytes: 3_900 },
  },
  {
    name: 'head-of-4096-bytes',
    about: 'the vtable of the root table ends with the first 4,096 bytes',
    holds: training,
    second: HEAD_OF_4096,
  },
  {
    name: 'depth-64',
    about: 'tables nested 64 deep, which is as deep as they may be',
    holds: model([], { chain: nested(60) }),
    second: {},
  },
  {
    name: 'shared-parts',
    about: 'values that are there many times, as many as the budget for sharing allows',
    holds: model([], sharedTextsHold(MAX_NULLS)),
    make: () => sharedTexts(MAX_NULLS),
  },
]
