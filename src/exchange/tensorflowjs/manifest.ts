/** The list of weights in a `model.json`. Validates every rule that a reader of the shards depends on. */

import { type DType, tensorByteLength } from '../../format/dtype.js'
import { quote } from '../../printable.js'
import { foreignFault, notConvertible } from '../training.js'

/** How a weight was quantized. */
export type Quantization =
  | { readonly kind: 'half' }
  | { readonly kind: 'linear'; readonly bytes: 1 | 2; readonly scale: number; readonly min: number }

/** A weight, and the position of its bytes within its group. */
export interface Weight {
  readonly name: string
  readonly shape: readonly number[]
  readonly dtype: DType
  readonly quantization: Quantization | null
  readonly isOptimizers: boolean
  /** In bytes. */
  readonly start: number
}

/** Contiguous weights in one or more shards. */
export interface Group {
  readonly paths: readonly string[]
  readonly weights: readonly Weight[]
  /** Length of all its weights, in bytes. */
  readonly byteLength: number
}

/** The dtypes of TensorFlow.js weights, by its names for them. */
export const TFJS_DTYPES: { readonly [name: string]: DType } = {
  float32: 'float32',
  int32: 'int32',
  bool: 'bool',
  complex64: 'complex64',
}

/** Reads `weightsManifest`. Throws CKPT_FOREIGN_FILE, rule `tfjs.manifest`, and CKPT_NOT_CONVERTIBLE for text. */
export function readManifest(manifest: unknown): Group[] {
  if (!Array.isArray(manifest)) throw wrong('weightsManifest is not a list')
  const names = new Set<string>()
  return manifest.map((group: unknown): Group => {
    const { paths, weights } = recordOf(group, 'a group of weights')
    if (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')) {
      throw wrong('the paths of a group are not a list of names')
    }
    if (!Array.isArray(weights)) throw wrong('the weights of a group are not a list')
    let byteLength = 0
    const read = weights.map((spec: unknown): Weight => {
      const weight = readWeight(spec, byteLength)
      const key = `${weight.isOptimizers} ${weight.name}`
      if (names.has(key)) throw wrong(`the weight ${quote(weight.name)} is there twice`)
      names.add(key)
      byteLength += storedLength(weight)
      if (!Number.isSafeInteger(byteLength)) throw wrong('the weights have no safe number of bytes')
      return weight
    })
    return { paths, weights: read, byteLength }
  })
}

/** Length of a weight in the shards, in bytes. */
export function storedLength({ dtype, shape, quantization, name }: Weight): number {
  const stored: DType =
    quantization === null
      ? dtype
      : quantization.kind === 'linear' && quantization.bytes === 1
        ? 'uint8'
        : 'uint16'
  const length = tensorByteLength(stored, shape)
  if (length === undefined) throw wrong(`${quote(name)} has no possible shape`)
  return length
}

function readWeight(spec: unknown, start: number): Weight {
  const { name, shape, dtype, quantization, group } = recordOf(spec, 'a weight')
  if (typeof name !== 'string' || name === '') throw wrong('a weight has no name')
  if (!Array.isArray(shape) || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw wrong(`the shape of ${quote(name)} is not a list of lengths`)
  }
  if (dtype === 'string') {
    throw notConvertible(`${quote(name)} is text, which a checkpoint has no tensors of`, {
      tensor: name,
      actual: dtype,
    })
  }
  if (typeof dtype !== 'string' || !Object.hasOwn(TFJS_DTYPES, dtype)) {
    throw wrong(`the dtype of ${quote(name)} is none of TensorFlow.js: ${quote(String(dtype))}`)
  }
  return {
    name,
    shape,
    dtype: TFJS_DTYPES[dtype]!,
    quantization: quantization === undefined ? null : readQuantization(quantization, name, dtype),
    isOptimizers: group === 'optimizer',
    start,
  }
}

function readQuantization(value: unknown, name: string, of: string): Quantization {
  const { dtype, scale, min } = recordOf(value, `the quantization of ${quote(name)}`)
  if (dtype === 'float16' && of === 'float32') return { kind: 'half' }
  const isNumbers = Number.isFinite(scale) && Number.isFinite(min)
  if (
    (dtype === 'uint8' || dtype === 'uint16') &&
    isNumbers &&
    (of === 'float32' || of === 'int32')
  ) {
    const bytes = dtype === 'uint8' ? 1 : 2
    return { kind: 'linear', bytes, scale: scale as number, min: min as number }
  }
  throw notConvertible(
    `${quote(name)} is quantized in a way that is not known here: ${quote(String(dtype))} of ${of}`,
    { tensor: name, actual: dtype },
  )
}

function recordOf(value: unknown, what: string): { readonly [key: string]: unknown } {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrong(`${what} is not an object`)
  }
  return value as { readonly [key: string]: unknown }
}

function wrong(message: string): Error {
  return foreignFault('tfjs.manifest', message)
}
