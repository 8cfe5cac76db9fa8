/**
 * The header of a safetensors file: eight bytes with its length, then JSON, then the bytes of the tensors without gaps.
 * The rules for reading are those of the Rust library (safetensors 0.8), except that a duplicate key is an error.
 * Headers are written as the Rust library writes them, byte for byte, with at most one note. It orders several notes at
 * random; here they are sorted.
 *
 * Every rule has a name, which an error carries: `safetensors.header` (length and JSON), `safetensors.info` (a tensor's
 * description), `safetensors.offset` (holes and overlaps), `safetensors.length` (the file's end).
 */

import { messageOf } from '../errors.js'
import { type DType, tensorByteLength } from '../format/dtype.js'
import { quote } from '../printable.js'
import { isMap } from '../realm.js'
import { type Json, parseStrictJson } from './strict-json.js'
import { foreignFault, notConvertible } from './training.js'

/** Longest header, in bytes; the limit of the Rust library. */
export const MAX_HEADER = 100_000_000

/** Bytes before the header, with its length. */
export const LENGTH_BYTES = 8

/** The names of dtypes in safetensors, in the Rust library's order of alignment. */
const DTYPES: readonly (readonly [name: string, dtype: DType])[] = [
  ['BOOL', 'bool'],
  ['F4', 'float4_e2m1fn'],
  ['F6_E2M3', 'float6_e2m3fn'],
  ['F6_E3M2', 'float6_e3m2fn'],
  ['U8', 'uint8'],
  ['I8', 'int8'],
  ['F8_E5M2', 'float8_e5m2'],
  ['F8_E4M3', 'float8_e4m3fn'],
  ['F8_E8M0', 'float8_e8m0fnu'],
  ['F8_E4M3FNUZ', 'float8_e4m3fnuz'],
  ['F8_E5M2FNUZ', 'float8_e5m2fnuz'],
  ['I16', 'int16'],
  ['U16', 'uint16'],
  ['F16', 'float16'],
  ['BF16', 'bfloat16'],
  ['I32', 'int32'],
  ['U32', 'uint32'],
  ['F32', 'float32'],
  ['C64', 'complex64'],
  ['F64', 'float64'],
  ['I64', 'int64'],
  ['U64', 'uint64'],
]

const BY_NAME = new Map(DTYPES)
const RANKS = new Map(DTYPES.map(([name, dtype], rank) => [dtype, { name, rank }]))

/** Whether safetensors has a dtype. */
export function hasDType(dtype: DType): boolean {
  return RANKS.has(dtype)
}

/** A tensor as a header describes it. */
export interface TensorInfo {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Position of its first byte, from the end of the header. */
  readonly start: number
  readonly byteLength: number
}

/** The content of a header. */
export interface Header {
  /** In the order of their bytes. */
  readonly tensors: readonly TensorInfo[]
  /** `__metadata__`: texts by name. */
  readonly metadata: { readonly [name: string]: string }
}

/**
 * The length of the header, from the first eight bytes of a file of `size` bytes. Throws CKPT_FOREIGN_FILE, rule
 * `safetensors.header`.
 */
export function headerLength(head: Uint8Array, size: number): number {
  if (head.length < LENGTH_BYTES) {
    throw foreignFault('safetensors.header', `a file of ${size} bytes is too short for a header`)
  }
  const data = new DataView(head.buffer, head.byteOffset, LENGTH_BYTES)
  const length = data.getBigUint64(0, true)
  if (length > MAX_HEADER) {
    throw foreignFault(
      'safetensors.header',
      `not a safetensors file: expected a header of at most ${MAX_HEADER} bytes, found ${length}`,
      {
        expected: MAX_HEADER,
        actual: length,
      },
    )
  }
  if (LENGTH_BYTES + Number(length) > size) {
    throw foreignFault('safetensors.header', 'the header reaches beyond the end of the file', {
      expected: size,
      actual: LENGTH_BYTES + Number(length),
    })
  }
  return Number(length)
}

/**
 * Reads a header that `dataLength` bytes of data follow. Throws CKPT_FOREIGN_FILE with the rule, and
 * CKPT_NOT_CONVERTIBLE for an unknown dtype.
 */
export function parseHeader(bytes: Uint8Array, dataLength: number): Header {
  let json: Json
  try {
    json = parseStrictJson(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes))
  } catch (cause) {
    const what = (cause as Error).name === 'SyntaxError' ? messageOf(cause) : 'it is not UTF-8'
    throw foreignFault('safetensors.header', `the header is not valid: ${what}`, { cause })
  }
  if (!isMap(json)) {
    throw foreignFault('safetensors.header', 'the header is not a JSON object')
  }
  const metadata = metadataOf(json.get('__metadata__'))
  json.delete('__metadata__')
  const tensors = Array.from(json, ([name, info]) => infoOf(name, info))
  tensors.sort((a, b) => a.start - b.start || a.byteLength - b.byteLength)
  let end = 0
  for (const { name, start, byteLength } of tensors) {
    if (start !== end) {
      const what = start < end ? 'overlaps the tensor before it' : 'leaves a hole before it'
      throw foreignFault('safetensors.offset', `${quote(name)} ${what}`, {
        tensor: name,
        expected: end,
        actual: start,
      })
    }
    end += byteLength
  }
  if (end !== dataLength) {
    throw foreignFault(
      'safetensors.length',
      `the file was cut off or extended: expected ${end} bytes behind the header, found ${dataLength}`,
      { expected: end, actual: dataLength },
    )
  }
  return { tensors, metadata }
}

