package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Files that are cut, damaged or forged: refused, and by nothing but a CheckpointException. */
class HostileTest {
  @TempDir Path folder;

  @Test
  void everyTruncationIsRefused() throws IOException {
    byte[] golden = TestFiles.golden();
    Path path = folder.resolve("cut.ckpt");
    Files.write(path, golden);
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      for (int length = golden.length - 1; length >= 0; length--) {
        file.setLength(length);
        CheckpointException fault = TestFiles.refusal(path);
        var expected =
            length < 8 ? ErrorCode.CKPT_NOT_A_CHECKPOINT : ErrorCode.CKPT_FILE_LENGTH;
        assertEquals(expected, fault.code(), "of " + length + " bytes: " + fault);
      }
    }
  }

  @Test
  void whatIsAppendedIsRefused() throws IOException {
    byte[] golden = TestFiles.golden();
    byte[] longer = Arrays.copyOf(golden, golden.length + 1);
    assertEquals(
        ErrorCode.CKPT_FILE_LENGTH,
        TestFiles.refusal(folder.resolve("longer.ckpt"), longer).code());
  }

  /** Every bit of a file is accounted for, so there is none that may flip. */
  @Test
  void everyFlippedBitIsRefused() throws IOException {
    byte[] golden = TestFiles.golden();
    Path path = folder.resolve("flipped.ckpt");
    Files.write(path, golden);
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      for (int bit = 0; bit < 8 * golden.length; bit++) {
        int at = bit / 8;
        file.seek(at);
        file.write(golden[at] ^ 1 << bit % 8);
        // A map for each of them would be too many at once.
        var options = new OpenOptions(true, bit % 97 == 0);
        int flipped = bit;
        assertThrows(
            CheckpointException.class,
            () -> {
              try (var checkpoint = Checkpoint.open(path, options)) {
                checkpoint.verify();
              }
            },
            () -> "bit " + flipped % 8 + " of byte " + flipped / 8);
        file.seek(at);
        file.write(golden[at]);
      }
    }
    try (var checkpoint = Checkpoint.open(path)) {
      checkpoint.verify();
    }
  }

  /** As an attacker would: the checksum of the metadata fits. */
  @Test
  void forgedMetadataIsRefusedOrReadWithoutAnyOtherException() throws IOException {
    byte[] golden = TestFiles.golden();
    int metadata = TestFiles.metadataLength(golden);
    var random = new Random(20_260_101);
    int[] interesting = {0, 1, 0x7f, 0x80, 0xff};
    int refused = 0;
    int read = 0;
    Path path = folder.resolve("forged.ckpt");
    try (var file = new RandomAccessFile(path.toFile(), "rw")) {
      for (int i = 0; i < 20_000; i++) {
        byte[] forged = golden.clone();
        for (int changes = 1 + random.nextInt(3); changes > 0; changes--) {
          int at = 200 + random.nextInt(metadata - 200);
          int value = random.nextBoolean() ? random.nextInt(256) : interesting[random.nextInt(5)];
          forged[at] = (byte) value;
        }
        // In place: to write a file anew is slow on some file systems.
        file.seek(0);
        file.write(TestFiles.seal(forged));
        try (var checkpoint = Checkpoint.open(path, OpenOptions.DEFAULT.withoutMap())) {
          checkpoint.verify();
          for (State state : checkpoint.states()) {
            for (Tensor tensor : state.tensors().values()) {
              assertEquals(tensor.byteLength(), tensor.bytes().remaining());
            }
          }
          read++;
        } catch (CheckpointException fault) {
          assertTrue(fault.getMessage().startsWith("\"" + path + "\": "), fault.getMessage());
          refused++;
        }
      }
    }
    // Some are: a letter of a name, a digit of a number.
    assertTrue(read > 500 && refused > 5_000, read + " read, " + refused + " refused");
  }

  @Test
  void textThatIsNotUtf8IsRefusedAndNotRepaired() throws IOException {
    byte[] forged = TestFiles.golden();
    // A name in ASCII; the first byte of two, and no second one.
    forged[indexOf(forged, "exp_avg_sq/embedding.weight")] = (byte) 0xc3;
    var fault = TestFiles.refusal(folder.resolve("utf8.ckpt"), TestFiles.seal(forged));
    assertEquals(ErrorCode.CKPT_FORMAT, fault.code());
    assertEquals(Optional.of("text.utf8"), fault.rule());
  }

  @Test
  void namesInMessagesAreEscaped() throws IOException {
    // Turns the direction of text, and ends a line.
    String name = "\u202ertl \"quoted\"\n";
    byte[] damaged = TestFiles.golden();
    Path path = folder.resolve("escape.ckpt");
    Files.write(path, damaged);
    try (var checkpoint = Checkpoint.open(path)) {
      Tensor tensor = checkpoint.model().tensor(name);
      assertEquals("model/\\u{202e}rtl \"quoted\"\\u{a} uint8 [1]", tensor.toString());
      damaged[Math.toIntExact(tensor.offset())] ^= 1;
    }
    CheckpointException fault = TestFiles.refusal(path, damaged);
    assertEquals(Optional.of(name), fault.tensor());
    String escaped = "\"\\u{202e}rtl \\\"quoted\\\"\\u{a}\"";
    assertTrue(fault.getMessage().contains(escaped), fault.getMessage());
    assertFalse(fault.getMessage().chars().anyMatch(c -> c < ' ' || c == 0x202e));
  }

  @Test
  void aNewerVersionIsNamed() throws IOException {
    byte[] forged = TestFiles.golden();
    TestFiles.littleEndian(forged).putInt(TestFiles.rootField(forged, Table.CHECKPOINT_VERSION), 2);
    var fault = TestFiles.refusal(folder.resolve("newer.ckpt"), TestFiles.seal(forged));
    assertEquals(ErrorCode.CKPT_VERSION, fault.code());
    assertTrue(fault.getMessage().contains("version 2"), fault.getMessage());
  }

  private static int indexOf(byte[] bytes, String ascii) {
    byte[] wanted = ascii.getBytes(java.nio.charset.StandardCharsets.US_ASCII);
    for (int i = 0; i <= bytes.length - wanted.length; i++) {
      if (Arrays.equals(bytes, i, i + wanted.length, wanted, 0, wanted.length)) return i;
    }
    throw new AssertionError(ascii);
  }
}
