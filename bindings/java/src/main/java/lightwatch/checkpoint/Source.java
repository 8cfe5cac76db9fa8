package lightwatch.checkpoint;

import java.nio.ByteBuffer;

/** Where the bytes of segments come from: a map of the file, or reads of it. Safe for threads. */
sealed interface Source permits MappedSource, FileSource {
  /** Longest piece that every source gives of any segment, in bytes: 1 GiB. */
  int MAX_PIECE = 1 << 30;

  /**
   * The bytes of a segment or its gap, or some of them: a buffer of its own, little-endian, its
   * position 0 and its limit {@code length}, not to be written to. Longer ones than MAX_PIECE only
   * of segments that fit one buffer. Throws CKPT_CLOSED; CKPT_READ and CKPT_FILE_CHANGED where it
   * reads.
   */
  ByteBuffer bytes(long position, int length);

  /** Whether all buffers over the same bytes share one memory. */
  boolean inPlace();

  /** Lets go of the file. Buffers that were handed out stay good. */
  void close();

  /** What a source that was closed throws. */
  static CheckpointException closed() {
    return new CheckpointException(ErrorCode.CKPT_CLOSED, "the checkpoint is closed");
  }
}
