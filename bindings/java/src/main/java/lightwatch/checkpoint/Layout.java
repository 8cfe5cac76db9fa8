package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/** Where segments lie in a file, which follows from their lengths alone. All numbers in bytes. */
final class Layout {
  /** Every segment starts at a multiple of this. */
  static final int SEGMENT_ALIGNMENT = 64;

  /** What is kept before a segment for its length. */
  static final int LENGTH_BYTES = 4;

  /** Files shorter than this are one plain FlatBuffer: the longest buffer (exclusive) there is. */
  static final long FLATBUFFER_LIMIT = Integer.MAX_VALUE;

  private Layout() {}

  /** Where a segment starts when what stands before it ends at {@code end}, at most 2^54. */
  static long segmentStart(long end) {
    return (end + LENGTH_BYTES + SEGMENT_ALIGNMENT - 1) & -SEGMENT_ALIGNMENT;
  }

  /** Whether the tensors of a file of this length are FlatBuffers vectors as well. */
  static boolean isPlainFlatBuffer(long fileLength) {
    return fileLength < FLATBUFFER_LIMIT;
  }

  /** The bytes before a segment: zeros, and last its length where the file is a FlatBuffer. */
  static ByteBuffer gap(int gapLength, long segmentLength, boolean plain) {
    var gap = ByteBuffer.allocate(gapLength).order(ByteOrder.LITTLE_ENDIAN);
    if (plain) gap.putInt(gapLength - LENGTH_BYTES, (int) segmentLength);
    return gap;
  }
}
