/**
 * The content of the golden file of format version 1: every dtype, scalars and empty tensors, shared memory, names in
 * many scripts, and every kind of attribute. Nothing here may change after the release of the version. New content goes
 * into another golden file.
 */

import type { Attributes } from '../../../src/format/attributes.js'
import { type DType, tensorByteLength } from '../../../src/format/dtype.js'

export interface GoldenTensor {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly bytes: Uint8Array
}

export interface GoldenState {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  readonly tensors: readonly GoldenTensor[]
}

export interface Golden {
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: readonly (readonly [name: string, value: number])[]
  readonly config: string | null
  /** Absent if there is none, as in every file of 0.1.0. */
  readonly sequence?: number
  readonly savedAt?: number
  readonly model: GoldenState
  readonly optimizer: GoldenState | null
  readonly extras: readonly GoldenState[]
}

/** Bits of every sort; of a bool, 0 and 1. */
function pattern(dtype: DType, shape: readonly number[], start: number): Uint8Array {
  return Uint8Array.from({ length: tensorByteLength(dtype, shape)! }, (_, i) => {
    return dtype === 'bool' ? (i + start) & 1 : (start * 89 + i * 37) & 0xff
  })
}

const bytesOf = (array: Float32Array | Float64Array | Uint32Array | BigUint64Array): Uint8Array =>
  new Uint8Array(array.buffer)

// The dtypes of version 1, whatever was added later.
export const v1Dtypes: readonly DType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
  'float8_e4m3fn',
  'float8_e5m2',
  'float8_e4m3fnuz',
  'float8_e5m2fnuz',
  'float8_e8m0fnu',
  'float6_e2m3fn',
  'float6_e3m2fn',
  'float4_e2m1fn',
  'int8',
  'int16',
  'int32',
  'int64',
  'uint8',
  'uint16',
  'uint32',
  'uint64',
  'bool',
  'complex64',
  'complex128',
]

const ofEveryDtype = v1Dtypes.map((dtype, i): GoldenTensor => {
  return { name: `dtype/${dtype}`, dtype, shape: [2, 4], bytes: pattern(dtype, [2, 4], i) }
})

const embedding = pattern('float32', [3, 5], 7)

// Not a number, quiet and signalling, with a payload and a sign; zeros, infinities, subnormals.
const curiousFloats = Uint32Array.of(
  0x7fc00000,
  0x7fa00001,
  0xffc12345,
  0x80000000,
  0x00000000,
  0x7f800000,
  0xff800000,
  0x00000001,
)

const model: GoldenState = {
  name: 'model',
  kind: 'lightwatch.GoldenNet',
  attributes: { training: true, dropout: 0.1 },
  tensors: [
    { name: 'embedding.weight', dtype: 'float32', shape: [3, 5], bytes: embedding },
    ...ofEveryDtype,
    { name: 'head.weight', dtype: 'float32', shape: [5, 3], bytes: embedding },
    { name: 'scalar', dtype: 'float64', shape: [], bytes: bytesOf(Float64Array.of(-0)) },
    { name: 'empty', dtype: 'float32', shape: [0, 7], bytes: new Uint8Array(0) },
    { name: 'empty.too', dtype: 'int64', shape: [4, 0], bytes: new Uint8Array(0) },
    { name: 'floats', dtype: 'float32', shape: [2, 2, 2], bytes: bytesOf(curiousFloats) },
    {
      name: 'rank',
      dtype: 'uint8',
      shape: [1, 1, 2, 1, 1, 1, 3, 1],
      bytes: pattern('uint8', [6], 3),
    },
    { name: 'größe', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(1) },
    { name: 'gro\u0308ße', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(2) },
    { name: '重み', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(3) },
    { name: '𝛉🔥', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(4) },
    { name: '\ufeffbom', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(5) },
    { name: '\u202ertl "quoted"\n', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(6) },
    { name: '__proto__', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(7) },
    { name: '../constructor', dtype: 'uint8', shape: [1], bytes: Uint8Array.of(8) },
  ],
}

const optimizer: GoldenState = {
  name: 'optimizer',
  kind: 'AdamW',
  attributes: {
    none: null,
    true: true,
    false: false,
    zero: 0,
    negative: -1,
    'greatest safe': Number.MAX_SAFE_INTEGER,
    'least safe': Number.MIN_SAFE_INTEGER,
    'small int64': 1n,
    'least int64': -(2n ** 63n),
    'greatest int64': 2n ** 63n - 1n,
    'least uint64': 2n ** 63n,
    'greatest uint64': 2n ** 64n - 1n,
    'negative zero': -0,
    half: 0.5,
    third: 1 / 3,
    'not a number': Number.NaN,
    infinity: Infinity,
    'negative infinity': -Infinity,
    subnormal: 5e-324,
    largest: Number.MAX_VALUE,
    'no safe integer': 2 ** 53,
    'empty text': '',
    text: 'a\0b \ufeff größe 🔥 "\\\n',
    'empty list': [],
    list: [1, 2.5, 'three', null, [true, [{}]], 4n],
    'empty map': {},
    groups: [
      { lr: 1e-3, betas: [0.9, 0.999], weight_decay: 0.01, parameters: ['embedding.weight'] },
      { lr: 1e-4, betas: [0.9, 0.999], weight_decay: 0, parameters: [] },
    ],
    '': 'an empty key',
    ['__proto__']: { constructor: 'a key like any other' },
  },
  tensors: [
    {
      name: 'exp_avg/embedding.weight',
      dtype: 'float32',
      shape: [3, 5],
      bytes: pattern('float32', [3, 5], 11),
    },
    {
      name: 'exp_avg_sq/embedding.weight',
      dtype: 'float32',
      shape: [3, 5],
      bytes: pattern('float32', [3, 5], 13),
    },
  ],
}

const extras: readonly GoldenState[] = [
  // The same memory as the model's.
  {
    name: 'ema',
    kind: null,
    attributes: { decay: 0.9999 },
    tensors: [{ name: 'embedding.weight', dtype: 'float32', shape: [3, 5], bytes: embedding }],
  },
  {
    name: 'scheduler',
    kind: 'ReduceLROnPlateau',
    attributes: { best: Infinity, bad_epochs: 0 },
    tensors: [],
  },
  {
    name: 'rng/🎲',
    kind: 'xoshiro256**',
    attributes: {},
    tensors: [
      {
        name: 'state',
        dtype: 'uint64',
        shape: [4],
        bytes: bytesOf(BigUint64Array.of(1n, 2n ** 63n, 2n ** 64n - 1n, 0n)),
      },
    ],
  },
]

export const v1: Golden = {
  epoch: 3,
  step: 1_000_000_007,
  loss: 0.30000000000000004,
  metrics: [
    ['val/loss', Number.NaN],
    ['val/accuracy', 0.875],
    ['zero', 0],
    ['negative zero', -0],
    ['infinity', Infinity],
    ['größe', -1e-3],
  ],
  config: '{ "lr": 1.0e-3,\n  "name": "größe \\u2603", "layers": [12, -0, 1e400],  "lr": 2 }',
  model,
  optimizer,
  extras,
}
