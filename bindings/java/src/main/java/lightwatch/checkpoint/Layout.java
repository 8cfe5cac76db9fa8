package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * How long tensors are, and where segments lie in a file, which follows from that alone. All numbers
 * in bytes.
 */
final class Layout {
  private Layout() {}

  /** Where a segment starts when what stands before it ends at {@code end}, at most 2^54. */
  static long segmentStart(long end) {
    return (end + Limits.LENGTH_BYTES + Limits.SEGMENT_ALIGNMENT - 1) & -Limits.SEGMENT_ALIGNMENT;
  }

  /** Whether the tensors of a file of this length are FlatBuffers vectors as well. */
  static boolean isPlainFlatBuffer(long fileLength) {
    return fileLength < Limits.FLATBUFFER_LIMIT;
  }

  /** The bytes before a segment: zeros, and last its length where the file is a FlatBuffer. */
  static ByteBuffer gap(int gapLength, long segmentLength, boolean plain) {
    var gap = ByteBuffer.allocate(gapLength).order(ByteOrder.LITTLE_ENDIAN);
    if (plain) gap.putInt(gapLength - Limits.LENGTH_BYTES, (int) segmentLength);
    return gap;
  }

  /**
   * Bytes that a tensor of this dtype and shape takes, or -1 if there is no such number: where the product of
   * the dimensions, leaving out those that are 0, is beyond 2^53 - 1 at any step (a huge dimension
   * cannot hide behind an empty one), or where bits do not fill whole bytes.
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
    // Whole bytes an element first: the number of bits could be unsafe where that of bytes is not.
    int bits = dtype.bits();
    int unit = bits % 8 == 0 ? bits / 8 : bits;
    if (count > Limits.MAX_SAFE_INTEGER / unit) return -1;
    long total = count * unit;
    if (bits % 8 == 0) return total;
    return total % 8 == 0 ? total / 8 : -1;
  }
}
