package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.zip.CRC32;

/**
 * The head of a file: whether it is a checkpoint, in a known version, and as long as it says. It comes
 * before everything else, because a newer version may give other fields another meaning.
 *
 * @param metadataLength in bytes, at most 2^31 - 2
 * @param metadataCrc32 as 32 bits
 * @param crcOffset position of that checksum, in bytes
 */
record Head(int metadataLength, int metadataCrc32, int crcOffset) {
  /**
   * Reads the head of a file of {@code fileLength} bytes from its first bytes, or all of them if it is
   * shorter. Throws CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH or CKPT_FORMAT.
   */
  static Head read(byte[] start, long fileLength) {
    checkIdentifier(start, fileLength);
    if (fileLength < Limits.MIN_BUFFER_LENGTH) {
      throw new CheckpointException(
          ErrorCode.CKPT_FILE_LENGTH,
          "the file was cut short: it begins like a checkpoint, but ends after "
              + fileLength
              + " bytes");
    }
    return new Reader(start, fileLength).head();
  }

  /**
   * Throws CKPT_METADATA_CHECKSUM unless the metadata matches its checksum (whose own bytes count as
   * 0).
   */
  void checkMetadata(byte[] metadata) {
    var crc = new CRC32();
    crc.update(metadata, 0, crcOffset);
    crc.update(new byte[4]);
    crc.update(metadata, crcOffset + 4, metadata.length - crcOffset - 4);
    if ((int) crc.getValue() != metadataCrc32) {
      throw new CheckpointException(
          ErrorCode.CKPT_METADATA_CHECKSUM,
          String.format(
              "the metadata is damaged: checksum mismatch, found %08x, expected %08x",
              (int) crc.getValue(), metadataCrc32));
    }
  }

  private static final class Reader {
    private final ByteBuffer bytes;
    private final long fileLength;
    private int root;
    private int vtable;
    private int vtableLength;

    Reader(byte[] start, long fileLength) {
      int length = Math.min(start.length, Limits.HEAD_LENGTH);
      this.bytes = ByteBuffer.wrap(start, 0, length).slice().order(ByteOrder.LITTLE_ENDIAN);
      this.fileLength = fileLength;
    }

    Head head() {
      long rootOffset = Integer.toUnsignedLong(bytes.getInt(0));
      if (rootOffset < 8 || rootOffset % 4 != 0 || !within(rootOffset, 4)) {
        throw outside("the root table");
      }
      root = (int) rootOffset;
      long vtableOffset = rootOffset - bytes.getInt(root);
      if (vtableOffset < 8 || vtableOffset % 2 != 0 || !within(vtableOffset, 4)) {
        throw outside("its vtable");
      }
      vtable = (int) vtableOffset;
      vtableLength = Short.toUnsignedInt(bytes.getShort(vtable));
      if (!within(vtable, vtableLength)) throw outside("its vtable");

      checkVersion(Integer.toUnsignedLong(bytes.getInt(position(Table.CHECKPOINT_VERSION))));
      checkFileLength(bytes.getLong(position(Table.CHECKPOINT_FILE_LENGTH)));
      long metadataLength =
          Integer.toUnsignedLong(bytes.getInt(position(Table.CHECKPOINT_METADATA_LENGTH)));
      // The verifier would refuse longer metadata too, but only after all of it had been read.
      long longest = Math.min(fileLength, Limits.FLATBUFFER_LIMIT - 1);
      if (metadataLength < Limits.MIN_BUFFER_LENGTH || metadataLength > longest) {
        throw format(
            Rule.METADATA_LENGTH,
            "the metadata claims "
                + metadataLength
                + " bytes, in a file of "
                + fileLength);
      }
      int crcOffset = position(Table.CHECKPOINT_METADATA_CRC32);
      if (crcOffset + 4 > metadataLength) {
        throw format(Rule.METADATA_LENGTH, "the checksum of the metadata lies outside the metadata");
      }
      return new Head((int) metadataLength, bytes.getInt(crcOffset), crcOffset);
    }

    private boolean within(long at, long length) {
      return at >= 0 && at + length <= bytes.limit();
    }

    /** Position of a field of the root table. */
    private int position(Schema.Field field) {
      int size = field.type().size();
      int entry =
          field.slot() + 2 <= vtableLength
              ? Short.toUnsignedInt(bytes.getShort(vtable + field.slot()))
              : 0;
      int at = root + entry;
      if (entry < 4 || at % size != 0) {
        throw format(Rule.HEAD, "the root table has no " + field.name());
      }
      if (!within(at, size)) throw outside(field.name());
      return at;
    }

    private void checkVersion(long version) {
      if (version > Limits.FORMAT_VERSION) {
        throw new CheckpointException(
            ErrorCode.CKPT_VERSION,
            "the file has format version "
                + version
                + ", and this library reads up to version "
                + Limits.FORMAT_VERSION
                + ": update lightwatch-checkpoint");
      }
      if (version == 0) {
        throw format(Rule.VERSION, "the file has format version 0, which does not exist");
      }
    }

    private void checkFileLength(long declared) {
      if (declared == fileLength) return;
      boolean longer = Long.compareUnsigned(declared, fileLength) > 0;
      throw new CheckpointException(
          ErrorCode.CKPT_FILE_LENGTH,
          "the file "
              + (longer ? "was cut short" : "has something appended to it")
              + ": expected "
              + Long.toUnsignedString(declared)
              + " bytes, as it says itself, found "
              + fileLength);
    }

    /**
     * An inconsistent head means a file that was cut short, if the file is short; otherwise a damaged
     * one.
     */
    private CheckpointException outside(String what) {
      if (fileLength < Limits.HEAD_LENGTH) {
        return new CheckpointException(
            ErrorCode.CKPT_FILE_LENGTH,
            Rule.HEAD,
            "the file was cut short or is damaged: "
                + what
                + " does not lie within its "
                + fileLength
                + " bytes");
      }
      return format(
          Rule.HEAD, what + " does not lie within the first " + Limits.HEAD_LENGTH + " bytes of the file");
    }

    private static CheckpointException format(String rule, String message) {
      return new CheckpointException(ErrorCode.CKPT_FORMAT, rule, message);
    }
  }

  private static void checkIdentifier(byte[] start, long fileLength) {
    boolean same = start.length >= 8;
    for (int i = 0; same && i < 4; i++) same = start[4 + i] == Limits.IDENTIFIER.charAt(i);
    if (same) return;
    throw new CheckpointException(
        ErrorCode.CKPT_NOT_A_CHECKPOINT, "not a .ckpt file: " + looksLike(start, fileLength));
  }

  private static String looksLike(byte[] start, long fileLength) {
    if (fileLength == 0) return "the file is empty";
    // Safetensors comes first: the length of its header can begin like any other format, but its upper
    // bytes are 0.
    if (start.length > 8 && start[8] == '{' && start[6] == 0 && start[7] == 0) {
      return "it looks like a safetensors file";
    }
    if (start.length > 1 && start[0] == 'P' && start[1] == 'K') {
      return "it is a zip archive (PyTorch and NumPy save these)";
    }
    if (start.length > 1 && start[0] == (byte) 0x80 && start[1] >= 2 && start[1] <= 5) {
      return "it looks like a Python pickle";
    }
    if (start[0] == '{' || start[0] == '[') return "it looks like JSON";
    return "expected " + Limits.IDENTIFIER + " at byte 4";
  }
}
