/**
 * The dtypes: the width of an element, and the typed array that holds it.
 *
 * A dtype without a typed array of its own is held as raw bits: float16 and bfloat16 as Uint16Array, narrower ones as
 * Uint8Array, packed below eight bits. A complex number is held as two floats.
 */

import { DTYPES } from '../../generated/dtypes.js'

type TypedArrayConstructor = (typeof DTYPES)[DType]['array']

/** The name of a dtype, as in PyTorch and ml_dtypes. */
export type DType = keyof typeof DTYPES

/** All dtypes, floats first. */
export const dtypes = Object.keys(DTYPES) as readonly DType[]

const BY_CODE = new Map<number, DType>(dtypes.map((name) => [DTYPES[name].code, name]))

/** Whether a value is the name of a dtype. */
export function isDType(name: unknown): name is DType {
  return typeof name === 'string' && Object.hasOwn(DTYPES, name)
}

/** The number that stands for a dtype in a file. */
export function dtypeCode(dtype: DType): number {
  return DTYPES[dtype].code
}

/** The dtype of a number in a file, or undefined if the number stands for none. */
export function dtypeOfCode(code: number): DType | undefined {
  return BY_CODE.get(code)
}

/** The typed array that a dtype's elements are read as. */
export function arrayType(dtype: DType): TypedArrayConstructor {
  return DTYPES[dtype].array
}

/**
 * The dtype that a typed array implies, or undefined (DataView, ArrayBuffer). A Float16Array, if the engine has one, is
 * float16.
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
 * Number of elements of a shape, or undefined if it is not a safe integer. A dimension of zero makes it zero, but only
 * if the product of the other dimensions is safe as well: a zero must not hide a huge dimension.
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
 * Bytes that a tensor takes. Undefined if that is not a safe integer, or if the bits of a packed dtype do not fill
 * whole bytes.
 */
export function tensorByteLength(dtype: DType, shape: readonly number[]): number | undefined {
  const count = elementCount(shape)
  if (count === undefined) return undefined
  const bits = DTYPES[dtype].bits
  // Whole bytes per element first: count * bits could be unsafe although the bytes are safe.
  if (bits % 8 === 0) {
    const bytes = count * (bits / 8)
    return Number.isSafeInteger(bytes) ? bytes : undefined
  }
  const total = count * bits
  return Number.isSafeInteger(total) && total % 8 === 0 ? total / 8 : undefined
}
