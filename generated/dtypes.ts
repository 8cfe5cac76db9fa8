// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

/**
 * The dtypes by their names, floats first: the number in the file, the bits of an element, and the typed
 * array that holds elements, or their raw bits, or two numbers for a complex one.
 */
export const DTYPES = {
  /** IEEE 754 binary64. */
  float64: { code: 1, bits: 64, array: Float64Array },
  /** IEEE 754 binary32. */
  float32: { code: 2, bits: 32, array: Float32Array },
  /** IEEE 754 binary16. */
  float16: { code: 3, bits: 16, array: Uint16Array },
  /** The upper half of a binary32. */
  bfloat16: { code: 4, bits: 16, array: Uint16Array },
  /** OCP 8-bit float, finite. */
  float8_e4m3fn: { code: 5, bits: 8, array: Uint8Array },
  /** OCP 8-bit float. */
  float8_e5m2: { code: 6, bits: 8, array: Uint8Array },
  /** 8-bit float, finite, without a negative zero. */
  float8_e4m3fnuz: { code: 7, bits: 8, array: Uint8Array },
  /** 8-bit float, finite, without a negative zero. */
  float8_e5m2fnuz: { code: 8, bits: 8, array: Uint8Array },
  /** A power of two, eight bits of exponent: the scale of the OCP microscaling formats. */
  float8_e8m0fnu: { code: 9, bits: 8, array: Uint8Array },
  /** OCP microscaling float of 6 bits, packed. */
  float6_e2m3fn: { code: 10, bits: 6, array: Uint8Array },
  /** OCP microscaling float of 6 bits, packed. */
  float6_e3m2fn: { code: 11, bits: 6, array: Uint8Array },
  /** OCP microscaling float of 4 bits, packed. */
  float4_e2m1fn: { code: 12, bits: 4, array: Uint8Array },
  /** Two's complement integer. */
  int8: { code: 16, bits: 8, array: Int8Array },
  /** Two's complement integer. */
  int16: { code: 17, bits: 16, array: Int16Array },
  /** Two's complement integer. */
  int32: { code: 18, bits: 32, array: Int32Array },
  /** Two's complement integer. */
  int64: { code: 19, bits: 64, array: BigInt64Array },
  /** Unsigned integer. */
  uint8: { code: 20, bits: 8, array: Uint8Array },
  /** Unsigned integer. */
  uint16: { code: 21, bits: 16, array: Uint16Array },
  /** Unsigned integer. */
  uint32: { code: 22, bits: 32, array: Uint32Array },
  /** Unsigned integer. */
  uint64: { code: 23, bits: 64, array: BigUint64Array },
  /** One byte an element: 0 is false, anything else is true (writers write 1). */
  bool: { code: 24, bits: 8, array: Uint8Array },
  /** Two float32 an element: the real part, then the imaginary one. */
  complex64: { code: 25, bits: 64, array: Float32Array },
  /** Two float64 an element: the real part, then the imaginary one. */
  complex128: { code: 26, bits: 128, array: Float64Array },
  /** Two's complement integer of 4 bits, packed. */
  int4: { code: 27, bits: 4, array: Uint8Array },
  /** Unsigned integer of 4 bits, packed. */
  uint4: { code: 28, bits: 4, array: Uint8Array },
} as const
