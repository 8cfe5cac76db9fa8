/**
 * Small sound files that damage is done to, one for each shape that a file can have. Every byte of
 * them follows from this code.
 */

import { encode } from '../../../src/format/encode.js'
import { MemorySink, type SaveOptions, type Stateful, saveCheckpoint } from '../../../src/index.js'
import { objectOf } from '../format/contents.js'
import { Patch } from '../format/patch.js'
import { memoryState } from '../memory-state.js'

export interface Golden {
  readonly name: string
  readonly bytes: Uint8Array
  /** Where the metadata ends. */
  readonly metadataLength: number
}

async function golden(
  name: string,
  model: Stateful,
  optimizer: Stateful | null = null,
  options: SaveOptions = {},
): Promise<Golden> {
  const sink = new MemorySink()
  await saveCheckpoint(sink, model, optimizer, options)
  const { view, root } = new Patch(sink.bytes)
  const metadataLength = view.getUint32(root.position('metadata_length'), true)
  return { name, bytes: sink.bytes, metadataLength }
}

/** No byte like its neighbour, and none like its index: bytes that are out of place show. */
function pattern<T extends Uint8Array | Float32Array>(array: T, first = 1): T {
  for (let i = 0; i < array.length; i++) array[i] = (first + 37 * i) % 251
  return array
}

const shared = pattern(new Float32Array(6), 9)

export const plainModel: Golden = await golden(
  'a plain model',
  memoryState({
    'layers.0.weight': { shape: [3, 4], data: pattern(new Float32Array(12)) },
    'layers.0.bias': { shape: [3], data: pattern(new Float32Array(3), 77) },
  }),
)

export const training: Golden = await golden(
  'a model and its optimizer with attributes',
  memoryState({ weight: { shape: [2, 2], data: pattern(new Float32Array(4)) } }, undefined, 'Net'),
  memoryState(
    {
      'exp_avg/weight': { shape: [2, 2], data: pattern(new Float32Array(4), 50) },
      'exp_avg_sq/weight': { shape: [2, 2], data: pattern(new Float32Array(4), 90) },
    },
    {
      groups: [{ lr: 0.001, betas: [0.9, 0.999], amsgrad: false, params: ['weight'] }],
      best: Infinity,
      diverged: NaN,
      zero: -0,
      seed: 2n ** 63n + 1n,
      offset: -5n,
      step: 1000,
      scheduler: null,
      nested: [[[]], {}, [{ a: [1, 'two', null] }]],
    },
    'AdamW',
  ),
  { epoch: 2, step: 1000, loss: 0.25, metrics: { accuracy: 0.5, 'perplexity/val': NaN } },
)

export const tied: Golden = await golden(
  'tied and empty tensors of several dtypes',
  memoryState({
    embedding: { shape: [2, 3], data: shared },
    head: { shape: [3, 2], data: shared },
    bits: { shape: [24], dtype: 'uint8', data: shared.buffer },
    nothing: { shape: [0, 7], data: new Float32Array(0) },
    scalar: { shape: [], data: Float64Array.of(Math.PI) },
    half: { shape: [3], dtype: 'float16', data: Uint16Array.of(0x7e01, 0x8000, 0x3c00) },
    packed: { shape: [4], dtype: 'float6_e2m3fn', data: Uint8Array.of(1, 2, 3) },
    wide: { shape: [1], dtype: 'complex128', data: Float64Array.of(1, -1) },
    last: { shape: [1, 0], data: new Int8Array(0) },
  }),
)

export const extras: Golden = await golden(
  'extras, metrics and a config',
  memoryState(objectOf([['__proto__', Int32Array.of(7)]])),
  null,
  {
    loss: null,
    metrics: objectOf([
      ['__proto__', 1],
      ['constructor', 2],
    ]),
    config: { name: 'größe', layers: [1, 2, { deep: [] }] },
    extras: {
      ema: memoryState({ weight: pattern(new Uint8Array(5)) }),
      sampler: memoryState({}, { seed: 12n, order: [3, 1, 2] }, 'Sampler'),
      toString: memoryState({ valueOf: pattern(new Uint8Array(70), 3) }),
    },
  },
)

export const empty: Golden = await golden('no tensor at all', memoryState({}))

/** More metadata than a reader takes in at first. */
export const longMetadata: Golden = await golden(
  'metadata of more than 4 KiB',
  memoryState(
    { weight: pattern(new Float32Array(4)) },
    { text: 'lightwatch '.repeat(380), rate: 0.5, list: [1, 'two'] },
  ),
)

/** Sound small files, each with all of its bytes. */
export const goldens: readonly Golden[] = [plainModel, training, tied, extras, empty]

/**
 * The metadata of a file of 3 GiB and a little, whose tensors have no `data`: what
 * `SparseSource` takes the place of.
 */
export const largeForm: Golden = (() => {
  const metadata = encode({
    progress: {
      epoch: 1,
      step: 2,
      loss: 3,
      metrics: {},
      config: null,
      sequence: null,
      savedAt: null,
    },
    model: {
      name: 'model',
      kind: null,
      attributes: { lr: 0.1 },
      tensors: [
        { name: 'huge', dtype: 'float32', shape: [3, 2 ** 28], segment: 0 },
        { name: 'small', dtype: 'int64', shape: [2], segment: 1 },
      ],
    },
    optimizer: null,
    extras: [],
    segmentLengths: [3 * 2 ** 30, 16],
  })
  // Neither checksum fits zeros, so that no damage to them goes unseen.
  const bytes = metadata.seal([1, 2])
  return {
    name: 'the metadata of a file of 3 GiB',
    bytes,
    metadataLength: bytes.byteLength,
  }
})()

/** Length of the file that `largeForm` describes. */
export const largeFormLength: number = (() => {
  const { view, root } = new Patch(largeForm.bytes)
  return Number(view.getBigUint64(root.position('file_length'), true))
})()
