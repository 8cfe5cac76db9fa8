package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.zip.CRC32;

/**
 * The bytes of one segment of an open checkpoint: in place if the file is mapped, otherwise read. They
 * are not handed out before they match their checksum, unless the caller has turned that off. All
 * tensors over the segment share one. Safe for threads: two that verify at once get the same result.
 */
final class SegmentReader {
  // Bytes that are verified at once.
  private static final int SLICE = 1 << 24;

  private final Source source;
  private final Segment segment;
  private final boolean check;
  private final Path path;
  private volatile boolean gapChecked;
  private volatile boolean checked;

  SegmentReader(Source source, Segment segment, boolean check, Path path) {
    this.source = source;
    this.segment = segment;
    this.check = check;
    this.path = path;
  }

  /**
   * All bytes, read-only and little-endian. Throws CKPT_TENSOR_CHECKSUM, CKPT_FORMAT (rule gap),
   * CKPT_TENSOR_TOO_LARGE, CKPT_CLOSED, and CKPT_READ and CKPT_FILE_CHANGED if the file is not mapped.
   */
  ByteBuffer bytes() {
    try {
      if (segment.byteLength() > Integer.MAX_VALUE) {
        throw new CheckpointException(
            ErrorCode.CKPT_TENSOR_TOO_LARGE,
            Printable.quote(segment.tensor())
                + " has "
                + segment.byteLength()
                + " bytes, more than one buffer holds: read it in slices");
      }
      int length = (int) segment.byteLength();
      if (source.inPlace()) {
        checkOnce();
        return readOnly(source.bytes(segment.offset(), length));
      }
      // Verified after each read, because the file may have changed since the last one.
      if (check) checkGap();
      ByteBuffer bytes = source.bytes(segment.offset(), length);
      if (check) {
        var crc = new CRC32();
        crc.update(bytes.duplicate());
        compare(crc);
        checked = true;
      }
      return readOnly(bytes);
    } catch (CheckpointException fault) {
      throw at(fault);
    }
  }

  /**
   * Some bytes, in range, read-only and little-endian. The whole segment is verified before the first
   * slice. Throws like {@code bytes}.
   */
  ByteBuffer slice(long offset, int length) {
    try {
      checkOnce();
      return readOnly(source.bytes(segment.offset() + offset, length));
    } catch (CheckpointException fault) {
      throw at(fault);
    }
  }

  /** Verifies the bytes before the segment, then its checksum, whatever the options say. */
  void check() {
    try {
      checkNow();
    } catch (CheckpointException fault) {
      throw at(fault);
    }
  }

  private void checkOnce() {
    if (check && !checked) checkNow();
  }

  private void checkNow() {
    checkGap();
    var crc = new CRC32();
    for (long done = 0; done < segment.byteLength(); ) {
      int length = (int) Math.min(SLICE, segment.byteLength() - done);
      crc.update(source.bytes(segment.offset() + done, length));
      done += length;
    }
    compare(crc);
    checked = true;
  }

  private void checkGap() {
    if (gapChecked) return;
    ByteBuffer expected =
        Layout.gap(segment.gapLength(), segment.byteLength(), segment.plain());
    ByteBuffer actual = source.bytes(segment.gapStart(), segment.gapLength());
    int i = expected.mismatch(actual);
    if (i >= 0) {
      throw new CheckpointException(
          ErrorCode.CKPT_FORMAT,
          Rule.GAP,
          "the bytes before "
              + Printable.quote(segment.tensor())
              + " are damaged, from byte "
              + (segment.gapStart() + i)
              + " on");
    }
    gapChecked = true;
  }

  private void compare(CRC32 crc) {
    int actual = (int) crc.getValue();
    if (actual == segment.crc32()) return;
    throw new CheckpointException(
        ErrorCode.CKPT_TENSOR_CHECKSUM,
        String.format(
            "the bytes of %s (of %s) are damaged: checksum mismatch, found %08x, expected %08x",
            Printable.quote(segment.tensor()),
            Printable.quote(segment.state()),
            actual,
            segment.crc32()));
  }

  private CheckpointException at(CheckpointException fault) {
    return fault.of(segment.state(), segment.tensor()).at(path);
  }

  private static ByteBuffer readOnly(ByteBuffer bytes) {
    return bytes.asReadOnlyBuffer().order(bytes.order());
  }
}