function metadataOf(json: Json | undefined): { [name: string]: string } {
  const entries = json === undefined || json === null ? [] : isMap(json) ? [...json] : null
  if (entries === null || entries.some(([, value]) => typeof value !== 'string')) {
    throw foreignFault('safetensors.header', '__metadata__ is not an object of texts')
  }
  return Object.fromEntries(entries as [string, string][])
}

function infoOf(name: string, json: Json): TensorInfo {
  const bad = (what: string, fields: { expected?: unknown; actual?: unknown } = {}): Error =>
    foreignFault('safetensors.info', `${quote(name)} ${what}`, { tensor: name, ...fields })
  if (!isMap(json)) throw bad('is not described by an object')
  const [dtypeName, shape, offsets] = ['dtype', 'shape', 'data_offsets'].map((key) => json.get(key))
  if (typeof dtypeName !== 'string') throw bad('has no dtype')
  const dtype = BY_NAME.get(dtypeName)
  if (dtype === undefined) {
    throw notConvertible(
      `${quote(name)} has the dtype ${quote(dtypeName)}, which is not known here`,
      {
        tensor: name,
        actual: dtypeName,
      },
    )
  }
  if (!isLengths(shape)) throw bad('has a shape that is not a list of lengths')
  if (!isLengths(offsets) || offsets.length !== 2)
    throw bad('has no data_offsets from and to a byte')
  const [start, end] = offsets as [number, number]
  if (end < start) {
    throw foreignFault('safetensors.offset', `${quote(name)} ends before it begins`, {
      tensor: name,
      offset: start,
    })
  }
  const byteLength = tensorByteLength(dtype, shape)
  if (byteLength === undefined) throw bad('has no whole and safe number of bytes')
  if (end - start !== byteLength) {
    throw bad(`has ${end - start} bytes, which are not ${dtype} [${shape.join(', ')}]`, {
      expected: byteLength,
      actual: end - start,
    })
  }
  return { name, dtype, shape, start, byteLength }
}

function isLengths(json: Json | undefined): json is number[] {
  return Array.isArray(json) && json.every((length) => typeof length === 'number' && length >= 0)
}

const encoder = new TextEncoder()

/** The bytes of a file before its tensors, and the tensors in file order. */
export function formatHeader<T extends Omit<TensorInfo, 'start'>>(
  tensors: Iterable<T>,
  metadata: { readonly [name: string]: string },
): { head: Uint8Array; order: readonly T[] } {
  const keyed = Array.from(tensors, (tensor) => ({ tensor, key: encoder.encode(tensor.name) }))
  // The widest alignment first, then by the bytes of the name.
  keyed.sort(
    (a, b) => rankOf(b.tensor.dtype) - rankOf(a.tensor.dtype) || compareBytes(a.key, b.key),
  )
  const members: string[] = []
  const keys = Object.keys(metadata).sort((a, b) =>
    compareBytes(encoder.encode(a), encoder.encode(b)),
  )
  if (keys.length > 0) {
    const notes = keys.map((key) => `${JSON.stringify(key)}:${JSON.stringify(metadata[key])}`)
    members.push(`"__metadata__":{${notes.join()}}`)
  }
  let end = 0
  const order = keyed.map(({ tensor }) => {
    const { name, dtype, shape, byteLength } = tensor
    const start = end
    end += byteLength
    const info = `"dtype":"${RANKS.get(dtype)!.name}","shape":[${shape.join()}],"data_offsets":[${start},${end}]`
    members.push(`${JSON.stringify(name)}:{${info}}`)
    return tensor
  })
  const json = encoder.encode(`{${members.join()}}`)
  const length = Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES
  if (length > MAX_HEADER) {
    throw notConvertible(
      `the header would have ${length} bytes, and safetensors allows ${MAX_HEADER}`,
      {
        actual: length,
      },
    )
  }
  const head = new Uint8Array(LENGTH_BYTES + length).fill(0x20)
  new DataView(head.buffer).setBigUint64(0, BigInt(length), true)
  head.set(json, LENGTH_BYTES)
  return { head, order }
}

function rankOf(dtype: DType): number {
  return RANKS.get(dtype)!.rank
}

function compareBytes(a: Uint8Array, b: Uint8Array): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return a[i]! - b[i]!
  return a.length - b.length
}
