package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.DoubleBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.Arrays;
import java.util.Objects;

/**
 * A tensor of a checkpoint. Elements are in row-major order, without strides or gaps.
 *
 * <p>Its buffers are read-only views into the mapped file, without a copy, and tensors over one segment
 * (tied weights) share their memory. They stay valid after the checkpoint is closed; the map is
 * released with the last of them. Each call returns a buffer with its own position, from the first byte
 * to the last. If the checkpoint was opened without a map, a buffer has memory of its own.
 *
 * <p>The first call verifies the tensor's checksum and the bytes before its segment, which reads all of
 * it. Every method that returns a buffer throws a {@link CheckpointException}: CKPT_TENSOR_CHECKSUM or
 * CKPT_FORMAT (rule {@code gap}) if the bytes are damaged, CKPT_CLOSED after the checkpoint was closed,
 * and without a map also CKPT_READ and CKPT_FILE_CHANGED.
 */
public final class Tensor {
  /** Longest slice, in bytes, of a tensor that has more bytes than one buffer holds: 1 GiB. */
  public static final int MAX_SLICE = Source.MAX_PIECE;

  private final String state;
  private final Metadata.TensorRecord record;
  private final SegmentReader reader;

  Tensor(String state, Metadata.TensorRecord record, SegmentReader reader) {
    this.state = state;
    this.record = record;
    this.reader = reader;
  }

  /** The key in the state dict. */
  public String name() {
    return record.name();
  }

  /** The type of its elements. */
  public Dtype dtype() {
    return record.dtype();
  }

  /** The length of each dimension in elements, outermost first; empty for a scalar. A copy. */
  public long[] shape() {
    return record.shape().clone();
  }

  /** Number of elements; 1 for a scalar. */
  public long elementCount() {
    long count = 1;
    // The verified product leaves out zeros, so a zero must be found before the product overflows.
    for (long length : record.shape()) if (length == 0) return 0;
    for (long length : record.shape()) count *= length;
    return count;
  }

  /** Length in bytes. */
  public long byteLength() {
    return record.byteLength();
  }

  /** Position of its first byte in the file, a multiple of 64. */
  public long offset() {
    return record.offset();
  }

  /**
   * All bytes, in little-endian order. (A duplicate or slice of a buffer is big-endian until its order
   * is set.) Throws CKPT_TENSOR_TOO_LARGE from 2^31 bytes on: see {@link #slice}.
   */
  public ByteBuffer bytes() {
    return reader.bytes();
  }

  /**
   * {@code length} bytes from byte {@code offset} of the tensor on, in little-endian order. Tensors of
   * 2^31 bytes and more are read this way, piece by piece, with slices of at most {@link #MAX_SLICE}
   * bytes. Throws IndexOutOfBoundsException for a range outside the tensor, and
   * IllegalArgumentException for one that is too long.
   */
  public ByteBuffer slice(long offset, int length) {
    Objects.checkFromIndexSize(offset, length, byteLength());
    if (length > MAX_SLICE && byteLength() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a slice of " + length + " bytes: expected at most " + MAX_SLICE);
    }
    return reader.slice(offset, length);
  }

  /**
   * The elements of a {@code float32}, or of a {@code complex64} with two floats each. Throws
   * IllegalStateException for any other dtype, and like {@link #bytes}.
   */
  public FloatBuffer floats() {
    expect(Dtype.FLOAT32, Dtype.COMPLEX64);
    return bytes().asFloatBuffer();
  }

  /**
   * The elements of a {@code float64}, or of a {@code complex128} with two doubles each. Throws like
   * {@link #floats}.
   */
  public DoubleBuffer doubles() {
    expect(Dtype.FLOAT64, Dtype.COMPLEX128);
    return bytes().asDoubleBuffer();
  }

  /** The elements of an {@code int64} or {@code uint64}. Throws like {@link #floats}. */
  public LongBuffer longs() {
    expect(Dtype.INT64, Dtype.UINT64);
    return bytes().asLongBuffer();
  }

  /** The elements of an {@code int32} or {@code uint32}. Throws like {@link #floats}. */
  public IntBuffer ints() {
    expect(Dtype.INT32, Dtype.UINT32);
    return bytes().asIntBuffer();
  }

  /**
   * The elements of an {@code int16} or {@code uint16}, or the bits of a {@code float16} or {@code
   * bfloat16}. Throws like {@link #floats}.
   */
  public ShortBuffer shorts() {
    expect(Dtype.INT16, Dtype.UINT16, Dtype.FLOAT16, Dtype.BFLOAT16);
    return bytes().asShortBuffer();
  }

  private void expect(Dtype... dtypes) {
    if (Arrays.asList(dtypes).contains(dtype())) return;
    throw new IllegalStateException(
        Printable.quote(name()) + " is " + dtype() + ": expected one of " + Arrays.toString(dtypes));
  }

  /** For people: its description, without its elements. */
  @Override
  public String toString() {
    return Printable.escape(state)
        + "/"
        + Printable.escape(name())
        + " "
        + dtype()
        + " "
        + Arrays.toString(record.shape());
  }
}
