package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.zip.CRC32;

/** The files that tests read, and what an attacker does to one after changing it. */
final class TestFiles {
  /** The folder of the whole project, two above this binding's, where Maven starts the tests. */
  static final Path PROJECT = Path.of("").toAbsolutePath().getParent().getParent();

  static final Path GOLDEN = PROJECT.resolve("test/golden/v1.ckpt");

  /** Dtypes that are younger than the golden file. */
  static final Path YOUNG = PROJECT.resolve("test/conformance/valid/integers-of-4-bits.ckpt");

  private TestFiles() {}

  static byte[] golden() throws IOException {
    return Files.readAllBytes(GOLDEN);
  }

  static ByteBuffer littleEndian(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Position of a field of the root table; it is there. */
  static int rootField(byte[] file, Schema.Field field) {
    ByteBuffer bytes = littleEndian(file);
    int root = bytes.getInt(0);
    return root + bytes.getShort(root - bytes.getInt(root) + field.slot());
  }

  static int metadataLength(byte[] file) {
    return littleEndian(file).getInt(rootField(file, Table.CHECKPOINT_METADATA_LENGTH));
  }

  /** Makes the checksum of the metadata fit again; the head is as it was. */
  static byte[] seal(byte[] file) {
    int at = rootField(file, Table.CHECKPOINT_METADATA_CRC32);
    littleEndian(file).putInt(at, 0);
    var crc = new CRC32();
    crc.update(file, 0, metadataLength(file));
    littleEndian(file).putInt(at, (int) crc.getValue());
    return file;
  }

  /** The exception of opening a file of these bytes, and then of checking all of it. */
  static CheckpointException refusal(Path path, byte[] file) throws IOException {
    Files.write(path, file);
    return refusal(path);
  }

  static CheckpointException refusal(Path path) {
    return assertThrows(
        CheckpointException.class,
        () -> {
          try (var checkpoint = Checkpoint.open(path)) {
            checkpoint.verify();
          }
        });
  }
}
