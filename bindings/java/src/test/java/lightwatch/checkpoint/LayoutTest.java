package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Where things lie, and how long they are, in numbers beyond an int. */
class LayoutTest {
  private static final long GIB = 1L << 30;
  private static final long LONGEST = Integer.MAX_VALUE;

  @Test
  void segmentsStartAtMultiplesOf64WithRoomForTheirLength() {
    assertEquals(64, Layout.segmentStart(0));
    assertEquals(64, Layout.segmentStart(60));
    assertEquals(128, Layout.segmentStart(61));
    assertEquals(5 * GIB + 64, Layout.segmentStart(5 * GIB));
  }

  @Test
  void lengthsAreExactOrThereIsNone() {
    long most = Limits.MAX_SAFE_INTEGER;
    assertEquals(4, Layout.byteLength(Dtype.FLOAT32, new long[] {}));
    assertEquals(0, Layout.byteLength(Dtype.FLOAT32, new long[] {0, most}));
    assertEquals(-1, Layout.byteLength(Dtype.FLOAT32, new long[] {0, most, 2}));
    assertEquals(-1, Layout.byteLength(Dtype.FLOAT32, new long[] {1L << 32, 1L << 32, 0}));
    assertEquals(-1, Layout.byteLength(Dtype.FLOAT32, new long[] {-1}));
    assertEquals(most, Layout.byteLength(Dtype.UINT8, new long[] {most}));
    assertEquals(-1, Layout.byteLength(Dtype.UINT16, new long[] {most}));
    assertEquals(3, Layout.byteLength(Dtype.FLOAT6_E2M3FN, new long[] {4}));
    assertEquals(-1, Layout.byteLength(Dtype.FLOAT6_E2M3FN, new long[] {5}));
    assertEquals(-1, Layout.byteLength(Dtype.FLOAT4_E2M1FN, new long[] {1L << 51, 1}));
    assertEquals(1L << 49, Layout.byteLength(Dtype.FLOAT4_E2M1FN, new long[] {1L << 50, 1}));
    assertEquals(16, Layout.byteLength(Dtype.COMPLEX128, new long[] {1, 1}));
  }

  private static List<Segment> segments(long... lengths) {
    var segments = new ArrayList<Segment>();
    long end = 1000;
    for (long length : lengths) {
      long offset = Layout.segmentStart(end);
      segments.add(new Segment(end, offset, length, 0, false, "model", "w"));
      end = offset + length;
    }
    return segments;
  }

  /** Every piece that may be asked for is in the last window to start before it. */
  @Test
  void windowsHoldEveryPieceThatMayBeAskedFor() {
    long[][] files = {
      {},
      {0},
      {100, 0, 100},
      {GIB, GIB, GIB, 5},
      {LONGEST},
      {LONGEST - 1, 0, LONGEST},
      {LONGEST - 64, 3},
      {LONGEST + 1, 10, 20},
      {7, 5 * GIB + 13, 0, GIB, 9 * GIB, 1},
      {3 * GIB, 3 * GIB, 2 * GIB},
    };
    for (long[] lengths : files) {
      List<Segment> segments = segments(lengths);
      var windows = MappedSource.plan(segments, LONGEST);
      windows.forEach((start, end) -> assertTrue(end - start <= LONGEST && end >= start));
      for (Segment segment : segments) {
        assertPiece(windows, segment.gapStart(), segment.gapLength());
        long length = segment.byteLength();
        if (length <= LONGEST) {
          assertPiece(windows, segment.offset(), length);
        }
        long piece = Math.min(length, Source.MAX_PIECE);
        for (long at = 0; at <= length - piece; at += GIB / 4 - 1) {
          assertPiece(windows, segment.offset() + at, piece);
        }
        assertPiece(windows, segment.end() - piece, piece);
        assertPiece(windows, segment.end() - Math.min(1, length), Math.min(1, length));
      }
      // A window is at least a gibibyte further than the one before the last, or has a new segment.
      assertTrue(windows.size() <= 2 * lengths.length + 20, windows.toString());
    }
  }

  @Test
  void smallSegmentsShareAWindow() {
    assertEquals(1, MappedSource.plan(segments(new long[100_000]), LONGEST).size());
  }

  private static void assertPiece(
      java.util.NavigableMap<Long, Long> windows, long position, long length) {
    var window = windows.floorEntry(position);
    assertTrue(
        position + length <= window.getValue(),
        () -> length + " bytes at " + position + " are not in " + window + " of " + windows);
  }
}
