/**
 * What a checkpoint holds besides the bytes of its tensors, as JSON text for formats that hold named tensors
 * alone (safetensors, `.npz`, TensorFlow.js). Nothing is lost: NaN, the infinities, -0 and integers beyond
 * 2^53 have forms of their own, the order of the tensors is kept, and tied tensors stay tied.
 *
 *   {
 *     "version": 1,
 *     "progress": { "epoch": 3, "step": 1000, "loss": 0.25, "metrics": {}, "config": "{…}",
 *                   "sequence": 7, "savedAt": 1764331200000 },
 *     "states": [
 *       { "role": "model" | "optimizer" | "extra", "name": "model", "prefix": "model.",
 *         "kind": "AdamW", "attributes": {…},
 *         "tensors": ["wte.weight",
 *                     { "name": "lm_head.weight", "sameAs": "model.wte.weight" },
 *                     { "name": "q", "dtype": "int4", "shape": [3, 4] }] }
 *     ]
 *   }
 *
 * A tensor stands in the file under the prefix of its state and its name. One that is `sameAs` another has
 * the bytes of that one. `dtype` and `shape` are there where the file's own say something else: a tensor that
 * was written as its raw bytes, or one that is tied to a tensor of another shape.
 *
 * In values, {"$number": "NaN"} stands for what JSON has no number for ("NaN", "Infinity", "-Infinity", "-0"),
 * {"$bigint": "9007199254740993"} for an integer of 64 bits, and {"$map": {…}} for a map whose only key
 * begins with "$". `ckpt inspect --json` writes the same.
 */

import { messageOf } from '../errors.js'
import { type Attribute, type Attributes, copyAttributes, setKey } from '../format/attributes.js'
import { type DType, isDType } from '../format/dtype.js'
import { foreignFault, type TrainingProgress } from './training.js'

/** A tensor as the description has it. */
export interface DescribedTensor {
  readonly name: string
  /** The name in the file of the tensor that has its bytes, if another has them. */
  readonly sameAs?: string
  readonly dtype?: DType
  readonly shape?: readonly number[]
}

/** A state as the description has it. */
export interface DescribedState {
  readonly role: 'model' | 'optimizer' | 'extra'
  readonly name: string
  readonly prefix: string
  readonly kind: string | null
  readonly attributes: Attributes
  readonly tensors: readonly DescribedTensor[]
}

/** All of it. */
export interface Description {
  readonly progress: TrainingProgress
  readonly states: readonly DescribedState[]
}

const VERSION = 1

/** The JSON text of a description. The same one has the same text. */
export function descriptionText({ progress, states }: Description): string {
  return JSON.stringify({
    version: VERSION,
    progress: mapValues(progress, (value) => toJson(value as Attribute, true)),
    states: states.map(({ attributes, tensors, ...state }) => ({
      ...state,
      attributes: toJson(attributes, true),
      tensors: tensors.map((tensor) => (Object.keys(tensor).length === 1 ? tensor.name : tensor)),
    })),
  })
}

/** Reads a description back. Throws CKPT_FOREIGN_FILE, rule `description`. */
export function parseDescription(text: string): Description {
  try {
    const { version, progress, states } = JSON.parse(text)
    if (version !== VERSION) throw new TypeError(`its version is ${version}, not ${VERSION}`)
    return { progress: progressOf(fields(progress)), states: list(states).map(stateOf) }
  } catch (cause) {
    throw foreignFault(
      'description',
      `the description of the checkpoint cannot be read: ${messageOf(cause)}`,
      {
        cause,
      },
    )
  }
}

function progressOf(given: Fields): TrainingProgress {
  const progress: { [name: string]: unknown } = {}
  for (const name of ['epoch', 'step', 'sequence', 'savedAt'] as const) {
    const value = given[name]
    if (value === undefined) continue
    const isNone = value === null && (name === 'sequence' || name === 'savedAt')
    if (!isNone && !Number.isSafeInteger(fromJson(value)))
      throw new TypeError(`${name} is not an integer`)
    progress[name] = fromJson(value)
  }
  if (given.loss !== undefined) progress.loss = given.loss === null ? null : double(given.loss)
  if (given.metrics !== undefined) progress.metrics = mapValues(fields(given.metrics), double)
  if (given.config !== undefined)
    progress.config = given.config === null ? null : string(given.config)
  return progress
}

