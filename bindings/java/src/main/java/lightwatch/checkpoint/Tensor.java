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
 * <p>Its buffers are read-only views into the mapped file: no copy is made, and tensors over one
 * segment (tied weights) share their memory. They stay good after the checkpoint is closed; the map
 * goes with the last of them. Each call gives a buffer with a position of its own, from the first
 * byte to the last. Where the checkpoint was opened without a map, a buffer is memory of its own.
 *
 * <p>The first call checks the tensor's checksum and the bytes before its segment, which reads all
 * of it. Every method that gives a buffer throws a {@link CheckpointException}:
 * CKPT_TENSOR_CHECKSUM or CKPT_FORMAT (rule {@code gap}) where the bytes are damaged, CKPT_CLOSED
 * after the checkpoint was closed, and without a map also CKPT_READ and CKPT_FILE_CHANGED.
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
    // What is checked is the product of those that are not 0: a 0 has to win before it overflows.
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
   * All bytes, in little-endian order. (A duplicate or slice of a buffer is big-endian until it is
   * told otherwise.) Throws CKPT_TENSOR_TOO_LARGE from 2^31 bytes on: see {@link #slice}.
   */
  public ByteBuffer bytes() {
    return reader.bytes();
  }

  /**
   * {@code length} bytes from byte {@code offset} of the tensor on, in little-endian order: how to
   * read a tensor of 2^31 bytes and more, piece by piece. Such a tensor's slices are at most
   * {@link #MAX_SLICE} bytes long. Throws IndexOutOfBoundsException for a range that is not within
   * the tensor, and IllegalArgumentException for one that is too long.
   */
  public ByteBuffer slice(long offset, int length) {
    Objects.checkFromIndexSize(offset, length, byteLength());
    if (length > MAX_SLICE && byteLength() > Integer.MAX_VALUE) {
      throw new IllegalArgumentException(
          "a slice of " + length + " bytes, and " + MAX_SLICE + " are the most");
    }
    return reader.slice(offset, length);
  }

  /**
   * The elements of a {@code float32}; of a {@code complex64}, two an element. Throws
   * IllegalStateException for any other dtype, and as {@link #bytes} does.
   */
  public FloatBuffer floats() {
    expect(Dtype.FLOAT32, Dtype.COMPLEX64);
    return bytes().asFloatBuffer();
  }

  /**
   * The elements of a {@code float64}; of a {@code complex128}, two an element. Throws like {@link
   * #floats}.
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
   * The elements of an {@code int16} or {@code uint16}, or the bits of those of a {@code float16}
   * or {@code bfloat16}. Throws like {@link #floats}.
   */
  public ShortBuffer shorts() {
    expect(Dtype.INT16, Dtype.UINT16, Dtype.FLOAT16, Dtype.BFLOAT16);
    return bytes().asShortBuffer();
  }

  private void expect(Dtype... dtypes) {
    if (Arrays.asList(dtypes).contains(dtype())) return;
    throw new IllegalStateException(
        Printable.quote(name()) + " is " + dtype() + ", and not one of " + Arrays.toString(dtypes));
  }

  /** For people: what it is, without its elements. */
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
