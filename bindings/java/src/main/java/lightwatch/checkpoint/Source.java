package lightwatch.checkpoint;

import java.nio.ByteBuffer;

/** The origin of segments' bytes: a map of the file, or reads of it. Safe for threads. */
sealed interface Source permits MappedSource, FileSource {
  /** Longest piece that every source returns of any segment, in bytes: 1 GiB. */
  int MAX_PIECE = 1 << 30;

  /**
   * The bytes of a segment or its gap, or some of them, in a separate little-endian buffer from
   * position 0 to limit {@code length}. It must not be written to. More than MAX_PIECE bytes only for
   * segments that fit one buffer. Throws CKPT_CLOSED, and CKPT_READ and CKPT_FILE_CHANGED if it reads.
   */
  ByteBuffer bytes(long position, int length);

  /** Whether all buffers over the same bytes share one memory. */
  boolean inPlace();

  /** Releases the file. Buffers that were handed out stay valid. */
  void close();

  /** The error of a closed source. */
  static CheckpointException closed() {
    return new CheckpointException(ErrorCode.CKPT_CLOSED, "the checkpoint is closed");
  }
}
