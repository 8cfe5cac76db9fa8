package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a user gets of a checkpoint, and what becomes of files that are none. */
class CheckpointTest {
  private static final Path REPOSITORY = Path.of("").toAbsolutePath().getParent().getParent();
  private static final Path GOLDEN = REPOSITORY.resolve("test/golden/v1.ckpt");

  @TempDir Path folder;

  private static void readAll(Path path, OpenOptions options) {
    try (Checkpoint checkpoint = Checkpoint.open(path, options)) {
      checkpoint.verify();
    }
  }

  private static Tensor floats(Checkpoint checkpoint) {
    return checkpoint.model().tensors().values().stream()
        .filter((tensor) -> tensor.dtype().toString().equalsIgnoreCase("float32"))
        .filter((tensor) -> tensor.byteLength() > 0)
        .findFirst()
        .orElseThrow();
  }

  private Path write(byte[] bytes) throws IOException {
    return Files.write(folder.resolve("file.ckpt"), bytes);
  }

  @Test
  void theGoldenFileHasItsValues() {
    for (OpenOptions options : List.of(OpenOptions.DEFAULT, OpenOptions.DEFAULT.withoutMap())) {
      try (Checkpoint checkpoint = Checkpoint.open(GOLDEN, options)) {
        assertEquals(1, checkpoint.version());
        assertEquals(3, checkpoint.epoch());
        assertEquals(1000000007, checkpoint.step());
        assertEquals(0.30000000000000004, checkpoint.loss().orElseThrow());
        assertTrue(checkpoint.metrics().get("val/loss").isNaN());
        assertTrue(checkpoint.config().orElseThrow().contains("größe"));
        assertTrue(checkpoint.optimizer().isPresent());
        Tensor tensor = floats(checkpoint);
        FloatBuffer elements = tensor.floats();
        assertEquals(tensor.elementCount(), elements.remaining());
        assertTrue(elements.isReadOnly());
        assertThrows(RuntimeException.class, tensor::doubles);
      }
    }
  }

  @Test
  void everyValidFileOfTheCorpusIsReadAndEveryInvalidOneRefused() throws IOException {
    int valid = 0;
    try (var files = Files.newDirectoryStream(REPOSITORY.resolve("test/conformance/valid"), "*.ckpt")) {
      for (Path file : files) {
        readAll(file, OpenOptions.DEFAULT);
        valid++;
      }
    }
    int invalid = 0;
    try (var files = Files.newDirectoryStream(REPOSITORY.resolve("test/conformance/invalid"))) {
      for (Path file : files) {
        assertThrows(
            CheckpointException.class, () -> readAll(file, OpenOptions.DEFAULT), file.toString());
        invalid++;
      }
    }
    assertTrue(valid > 20 && invalid > 200);
  }

  @Test
  void truncationsAndFlippedBitsAreRefused() throws IOException {
    byte[] bytes = Files.readAllBytes(GOLDEN);
    OpenOptions options = OpenOptions.DEFAULT.withoutMap();
    for (int length = 0; length < bytes.length; length += length < 4096 ? 1 : 7) {
      Path path = write(Arrays.copyOf(bytes, length));
      assertThrows(CheckpointException.class, () -> readAll(path, options), "length " + length);
    }
    for (int bit = 0; bit < 8 * bytes.length; bit += 11) {
      byte[] flipped = bytes.clone();
      flipped[bit / 8] ^= (byte) (1 << (bit % 8));
      Path path = write(flipped);
      assertThrows(CheckpointException.class, () -> readAll(path, options), "bit " + bit);
    }
  }

  @Test
  void aDamagedTensorIsToldWhenItsBytesAreAskedFor() throws IOException {
    byte[] bytes = Files.readAllBytes(GOLDEN);
    try (Checkpoint golden = Checkpoint.open(GOLDEN)) {
      bytes[Math.toIntExact(floats(golden).offset())] ^= 1;
    }
    Path path = write(bytes);
    try (Checkpoint damaged = Checkpoint.open(path)) {
      Tensor tensor = floats(damaged);
      CheckpointException error = assertThrows(CheckpointException.class, tensor::bytes);
      assertEquals("CKPT_TENSOR_CHECKSUM", error.code().toString());
    }
    try (Checkpoint unchecked = Checkpoint.open(path, OpenOptions.DEFAULT.withoutTensorChecks())) {
      assertTrue(floats(unchecked).bytes().hasRemaining());
    }
  }

  @Test
  void whatIsNoFileIsRefusedAtOnce() throws Exception {
    Path fifo = folder.resolve("fifo");
    assertEquals(0, new ProcessBuilder("mkfifo", fifo.toString()).start().waitFor());
    for (Path path : List.of(folder, folder.resolve("nothing"), fifo, Path.of("/dev/zero"))) {
      CheckpointException error =
          assertThrows(CheckpointException.class, () -> readAll(path, OpenOptions.DEFAULT));
      assertEquals("CKPT_READ", error.code().toString());
      assertFalse(error.getMessage().isEmpty());
    }
  }
}
