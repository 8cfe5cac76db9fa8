// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

package lightwatch.checkpoint;

import java.util.Arrays;
import java.util.Optional;

/**
 * The type of a tensor's elements.
 *
 * <p>Elements without a Java type are read as their bits: {@code float16} and {@code
 * bfloat16} as shorts, narrower ones as bytes, packed below eight bits; unsigned integers in the
 * signed type of their width (see {@link Integer#toUnsignedLong} and the like); complex
 * numbers as two floats or doubles, the real part first.
 */
public enum Dtype {
  /** IEEE 754 binary64. */
  FLOAT64(1, 64, "float64"),
  /** IEEE 754 binary32. */
  FLOAT32(2, 32, "float32"),
  /** IEEE 754 binary16. */
  FLOAT16(3, 16, "float16"),
  /** The upper half of a binary32. */
  BFLOAT16(4, 16, "bfloat16"),
  /** OCP 8-bit float, finite. */
  FLOAT8_E4M3FN(5, 8, "float8_e4m3fn"),
  /** OCP 8-bit float. */
  FLOAT8_E5M2(6, 8, "float8_e5m2"),
  /** 8-bit float, finite, without a negative zero. */
  FLOAT8_E4M3FNUZ(7, 8, "float8_e4m3fnuz"),
  /** 8-bit float, finite, without a negative zero. */
  FLOAT8_E5M2FNUZ(8, 8, "float8_e5m2fnuz"),
  /** A power of two, eight bits of exponent: the scale of the OCP microscaling formats. */
  FLOAT8_E8M0FNU(9, 8, "float8_e8m0fnu"),
  /** OCP microscaling float of 6 bits, packed. */
  FLOAT6_E2M3FN(10, 6, "float6_e2m3fn"),
  /** OCP microscaling float of 6 bits, packed. */
  FLOAT6_E3M2FN(11, 6, "float6_e3m2fn"),
  /** OCP microscaling float of 4 bits, packed. */
  FLOAT4_E2M1FN(12, 4, "float4_e2m1fn"),
  /** Two's complement integer. */
  INT8(16, 8, "int8"),
  /** Two's complement integer. */
  INT16(17, 16, "int16"),
  /** Two's complement integer. */
  INT32(18, 32, "int32"),
  /** Two's complement integer. */
  INT64(19, 64, "int64"),
  /** Unsigned integer. */
  UINT8(20, 8, "uint8"),
  /** Unsigned integer. */
  UINT16(21, 16, "uint16"),
  /** Unsigned integer. */
  UINT32(22, 32, "uint32"),
  /** Unsigned integer. */
  UINT64(23, 64, "uint64"),
  /** One byte an element: 0 is false, anything else is true (writers write 1). */
  BOOL(24, 8, "bool"),
  /** Two float32 an element: the real part, then the imaginary one. */
  COMPLEX64(25, 64, "complex64"),
  /** Two float64 an element: the real part, then the imaginary one. */
  COMPLEX128(26, 128, "complex128"),
  /** Two's complement integer of 4 bits, packed. */
  INT4(27, 4, "int4"),
  /** Unsigned integer of 4 bits, packed. */
  UINT4(28, 4, "uint4");

  // By their number in a file, a byte.
  private static final Dtype[] BY_CODE = new Dtype[256];

  static {
    for (Dtype dtype : values()) BY_CODE[dtype.code] = dtype;
  }

  private final int code;
  private final int bits;
  private final String text;

  Dtype(int code, int bits, String text) {
    this.code = code;
    this.bits = bits;
    this.text = text;
  }

  /** The width of an element in bits. */
  public int bits() {
    return bits;
  }

  /** Its name in the format, which is that of PyTorch and ml_dtypes: {@code float32}. */
  @Override
  public String toString() {
    return text;
  }

  /** The dtype of a name like {@code float32}. Throws IllegalArgumentException if there is none. */
  public static Dtype of(String name) {
    return Arrays.stream(values())
        .filter(dtype -> dtype.text.equals(name))
        .findFirst()
        .orElseThrow(
            () -> new IllegalArgumentException("there is no dtype " + Printable.quote(name)));
  }

  /** The dtype of a number in a file, from 0 to 255. */
  static Optional<Dtype> ofCode(int code) {
    return Optional.ofNullable(BY_CODE[code]);
  }
}
