package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfEnvironmentVariable;
import org.junit.jupiter.api.io.TempDir;

/**
 * Files of more than 2 and 4 GiB, made by the library that writes. They are sparse, and still every
 * byte of them is read.
 */
@EnabledIfEnvironmentVariable(
    named = "LIGHTWATCH_LARGE",
    matches = "1",
    disabledReason = "files of several GiB are read where LIGHTWATCH_LARGE is 1")
class LongFilesTest {
  private static final Path SCRIPT = TestFiles.PROJECT.resolve("bindings/make-long-file.ts");
  private static final Path TSX = TestFiles.PROJECT.resolve("node_modules/tsx/dist/cli.mjs");
  private static final long GIB = 1L << 30;

  @TempDir Path folder;

  @BeforeEach
  void needNode() {
    assumeTrue(Files.exists(TSX), "the npm packages of the project are not installed");
  }

  private Path make(long... lengths) throws IOException, InterruptedException {
    Path path = folder.resolve("long.ckpt");
    var command = new ArrayList<>(List.of("node", TSX.toString(), SCRIPT.toString()));
    command.add(path.toString());
    for (long length : lengths) command.add(Long.toString(length));
    var process = new ProcessBuilder(command).inheritIO().directory(TestFiles.PROJECT.toFile());
    assertEquals(0, process.start().waitFor());
    return path;
  }

  @Test
  void aFileOfMoreThan4GiBIsRead() throws IOException, InterruptedException {
    long[] lengths = {GIB + 1, 3, 2 * GIB - 1, 2 * GIB, 0, 5};
    Path path = make(lengths);
    for (boolean map : new boolean[] {true, false}) {
      try (var checkpoint = Checkpoint.open(path, new OpenOptions(true, map))) {
        assertEquals(Files.size(path), checkpoint.fileLength());
        if (map) checkpoint.verify();
        for (int i = 0; i < lengths.length; i++) {
          Tensor tensor = checkpoint.model().tensor(Integer.toString(i));
          long length = lengths[i];
          assertEquals(length, tensor.byteLength());
          if (length == 0) continue;
          // The writer's tensors are zeros, and 0xa5 at the end.
          assertEquals((byte) 0xa5, tensor.slice(length - 1, 1).get(0));
          assertEquals(0, tensor.slice(length - 2, 1).get(0));
          // Without a map, 2 GiB would have to be in memory.
          if (!map) continue;
          if (length <= Integer.MAX_VALUE) {
            ByteBuffer bytes = tensor.bytes();
            assertEquals(length, bytes.remaining());
            assertEquals((byte) 0xa5, bytes.get((int) length - 1));
          } else {
            var fault = assertThrows(CheckpointException.class, tensor::bytes);
            assertEquals(ErrorCode.CKPT_TENSOR_TOO_LARGE, fault.code());
            ByteBuffer last = tensor.slice(length - Tensor.MAX_SLICE, Tensor.MAX_SLICE);
            assertEquals((byte) 0xa5, last.get(Tensor.MAX_SLICE - 1));
            assertThrows(
                IllegalArgumentException.class, () -> tensor.slice(0, Tensor.MAX_SLICE + 1));
          }
        }
      }
    }
  }

  @Test
  void theEndsOfAPlainFlatBufferAreTheRightOnes() throws IOException, InterruptedException {
    // The metadata of one tensor takes less than a kilobyte; one file is on either side of the
    // limit.
    for (long length : new long[] {2 * GIB - 4096, 2 * GIB - 64}) {
      Path path = make(length);
      assertEquals(length == 2 * GIB - 4096, Layout.isPlainFlatBuffer(Files.size(path)));
      try (var checkpoint = Checkpoint.open(path)) {
        ByteBuffer bytes = checkpoint.model().tensor("0").bytes();
        assertEquals((byte) 0xa5, bytes.get((int) length - 1));
      }
      Files.delete(path);
    }
  }
}
