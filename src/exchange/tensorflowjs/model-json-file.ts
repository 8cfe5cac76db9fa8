/** The reader and writer of TensorFlow.js files: `model.json` with the shards next to it. */

import {
  type Attribute,
  type Attributes,
  copyAttributes,
  isPlainObject,
} from '../../format/attributes.js'
import { numbersOf } from '../../format/numbers.js'
import type { Source } from '../../io/source.js'
import { quote } from '../../printable.js'
import type { SaveReport } from '../../save/write.js'
import { writeFile } from '../file-writer.js'
import {
  ForeignState,
  ForeignTensor,
  foreignFault,
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type TensorReader,
  type Training,
  type WriteOptions,
} from '../training.js'
import { namesByPlace, renamedParts } from './layer-names.js'
import {
  type Group,
  type Quantization,
  readManifest,
  TFJS_DTYPES,
  type Weight,
} from './manifest.js'

/** The name of the format. */
export const TENSORFLOWJS = 'tensorflowjs'

// Longest model.json, in bytes. Topologies with thousands of layers take a few MiB.
const MAX_JSON = 64 * 1024 * 1024

// Length of written shards, in bytes. TensorFlow.js cuts at 4 MiB, for browser caches.
const SHARD = 4 * 1024 * 1024

/** The key of the model's attribute with the rest of the file, as JSON text. */
const NOTES = 'tensorflowjs'

