package lightwatch.checkpoint;

import java.util.Arrays;
import java.util.Optional;
import lightwatch.format.DType;

/**
 * The type of a tensor's elements.
 *
 * <p>Elements that Java has no type for are read as their bits: {@code float16} and {@code
 * bfloat16} as shorts, narrower floats as bytes; unsigned integers in the signed type of their
 * width ({@link Integer#toUnsignedLong} and the like take them apart); complex numbers as two
 * floats or doubles, the real part first.
 */
public enum Dtype {
  FLOAT64(DType.float64, 64),
  FLOAT32(DType.float32, 32),
  FLOAT16(DType.float16, 16),
  /** The upper half of a float32. */
  BFLOAT16(DType.bfloat16, 16),
  FLOAT8_E4M3FN(DType.float8_e4m3fn, 8),
  FLOAT8_E5M2(DType.float8_e5m2, 8),
  FLOAT8_E4M3FNUZ(DType.float8_e4m3fnuz, 8),
  FLOAT8_E5M2FNUZ(DType.float8_e5m2fnuz, 8),
  /** A power of two: eight bits of exponent. */
  FLOAT8_E8M0FNU(DType.float8_e8m0fnu, 8),
  /** Packed from the least significant bit of each byte upwards, without gaps. */
  FLOAT6_E2M3FN(DType.float6_e2m3fn, 6),
  /** Packed like {@link #FLOAT6_E2M3FN}. */
  FLOAT6_E3M2FN(DType.float6_e3m2fn, 6),
  /** Packed like {@link #FLOAT6_E2M3FN}: the first element is in the lower half of a byte. */
  FLOAT4_E2M1FN(DType.float4_e2m1fn, 4),
  INT8(DType.int8, 8),
  INT16(DType.int16, 16),
  INT32(DType.int32, 32),
  INT64(DType.int64, 64),
  UINT8(DType.uint8, 8),
  UINT16(DType.uint16, 16),
  UINT32(DType.uint32, 32),
  UINT64(DType.uint64, 64),
  /** One byte an element: 0 is false, anything else true. */
  BOOL(DType.bool, 8),
  /** Two float32 an element. */
  COMPLEX64(DType.complex64, 64),
  /** Two float64 an element. */
  COMPLEX128(DType.complex128, 128);

  /** Largest integer that every language's readers hold exactly: 2^53 - 1. */
  static final long MAX_SAFE_INTEGER = (1L << 53) - 1;

  // By their number in a file, a byte.
  private static final Dtype[] BY_CODE = new Dtype[256];

  static {
    for (Dtype dtype : values()) BY_CODE[dtype.code] = dtype;
  }

  private final int code;
  private final int bits;
  private final String text;

  Dtype(int code, int bits) {
    this.code = code;
    this.bits = bits;
    this.text = DType.name(code);
  }

  /** The width of an element in bits: 4, 6, or a multiple of 8. */
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

  /**
   * Bytes that a tensor of this shape takes, or -1 if there is no such number: where the product of
   * the dimensions, leaving out those that are 0, is beyond 2^53 - 1 at any step (a huge dimension
   * cannot hide behind an empty one), or where bits do not fill whole bytes.
   */
  long byteLength(long[] shape) {
    long count = 1;
    boolean empty = false;
    for (long length : shape) {
      if (length < 0 || length > MAX_SAFE_INTEGER) return -1;
      if (length == 0) {
        empty = true;
      } else {
        if (count > MAX_SAFE_INTEGER / length) return -1;
        count *= length;
      }
    }
    if (empty) count = 0;
    // Whole bytes an element first: the number of bits could be unsafe where that of bytes is not.
    int unit = bits % 8 == 0 ? bits / 8 : bits;
    if (count > MAX_SAFE_INTEGER / unit) return -1;
    long total = count * unit;
    if (bits % 8 == 0) return total;
    return total % 8 == 0 ? total / 8 : -1;
  }
}
