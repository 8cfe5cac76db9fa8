package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Paths that lead to no regular file. */
class SpecialFilesTest {
  @TempDir Path folder;

  private static CheckpointException refusal(Path path) {
    var fault =
        assertTimeoutPreemptively(Duration.ofSeconds(20), () -> TestFiles.refusal(path));
    assertEquals(ErrorCode.CKPT_READ, fault.code());
    return fault;
  }

  @Test
  void aMissingFileIsNamed() {
    Path path = folder.resolve("none\n.ckpt");
    var fault = refusal(path);
    assertTrue(fault.getCause() instanceof NoSuchFileException);
    assertEquals(path, fault.path().get());
    assertTrue(fault.getMessage().endsWith("there is no such file"), fault.getMessage());
    assertTrue(fault.getMessage().contains("none\\u{a}.ckpt"), fault.getMessage());
  }

  @Test
  void aFolderIsRefused() {
    assertTrue(refusal(folder).getMessage().contains("a folder"));
  }

  @Test
  void aFifoWithoutAWriterIsRefusedAtOnce() throws IOException, InterruptedException {
    Path fifo = folder.resolve("fifo");
    assumeTrue(made("mkfifo", fifo.toString()), "there is no mkfifo here");
    assertTrue(refusal(fifo).getMessage().contains("pipe"));
    Path link = Files.createSymbolicLink(folder.resolve("link"), fifo);
    assertTrue(refusal(link).getMessage().contains("pipe"));
  }

  @Test
  void aDeviceIsRefused() {
    Path device = Path.of("/dev/zero");
    assumeTrue(Files.exists(device), "there is no /dev/zero here");
    assertTrue(refusal(device).getMessage().contains("a device"));
  }

  @Test
  void anEmptyFileIsNoCheckpoint() throws IOException {
    Path empty = Files.createFile(folder.resolve("empty.ckpt"));
    var fault = TestFiles.refusal(empty);
    assertEquals(ErrorCode.CKPT_NOT_A_CHECKPOINT, fault.code());
    assertTrue(fault.getMessage().contains("the file is empty"), fault.getMessage());
  }

  @Test
  void aLinkToACheckpointIsRead() throws IOException {
    Path file = Files.copy(TestFiles.GOLDEN, folder.resolve("file.ckpt"));
    Path link = Files.createSymbolicLink(folder.resolve("link.ckpt"), file);
    try (var checkpoint = Checkpoint.open(link)) {
      assertEquals(3, checkpoint.epoch());
    }
  }

  private static boolean made(String... command) throws InterruptedException {
    try {
      return new ProcessBuilder(command).inheritIO().start().waitFor() == 0;
    } catch (IOException absent) {
      return false;
    }
  }
}
