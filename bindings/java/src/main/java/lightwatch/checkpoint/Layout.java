package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * The lengths of tensors, and the positions of segments, which follow from the lengths alone. All
 * numbers are in bytes.
 */
final class Layout {
  private Layout() {}

  /** The position of a segment if what precedes it ends at {@code end}, at most 2^54. */
  static long segmentStart(long end) {
    return (end + Limits.LENGTH_BYTES + Limits.SEGMENT_ALIGNMENT - 1) & -Limits.SEGMENT_ALIGNMENT;
  }

  /** Whether a file of this length is one plain FlatBuffer, in which tensors are vectors as well. */
  static boolean isPlainFlatBuffer(long fileLength) {
    return fileLength < Limits.FLATBUFFER_LIMIT;
  }

  /** The gap before a segment: zeros, and at the end its length if the file is a plain FlatBuffer. */
  static ByteBuffer gap(int gapLength, long segmentLength, boolean plain) {
    var gap = ByteBuffer.allocate(gapLength).order(ByteOrder.LITTLE_ENDIAN);
    if (plain) gap.putInt(gapLength - Limits.LENGTH_BYTES, (int) segmentLength);
    return gap;
  }

  /**
   * Bytes that a tensor of this dtype and shape takes. Returns -1 if the product of the dimensions,
   * without those that are 0, exceeds 2^53 - 1 at any step (a zero must not hide a huge dimension), or
   * if bits do not fill whole bytes.
   */
  static long byteLength(Dtype dtype, long[] shape) {
    long count = 1;
    boolean empty = false;
    for (long length : shape) {
      if (length < 0 || length > Limits.MAX_SAFE_INTEGER) return -1;
      if (length == 0) {
        empty = true;
      } else {
        if (count > Limits.MAX_SAFE_INTEGER / length) return -1;
        count *= length;
      }
    }
    if (empty) count = 0;
    // Whole bytes per element first: the number of bits could be unsafe although that of bytes is safe.
    int bits = dtype.bits();
    int unit = bits % 8 == 0 ? bits / 8 : bits;
    if (count > Limits.MAX_SAFE_INTEGER / unit) return -1;
    long total = count * unit;
    if (bits % 8 == 0) return total;
    return total % 8 == 0 ? total / 8 : -1;
  }
}
