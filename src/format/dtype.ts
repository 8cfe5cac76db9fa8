/**
 * The dtypes: how wide an element is, and which typed array holds it.
 *
 * A dtype without a typed array of its own is held as its raw bits (float16 and bfloat16 as
 * Uint16Array, the narrower floats as Uint8Array, packed), and a complex number as two floats.
 */

import { DType as Code } from '../../generated/lightwatch/format/dtype.js'

type TypedArrayConstructor =
  | Float64ArrayConstructor
  | Float32ArrayConstructor
  | Int8ArrayConstructor
  | Int16ArrayConstructor
  | Int32ArrayConstructor
  | BigInt64ArrayConstructor
  | Uint8ArrayConstructor
  | Uint16ArrayConstructor
  | Uint32ArrayConstructor
  | BigUint64ArrayConstructor

interface DTypeInfo {
  /** The number in the file. */
  readonly code: Code
  /** Bits an element. */
  readonly bits: number
  readonly array: TypedArrayConstructor
}

const DTYPES = {
  float64: { code: Code.float64, bits: 64, array: Float64Array },
  float32: { code: Code.float32, bits: 32, array: Float32Array },
  float16: { code: Code.float16, bits: 16, array: Uint16Array },
  bfloat16: { code: Code.bfloat16, bits: 16, array: Uint16Array },
  float8_e4m3fn: { code: Code.float8_e4m3fn, bits: 8, array: Uint8Array },
  float8_e5m2: { code: Code.float8_e5m2, bits: 8, array: Uint8Array },
  float8_e4m3fnuz: { code: Code.float8_e4m3fnuz, bits: 8, array: Uint8Array },
  float8_e5m2fnuz: { code: Code.float8_e5m2fnuz, bits: 8, array: Uint8Array },
  float8_e8m0fnu: { code: Code.float8_e8m0fnu, bits: 8, array: Uint8Array },
  float6_e2m3fn: { code: Code.float6_e2m3fn, bits: 6, array: Uint8Array },
  float6_e3m2fn: { code: Code.float6_e3m2fn, bits: 6, array: Uint8Array },
  float4_e2m1fn: { code: Code.float4_e2m1fn, bits: 4, array: Uint8Array },
  int8: { code: Code.int8, bits: 8, array: Int8Array },
  int16: { code: Code.int16, bits: 16, array: Int16Array },
  int32: { code: Code.int32, bits: 32, array: Int32Array },
  int64: { code: Code.int64, bits: 64, array: BigInt64Array },
  uint8: { code: Code.uint8, bits: 8, array: Uint8Array },
  uint16: { code: Code.uint16, bits: 16, array: Uint16Array },
  uint32: { code: Code.uint32, bits: 32, array: Uint32Array },
  uint64: { code: Code.uint64, bits: 64, array: BigUint64Array },
  bool: { code: Code.bool, bits: 8, array: Uint8Array },
  complex64: { code: Code.complex64, bits: 64, array: Float32Array },
  complex128: { code: Code.complex128, bits: 128, array: Float64Array },
} as const satisfies { readonly [name: string]: DTypeInfo }

/** The name of a dtype, as PyTorch and ml_dtypes have it. */
export type DType = keyof typeof DTYPES

/** All dtypes, floats first. */
export const dtypes = Object.keys(DTYPES) as readonly DType[]

const BY_CODE = new Map<number, DType>(dtypes.map((name) => [DTYPES[name].code, name]))

export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && Object.hasOwn(DTYPES, name)
}

/** The number that stands for a dtype in a file. */
export function dtypeCode(dtype: DType): Code {
  return DTYPES[dtype].code
}

/** The dtype of a number in a file, or undefined where there is none. */
export function dtypeOfCode(code: number): DType | undefined {
  return BY_CODE.get(code)
}

/** The typed array that a dtype's elements are read as. */
export function arrayType(dtype: DType): TypedArrayConstructor {
  return DTYPES[dtype].array
}

/**
 * The dtype that a typed array holds without further word, or undefined (DataView, ArrayBuffer).
 * A Float16Array, where the engine has one, is float16.
 */
export function dtypeOfArray(data: unknown): DType | undefined {
  if (!ArrayBuffer.isView(data)) return undefined
  const tag = (data as unknown as { [Symbol.toStringTag]?: string })[Symbol.toStringTag]
  return tag === undefined ? undefined : ARRAY_DTYPES.get(tag)
}

const ARRAY_DTYPES: ReadonlyMap<string, DType> = new Map([
  ['Float64Array', 'float64'],
  ['Float32Array', 'float32'],
  ['Float16Array', 'float16'],
  ['Int8Array', 'int8'],
  ['Int16Array', 'int16'],
  ['Int32Array', 'int32'],
  ['BigInt64Array', 'int64'],
  ['Uint8Array', 'uint8'],
  ['Uint8ClampedArray', 'uint8'],
  ['Uint16Array', 'uint16'],
  ['Uint32Array', 'uint32'],
  ['BigUint64Array', 'uint64'],
])

/**
 * Number of elements of a shape, or undefined where it is not a safe integer. A zero anywhere makes
 * it zero, but only if the other dimensions' product is safe as well: a huge dimension cannot hide.
 */
export function elementCount(shape: readonly number[]): number | undefined {
  let count = 1
  let empty = false
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) return undefined
    if (length === 0) empty = true
    else {
      count *= length
      if (!Number.isSafeInteger(count)) return undefined
    }
  }
  return empty ? 0 : count
}

/**
 * Bytes that a tensor takes, or undefined where that is not a safe integer, or (packed dtypes) where
 * its bits do not fill whole bytes.
 */
export function tensorByteLength(dtype: DType, shape: readonly number[]): number | undefined {
  const count = elementCount(shape)
  if (count === undefined) return undefined
  const bits = DTYPES[dtype].bits
  // Whole bytes an element first: count * bits could be unsafe where the bytes are not.
  if (bits % 8 === 0) {
    const bytes = count * (bits / 8)
    return Number.isSafeInteger(bytes) ? bytes : undefined
  }
  const total = count * bits
  return Number.isSafeInteger(total) && total % 8 === 0 ? total / 8 : undefined
}
