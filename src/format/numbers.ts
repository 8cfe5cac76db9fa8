/** The elements of a tensor as numbers, of every dtype: floats of 16 bits and fewer by tables. */

import { DTYPES } from '../../generated/dtypes.js'
import type { DType } from './dtype.js'

/** Elements as numbers; bigints for integers of 64 bits. A complex number is two. */
export type Numbers =
  | Float64Array
  | Float32Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array

/** How the bits of a small float are read. */
interface Layout {
  readonly exponent: number
  readonly mantissa: number
  readonly bias: number
  /**
   * What the largest exponent stands for: `ieee`, infinities and NaN; `fn`, NaN if all bits are set;
   * `fnuz`, numbers, and NaN is a negative zero; `finite`, numbers.
   */
  readonly special: 'ieee' | 'fn' | 'fnuz' | 'finite'
}

const LAYOUTS: { readonly [dtype in DType]?: Layout } = {
  float16: { exponent: 5, mantissa: 10, bias: 15, special: 'ieee' },
  bfloat16: { exponent: 8, mantissa: 7, bias: 127, special: 'ieee' },
  float8_e4m3fn: { exponent: 4, mantissa: 3, bias: 7, special: 'fn' },
  float8_e5m2: { exponent: 5, mantissa: 2, bias: 15, special: 'ieee' },
  float8_e4m3fnuz: { exponent: 4, mantissa: 3, bias: 8, special: 'fnuz' },
  float8_e5m2fnuz: { exponent: 5, mantissa: 2, bias: 16, special: 'fnuz' },
  float6_e2m3fn: { exponent: 2, mantissa: 3, bias: 1, special: 'finite' },
  float6_e3m2fn: { exponent: 3, mantissa: 2, bias: 3, special: 'finite' },
  float4_e2m1fn: { exponent: 2, mantissa: 1, bias: 1, special: 'finite' },
}

const TABLES = new Map<DType, Float32Array>()

/** The value of each pattern of bits of a small dtype; undefined where a typed array reads it. */
function tableOf(dtype: DType): Float32Array | undefined {
  let table = TABLES.get(dtype)
  if (table === undefined) {
    table = makeTable(dtype)
    if (table !== undefined) TABLES.set(dtype, table)
  }
  return table
}

function makeTable(dtype: DType): Float32Array | undefined {
  const { bits } = DTYPES[dtype]
  switch (dtype) {
    case 'float8_e8m0fnu':
      // All bits set are NaN. 2^-127 is a subnormal of float32, which it holds exactly.
      return Float32Array.from({ length: 256 }, (_, i) => (i === 255 ? Number.NaN : 2 ** (i - 127)))
    case 'int4':
      return Float32Array.from({ length: 16 }, (_, i) => (i < 8 ? i : i - 16))
    case 'uint4':
      return Float32Array.from({ length: 16 }, (_, i) => i)
  }
  const layout = LAYOUTS[dtype]
  return layout && Float32Array.from({ length: 2 ** bits }, (_, i) => floatOf(i, layout))
}

function floatOf(bits: number, { exponent, mantissa, bias, special }: Layout): number {
  const sign = bits >> (exponent + mantissa) === 0 ? 1 : -1
  const e = (bits >> mantissa) & (2 ** exponent - 1)
  const m = bits & (2 ** mantissa - 1)
  const isLast = e === 2 ** exponent - 1
  if (special === 'ieee' && isLast) return m === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  if (special === 'fn' && isLast && m === 2 ** mantissa - 1) return Number.NaN
  if (special === 'fnuz' && sign === -1 && e === 0 && m === 0) return Number.NaN
  const fraction = m / 2 ** mantissa
  return sign * (e === 0 ? fraction * 2 ** (1 - bias) : (1 + fraction) * 2 ** (e - bias))
}

/**
 * The elements of `bytes`, which hold whole ones. A view of them where a typed array reads the dtype and the
 * memory is aligned; a new array otherwise. Packed elements begin with the lowest bits of a byte.
 */
export function numbersOf(dtype: DType, bytes: Uint8Array): Numbers {
  const { array: ArrayType, bits } = DTYPES[dtype]
  const table = tableOf(dtype)
  if (table !== undefined && bits < 8) return unpacked(bytes, bits, table)
  const width = ArrayType.BYTES_PER_ELEMENT
  const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice()
  const { buffer, byteOffset, byteLength } = aligned
  const raw = new ArrayType(buffer as ArrayBuffer, byteOffset, byteLength / width)
  if (table === undefined) return raw
  const numbers = new Float32Array(raw.length)
  const codes = raw as Uint8Array | Uint16Array
  for (let i = 0; i < numbers.length; i++) numbers[i] = table[codes[i]!]!
  return numbers
}

function unpacked(bytes: Uint8Array, bits: number, table: Float32Array): Float32Array {
  const mask = 2 ** bits - 1
  const numbers = new Float32Array((bytes.length * 8) / bits)
  for (let i = 0, at = 0; i < numbers.length; i++, at += bits) {
    const byte = at >>> 3
    const pair = bytes[byte]! | ((bytes[byte + 1] ?? 0) << 8)
    numbers[i] = table[(pair >>> (at & 7)) & mask]!
  }
  return numbers
}

/** Whether a dtype has NaN or infinities. */
export function mayBeNonFinite(dtype: DType): boolean {
  if (dtype === 'float8_e8m0fnu' || /^(complex|float(32|64))/.test(dtype)) return true
  const layout = LAYOUTS[dtype]
  return layout !== undefined && layout.special !== 'finite'
}
