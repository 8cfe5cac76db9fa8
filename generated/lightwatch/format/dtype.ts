// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

/**
 * The type of a tensor's elements. The names are those of PyTorch and ml_dtypes; tables.json has
 * their widths. Elements narrower than a byte are packed from the least significant bit of each
 * byte upwards, without gaps; a tensor's bits must fill whole bytes.
 */
export enum DType {
  /**
   * Never in a valid file.
   */
  unknown = 0,

  /**
   * IEEE 754 binary64.
   */
  float64 = 1,

  /**
   * IEEE 754 binary32.
   */
  float32 = 2,

  /**
   * IEEE 754 binary16.
   */
  float16 = 3,

  /**
   * The upper half of a binary32.
   */
  bfloat16 = 4,

  /**
   * OCP 8-bit float, finite.
   */
  float8_e4m3fn = 5,

  /**
   * OCP 8-bit float.
   */
  float8_e5m2 = 6,

  /**
   * 8-bit float, finite, without a negative zero.
   */
  float8_e4m3fnuz = 7,

  /**
   * 8-bit float, finite, without a negative zero.
   */
  float8_e5m2fnuz = 8,

  /**
   * A power of two, eight bits of exponent: the scale of the OCP microscaling formats.
   */
  float8_e8m0fnu = 9,

  /**
   * OCP microscaling float of 6 bits, packed.
   */
  float6_e2m3fn = 10,

  /**
   * OCP microscaling float of 6 bits, packed.
   */
  float6_e3m2fn = 11,

  /**
   * OCP microscaling float of 4 bits, packed.
   */
  float4_e2m1fn = 12,

  /**
   * Two's complement integer.
   */
  int8 = 16,

  /**
   * Two's complement integer.
   */
  int16 = 17,

  /**
   * Two's complement integer.
   */
  int32 = 18,

  /**
   * Two's complement integer.
   */
  int64 = 19,

  /**
   * Unsigned integer.
   */
  uint8 = 20,

  /**
   * Unsigned integer.
   */
  uint16 = 21,

  /**
   * Unsigned integer.
   */
  uint32 = 22,

  /**
   * Unsigned integer.
   */
  uint64 = 23,

  /**
   * One byte an element: 0 is false, anything else is true (writers write 1).
   */
  bool = 24,

  /**
   * Two float32 an element: the real part, then the imaginary one.
   */
  complex64 = 25,

  /**
   * Two float64 an element: the real part, then the imaginary one.
   */
  complex128 = 26,

  /**
   * Two's complement integer of 4 bits, packed.
   */
  int4 = 27,

  /**
   * Unsigned integer of 4 bits, packed.
   */
  uint4 = 28
}
