package lightwatch.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;

/**
 * A file that is read by position, through one channel that stays open. Every buffer has memory of its
 * own. (Interrupting a reading thread closes the channel, as it does with every file channel.)
 */
final class FileSource implements Source {
  // The runtime copies through memory outside the heap, and keeps as much as the longest call took.
  private static final int READ_LENGTH = 1 << 20;

  private final FileChannel channel;
  private volatile boolean closed;

  private FileSource(FileChannel channel) {
    this.channel = channel;
  }

  /**
   * Opens a regular file. Throws CKPT_READ for anything else. A FIFO is refused before it is opened,
   * because opening would wait for a writer. (If one takes the file's place at that instant, the call
   * hangs: Java cannot open without waiting.)
   */
  static FileSource open(Path path) {
    try {
      var attributes = Files.readAttributes(path, BasicFileAttributes.class);
      if (!attributes.isRegularFile()) {
        String what = attributes.isDirectory() ? "a folder" : "a device, pipe or socket";
        throw new CheckpointException(ErrorCode.CKPT_READ, "expected a file, found " + what);
      }
      return new FileSource(FileChannel.open(path, StandardOpenOption.READ));
    } catch (IOException | SecurityException | UnsupportedOperationException cause) {
      throw readError("could not be opened", cause);
    }
  }

  FileChannel channel() {
    return channel;
  }

  /** Length of the file in bytes. */
  long size() {
    try {
      return channel.size();
    } catch (IOException cause) {
      throw readError("could not be examined", cause);
    }
  }

  /** Reads {@code length} bytes at {@code position} into {@code target}, from {@code start} on. */
  void read(byte[] target, int start, int length, long position) {
    for (int done = 0; done < length; ) {
      int count = Math.min(READ_LENGTH, length - done);
      try {
        count = channel.read(ByteBuffer.wrap(target, start + done, count), position + done);
      } catch (IOException cause) {
        if (closed) throw Source.closed();
        throw readError("could not be read", cause);
      }
      if (count <= 0) {
        throw new CheckpointException(
            ErrorCode.CKPT_FILE_CHANGED,
            "the file was truncated to "
                + (position + done)
                + " bytes while it was being read");
      }
      done += count;
    }
  }

  @Override
  public ByteBuffer bytes(long position, int length) {
    if (closed) throw Source.closed();
    byte[] bytes;
    try {
      bytes = new byte[length];
    } catch (OutOfMemoryError cause) {
      throw new CheckpointException(
          ErrorCode.CKPT_TENSOR_TOO_LARGE,
          "there is not enough memory for the " + length + " bytes of the tensor",
          cause);
    }
    read(bytes, 0, length, position);
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  @Override
  public boolean inPlace() {
    return false;
  }

  @Override
  public void close() {
    closed = true;
    try {
      channel.close();
    } catch (IOException ignored) {
      // Nothing was written, so nothing is lost, and a caller could do nothing about it.
    }
  }

  /** CKPT_READ with the system's error as its cause. */
  static CheckpointException readError(String what, Exception cause) {
    return new CheckpointException(
        ErrorCode.CKPT_READ, "the file " + what + ": " + reason(cause), cause);
  }

  private static String reason(Exception cause) {
    if (cause instanceof NoSuchFileException) return "there is no such file";
    if (cause instanceof AccessDeniedException) return "access is denied";
    // Its message contains the path, unescaped.
    if (cause instanceof FileSystemException failure && failure.getReason() != null) {
      return Printable.escape(failure.getReason());
    }
    String kind = cause.getClass().getSimpleName();
    return cause.getMessage() == null ? kind : kind + ": " + Printable.escape(cause.getMessage());
  }
}