function stateOf(given: unknown): DescribedState {
  const { role, name, prefix, kind, attributes, tensors } = fields(given)
  if (role !== 'model' && role !== 'optimizer' && role !== 'extra') {
    throw new TypeError('a state has no role')
  }
  return {
    role,
    name: string(name),
    prefix: string(prefix),
    kind: kind === null ? null : string(kind),
    attributes: copyAttributes(fromJson(attributes, true), 'attributes'),
    tensors: list(tensors).map(tensorOf),
  }
}

function tensorOf(given: unknown): DescribedTensor {
  if (typeof given === 'string') return { name: given }
  const { name, sameAs, dtype, shape } = fields(given)
  const tensor: { -readonly [key in keyof DescribedTensor]: DescribedTensor[key] } = {
    name: string(name),
  }
  if (sameAs !== undefined) tensor.sameAs = string(sameAs)
  if (dtype !== undefined) {
    if (!isDType(dtype)) throw new TypeError(`there is no dtype ${String(dtype)}`)
    tensor.dtype = dtype
  }
  if (shape !== undefined) {
    const lengths = list(shape)
    if (!lengths.every((length) => Number.isSafeInteger(length) && (length as number) >= 0)) {
      throw new TypeError('a shape is not a list of lengths')
    }
    tensor.shape = lengths as number[]
  }
  return tensor
}

type Fields = { readonly [name: string]: unknown }

function fields(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new TypeError('an object is missing')
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new TypeError('a list is missing')
}

function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw new TypeError('a string is missing')
}

function double(value: unknown): number {
  const number = fromJson(value)
  if (typeof number === 'number') return number
  throw new TypeError('a number is missing')
}

function toJson(value: Attribute, isMap = false): unknown {
  if (typeof value === 'bigint') return { $bigint: String(value) }
  if (typeof value === 'number') {
    if (Object.is(value, -0)) return { $number: '-0' }
    return Number.isFinite(value) ? value : { $number: String(value) }
  }
  if (value === null || typeof value !== 'object') return value
  if (Array.isArray(value)) return value.map((item) => toJson(item as Attribute))
  const map = mapValues(value, (item) => toJson(item as Attribute))
  return !isMap && isTag(value) ? { $map: map } : map
}

/** Whether a map would be taken for one of the forms above. */
function isTag(value: object): boolean {
  const [key, second] = Object.keys(value)
  return key?.startsWith('$') === true && second === undefined
}

const NUMBERS: ReadonlyMap<unknown, number> = new Map([
  ['NaN', Number.NaN],
  ['Infinity', Number.POSITIVE_INFINITY],
  ['-Infinity', Number.NEGATIVE_INFINITY],
  ['-0', -0],
])

function fromJson(value: unknown, isMap = false): Attribute {
  if (typeof value !== 'object' || value === null) return value as Attribute
  if (Array.isArray(value)) return value.map((item) => fromJson(item))
  if (!isMap && isTag(value)) {
    const { $number, $bigint, $map } = value as Fields
    if ($map !== undefined) return fromJson(fields($map), true)
    const number = NUMBERS.get($number)
    if (number !== undefined) return number
    if (typeof $bigint === 'string' && /^-?\d{1,20}$/.test($bigint)) return BigInt($bigint)
    throw new TypeError('a value has an unknown form')
  }
  return mapValues(value, (item) => fromJson(item))
}

/** The same keys, `__proto__` among them, with other values. */
function mapValues<T>(object: object, change: (value: unknown) => T): { [key: string]: T } {
  const mapped: { [key: string]: T } = {}
  for (const [key, value] of Object.entries(object)) setKey(mapped, key, change(value))
  return mapped
}
