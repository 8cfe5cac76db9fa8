package lightwatch.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.util.List;
import java.util.Map;
import java.util.NavigableMap;
import java.util.TreeMap;

/**
 * A file mapped into memory. A buffer ends at 2 GiB, so the file is mapped in windows, placed so that
 * every segment that fits a buffer lies in one window. Nothing is mapped later, so the file need not
 * stay open. The garbage collector unmaps a window after the last buffer over it.
 */
final class MappedSource implements Source {
  // By their start positions in the file; null after close.
  private volatile NavigableMap<Long, MappedByteBuffer> windows;

  private MappedSource(NavigableMap<Long, MappedByteBuffer> windows) {
    this.windows = windows;
  }

  /** Maps all segments and the gaps between them. The channel may be closed afterwards. */
  static MappedSource map(FileChannel channel, List<Segment> segments) throws IOException {
    var windows = new TreeMap<Long, MappedByteBuffer>();
    for (var window : plan(segments, Integer.MAX_VALUE).entrySet()) {
      long start = window.getKey();
      long end = window.getValue();
      // If the file has been truncated meanwhile, nothing beyond its end can be mapped.
      if (end > channel.size()) {
        throw new CheckpointException(
            ErrorCode.CKPT_FILE_CHANGED,
            "the file ended at byte " + channel.size() + " while it was being opened");
      }
      windows.put(start, channel.map(FileChannel.MapMode.READ_ONLY, start, end - start));
    }
    return new MappedSource(windows);
  }

  /**
   * The windows, start to end, with at most {@code longest} bytes, which must be at least twice
   * MAX_PIECE less one. A window starts with a gap and includes as many segments as fit. A segment that
   * fits no window with its gap has one for the gap, and then windows MAX_PIECE apart, which overlap.
   * So the last window that starts before a piece of that length contains all of it.
   */
  static NavigableMap<Long, Long> plan(List<Segment> segments, long longest) {
    var windows = new TreeMap<Long, Long>();
    long start = -1;
    for (Segment segment : segments) {
      if (start >= 0 && segment.end() - start <= longest) {
        windows.put(start, segment.end());
      } else if (segment.end() - segment.gapStart() <= longest) {
        start = segment.gapStart();
        windows.put(start, segment.end());
      } else {
        windows.put(segment.gapStart(), segment.offset());
        long at = segment.offset();
        while (segment.end() - at > longest) {
          windows.put(at, at + longest);
          at += MAX_PIECE;
        }
        windows.put(at, segment.end());
        start = -1;
      }
    }
    return windows;
  }

  @Override
  public ByteBuffer bytes(long position, int length) {
    NavigableMap<Long, MappedByteBuffer> open = windows;
    if (open == null) throw Source.closed();
    Map.Entry<Long, MappedByteBuffer> window = open.floorEntry(position);
    int at = (int) (position - window.getKey());
    return window.getValue().slice(at, length).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public boolean inPlace() {
    return true;
  }

  @Override
  public void close() {
    windows = null;
  }
}