/** Whether a file is a `model.json`, by its start and its name. */
export function isModelJson(head: Uint8Array, name: string): boolean {
  const text = new TextDecoder('latin1').decode(head)
  if (!/^\s*\{/.test(text)) return false
  return /"(modelTopology|weightsManifest)"\s*:/.test(text) || /(^|[-_.])model\.json$/i.test(name)
}

/**
 * Reads a `model.json` and opens its shards, but reads no weight. Takes ownership of the source. Throws
 * CKPT_FOREIGN_FILE, `tfjs.*`, and CKPT_NOT_CONVERTIBLE for weights of text or an unknown quantization.
 */
export async function readModelJson({ source, sibling }: InputPlace): Promise<Training> {
  const opened: Source[] = []
  const close = (): void => {
    for (const each of opened) each.close()
  }
  try {
    const json = await readJson(source)
    const groups = readManifest(json.weightsManifest)
    const readers = new Map<Weight, TensorReader>()
    for (const group of groups) {
      const shards: Source[] = []
      for (const path of group.paths) {
        const shard = await sibling(path)
        opened.push(shard)
        shards.push(shard)
      }
      const bytes = joined(group, shards)
      for (const weight of group.weights) readers.set(weight, readerOf(weight, bytes))
    }
    return { format: TENSORFLOWJS, ...statesOf(json, readers), progress: {}, close }
  } catch (error) {
    close()
    throw error
  } finally {
    source.close()
  }
}

interface ModelJson {
  readonly modelTopology?: unknown
  readonly weightsManifest?: unknown
  readonly trainingConfig?: unknown
  readonly [key: string]: unknown
}

async function readJson(source: Source): Promise<ModelJson> {
  if (source.size > MAX_JSON) {
    throw foreignFault('tfjs.json', `the model.json has ${source.size} bytes`, {
      expected: MAX_JSON,
      actual: source.size,
    })
  }
  const bytes = new Uint8Array(source.size)
  await source.read(bytes, 0)
  try {
    const json: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    if (isPlainObject(json)) return json
  } catch (cause) {
    throw foreignFault('tfjs.json', 'the model.json is not JSON text', { cause })
  }
  throw foreignFault('tfjs.json', 'the model.json is not an object')
}

/** Fills `target` from byte `position` of a group's weights on. */
type ReadGroup = (target: Uint8Array, position: number) => Promise<void>

/** The contiguous shards of a group. Throws CKPT_FOREIGN_FILE, rule `tfjs.shards`, if their length is wrong. */
function joined({ byteLength, paths }: Group, shards: readonly Source[]): ReadGroup {
  const actual = shards.reduce((sum, { size }) => sum + size, 0)
  if (actual !== byteLength) {
    throw foreignFault(
      'tfjs.shards',
      `the weights have ${byteLength} bytes, and their shards ${actual}: ${paths.slice(0, 3).map(quote).join(', ')}`,
      { expected: byteLength, actual },
    )
  }
  return async (target, position) => {
    let start = 0
    for (const shard of shards) {
      const from = Math.max(position, start)
      const to = Math.min(position + target.byteLength, start + shard.size)
      if (from < to) await shard.read(target.subarray(from - position, to - position), from - start)
      start += shard.size
    }
  }
}

function readerOf(weight: Weight, read: ReadGroup): TensorReader {
  const { dtype, shape, start, quantization } = weight
  if (quantization === null) {
    return { dtype, shape, read: (target, position) => read(target, start + position) }
  }
  const bytes = quantization.kind === 'linear' ? quantization.bytes : 2
  return {
    dtype,
    shape,
    // Both dtypes that can be quantized have four bytes.
    read: async (target, position) => {
      const first = Math.floor(position / 4)
      const last = Math.ceil((position + target.byteLength) / 4)
      const stored = new Uint8Array((last - first) * bytes)
      await read(stored, start + first * bytes)
      const numbers = dequantized(stored, quantization, dtype === 'int32')
      const skipped = position - first * 4
      target.set(new Uint8Array(numbers.buffer, skipped, target.byteLength))
    },
  }
}

/** As in TensorFlow.js: computed in doubles, rounded once. */
function dequantized(stored: Uint8Array, quantization: Quantization, integers: boolean) {
  if (quantization.kind === 'half') return numbersOf('float16', stored) as Float32Array
  const { scale, min, bytes } = quantization
  const codes = bytes === 1 ? stored : new Uint16Array(stored.buffer)
  const numbers = integers ? new Int32Array(codes.length) : new Float32Array(codes.length)
  for (let i = 0; i < numbers.length; i++) {
    const value = codes[i]! * scale + min
    numbers[i] = integers ? Math.round(value) : value
  }
  return numbers
}

function statesOf(
  { modelTopology, weightsManifest: _, trainingConfig, ...rest }: ModelJson,
  readers: ReadonlyMap<Weight, TensorReader>,
): Pick<Training, 'model' | 'optimizer' | 'extras'> {
  const weights = [...readers.keys()]
  const names = namesByPlace(
    modelTopology,
    weights.map(({ name }) => name),
  )
  const tensors = (isOptimizers: boolean): ForeignTensor[] =>
    weights
      .filter((weight) => weight.isOptimizers === isOptimizers)
      .map((weight) => new ForeignTensor(renamedParts(weight.name, names), readers.get(weight)!))
  const notes: { [key: string]: Attribute } = {}
  // As text, because a topology may be nested deeper than attributes.
  for (const [key, value] of Object.entries({ modelTopology, trainingConfig, ...rest })) {
    if (value !== undefined) notes[key] = JSON.stringify(value)
  }
  const kind = (modelTopology as { readonly class_name?: unknown } | undefined)?.class_name
  const model = new ForeignState(
    tensors(false),
    { ...(names.size === 0 ? {} : { numbering: 'place' }), [NOTES]: notes },
    typeof kind === 'string' ? kind : null,
  )
  const optimizerTensors = tensors(true)
  const config = optimizerConfig(trainingConfig)
  const optimizer =
    optimizerTensors.length === 0 && config === null
      ? null
      : new ForeignState(optimizerTensors, config?.attributes ?? {}, config?.kind ?? null)
  return { model, optimizer, extras: new Map() }
}

/** The optimizer of the training config: its class, and its settings as attributes. */
function optimizerConfig(
  trainingConfig: unknown,
): { readonly kind: string; readonly attributes: Attributes } | null {
  const { optimizer_config: found } = (trainingConfig ?? {}) as {
    readonly optimizer_config?: unknown
  }
  if (!isPlainObject(found) || typeof found.class_name !== 'string') return null
  const { class_name: kind, config } = found
  return {
    kind,
    attributes: isPlainObject(config) ? copyAttributes(config, 'optimizer_config') : {},
  }
}

/** Options of writing weights for TensorFlow.js. */
export interface ModelJsonOptions extends WriteOptions {
  /** The value of `modelTopology`. Default: that of the `model.json` that the weights came from. */
  readonly topology?: unknown
}

/**
 * Writes `model.json` and its shards: the weights of the model, for serving. The shards are committed first. Throws
 * CKPT_NOT_CONVERTIBLE for a dtype that TensorFlow.js does not have, or without a topology.
 */
export async function writeModelJson(
  { sink, sibling, name }: OutputPlace,
  { model }: Training,
  { topology, onProgress, signal }: ModelJsonOptions = {},
): Promise<SaveReport> {
  const notes = isPlainObject(model.attributes[NOTES]) ? model.attributes[NOTES] : {}
  const modelTopology =
    topology ??
    (notes.modelTopology === undefined ? undefined : JSON.parse(String(notes.modelTopology)))
  if (modelTopology === undefined) {
    throw notConvertible(
      'a model.json needs the topology of the model, which a checkpoint does not have: pass `topology`, the ' +
        'value of `modelTopology` in a model.json of the same model',
    )
  }
  const tensors = [...model.values()]
  const names = namesInTopology(modelTopology, model)
  const weights = tensors.map(({ name, dtype, shape }) => {
    const stored = Object.keys(TFJS_DTYPES).find((each) => TFJS_DTYPES[each] === dtype)
    if (stored === undefined) {
      throw notConvertible(
        `${quote(name)} is ${dtype}, which TensorFlow.js has not: convert it to float32 or int32`,
        { tensor: name, actual: dtype },
      )
    }
    return { name: renamedParts(name, names), shape, dtype: stored }
  })
  const total = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0)
  const count = Math.max(1, Math.ceil(total / SHARD))
  const prefix = name.replace(/\.json$/i, '') || 'model'
  const paths = Array.from(
    { length: count },
    (_, i) => `${prefix}.group1-shard${i + 1}of${count}.bin`,
  )
  let written = 0
  for (const [i, path] of paths.entries()) {
    const start = i * SHARD
    const length = Math.min(SHARD, total - start)
    const part = new ForeignTensor(path, {
      dtype: 'uint8',
      shape: [length],
      read: (target, position) => readAcross(tensors, target, start + position),
    })
    await writeFile(sibling(path), { length, parts: [{ tensor: part }] }, { signal })
    written += length
    onProgress?.({ done: written, total: total + 1 })
  }
  const json = {
    format: 'layers-model',
    generatedBy: 'lightwatch-checkpoint',
    convertedBy: null,
    modelTopology,
    weightsManifest: [{ paths, weights }],
  }
  const bytes = new TextEncoder().encode(JSON.stringify(json))
  const durability = await writeFile(
    sink,
    { length: bytes.byteLength, parts: [{ bytes }] },
    { signal },
  )
  onProgress?.({ done: total + 1, total: total + 1 })
  return { byteLength: total + bytes.byteLength, tensors: tensors.length, durability }
}

/** Fills `target` from `position` on, with the bytes of contiguous tensors. */
async function readAcross(
  tensors: readonly ForeignTensor[],
  target: Uint8Array,
  position: number,
): Promise<void> {
  let start = 0
  for (const tensor of tensors) {
    const from = Math.max(position, start)
    const to = Math.min(position + target.byteLength, start + tensor.byteLength)
    if (from < to) {
      await tensor.readBytes(target.subarray(from - position, to - position), from - start)
    }
    start += tensor.byteLength
    if (start >= position + target.byteLength) return
  }
}

/** The names in the topology, by the names of a state that numbers its layers by position. */
function namesInTopology(topology: unknown, model: ForeignState): ReadonlyMap<string, string> {
  if (model.attributes.numbering !== 'place') return new Map()
  return new Map(Array.from(namesByPlace(topology), ([name, place]) => [place, name]))
}
