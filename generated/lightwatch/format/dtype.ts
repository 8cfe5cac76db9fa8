// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

/**
 * The type of a tensor's elements. The names are those of PyTorch and ml_dtypes.
 */
export enum DType {
  /**
   * Never in a valid file.
   */
  unknown = 0,

  /**
   * IEEE 754 binary64, binary32 and binary16.
   */
  float64 = 1,
  float32 = 2,
  float16 = 3,

  /**
   * The upper half of a binary32.
   */
  bfloat16 = 4,

  /**
   * OCP 8-bit floats; `fn`: finite, `uz`: no negative zero.
   */
  float8_e4m3fn = 5,
  float8_e5m2 = 6,
  float8_e4m3fnuz = 7,
  float8_e5m2fnuz = 8,

  /**
   * A power of two, eight bits of exponent: the scale of the OCP microscaling formats.
   */
  float8_e8m0fnu = 9,

  /**
   * OCP microscaling floats of 6 and 4 bits, packed from the least significant bit of each byte
   * upwards without gaps; a tensor's bits must fill whole bytes.
   */
  float6_e2m3fn = 10,
  float6_e3m2fn = 11,
  float4_e2m1fn = 12,

  /**
   * Two's complement integers.
   */
  int8 = 16,
  int16 = 17,
  int32 = 18,
  int64 = 19,
  uint8 = 20,
  uint16 = 21,
  uint32 = 22,
  uint64 = 23,

  /**
   * One byte an element: 0 is false, anything else is true (writers write 1).
   */
  bool = 24,

  /**
   * Two float32, or two float64, an element: the real part, then the imaginary one.
   */
  complex64 = 25,
  complex128 = 26
}
