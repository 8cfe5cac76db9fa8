package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tensors whose bytes are not those that were saved: found when they are asked for, not before. */
class DamageTest {
  private static final String DAMAGED = "dtype/int32";

  @TempDir Path folder;
  private Path path;
  private long offset;

  @BeforeEach
  void copyGolden() throws IOException {
    path = folder.resolve("damaged.ckpt");
    Files.copy(TestFiles.GOLDEN, path);
    try (var checkpoint = Checkpoint.open(path)) {
      offset = checkpoint.model().tensor(DAMAGED).offset();
    }
  }

  private void flip(long position) throws IOException {
    byte[] bytes = Files.readAllBytes(path);
    bytes[Math.toIntExact(position)] ^= 1;
    Files.write(path, bytes);
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void aTensorThatDoesNotFitItsChecksumIsNotHandedOut(boolean map) throws IOException {
    flip(offset + 5);
    try (var checkpoint = Checkpoint.open(path, new OpenOptions(true, map))) {
      Tensor tensor = checkpoint.model().tensor(DAMAGED);
      // Every time, and in every way.
      for (int i = 0; i < 2; i++) {
        assertChecksum(assertThrows(CheckpointException.class, tensor::bytes));
        assertChecksum(assertThrows(CheckpointException.class, tensor::ints));
        assertChecksum(assertThrows(CheckpointException.class, () -> tensor.slice(0, 1)));
        assertChecksum(assertThrows(CheckpointException.class, checkpoint::verify));
      }
      assertDoesNotThrow(() -> checkpoint.model().tensor("dtype/int16").shorts());
    }
  }

  private void assertChecksum(CheckpointException fault) {
    assertEquals(ErrorCode.CKPT_TENSOR_CHECKSUM, fault.code());
    assertEquals(Optional.empty(), fault.rule());
    assertEquals(Optional.of("model"), fault.state());
    assertEquals(Optional.of(DAMAGED), fault.tensor());
    assertEquals(Optional.of(path), fault.path());
    assertTrue(fault.getMessage().contains("\"dtype/int32\" (of \"model\")"), fault.getMessage());
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void theBytesBeforeASegmentCount(boolean map) throws IOException {
    // The last ones hold the length, those before are zero.
    for (long position : new long[] {offset - 1, offset - 5}) {
      flip(position);
      try (var checkpoint = Checkpoint.open(path, new OpenOptions(true, map))) {
        Tensor tensor = checkpoint.model().tensor(DAMAGED);
        var fault = assertThrows(CheckpointException.class, tensor::bytes);
        assertEquals(ErrorCode.CKPT_FORMAT, fault.code());
        assertEquals(Optional.of("gap"), fault.rule());
        assertTrue(fault.getMessage().contains("from byte " + position), fault.getMessage());
        assertThrows(CheckpointException.class, checkpoint::verify);
      }
      flip(position);
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void checksCanBeTurnedOffButNotThoseOfVerify(boolean map) throws IOException {
    flip(offset + 5);
    var options = new OpenOptions(true, map).withoutTensorChecks();
    try (var checkpoint = Checkpoint.open(path, options)) {
      Tensor tensor = checkpoint.model().tensor(DAMAGED);
      assertEquals(Files.readAllBytes(path)[(int) offset + 5], tensor.bytes().get(5));
      assertEquals(tensor.bytes().get(5), tensor.slice(5, 1).get(0));
      assertChecksum(assertThrows(CheckpointException.class, checkpoint::verify));
    }
  }

  @Test
  void aFileThatIsTruncatedWhileItIsReadIsNoticed() throws IOException {
    try (var checkpoint = Checkpoint.open(path, OpenOptions.DEFAULT.withoutMap())) {
      try (var file = FileChannel.open(path, StandardOpenOption.WRITE)) {
        file.truncate(offset + 3);
      }
      Tensor tensor = checkpoint.model().tensor(DAMAGED);
      var fault = assertThrows(CheckpointException.class, tensor::bytes);
      assertEquals(ErrorCode.CKPT_FILE_CHANGED, fault.code());
    }
  }

  @Test
  void withoutAMapWhatIsReadIsWhatIsChecked() throws IOException {
    try (var checkpoint = Checkpoint.open(path, OpenOptions.DEFAULT.withoutMap())) {
      Tensor tensor = checkpoint.model().tensor(DAMAGED);
      assertDoesNotThrow(tensor::bytes);
      try (var file = FileChannel.open(path, StandardOpenOption.WRITE)) {
        file.write(java.nio.ByteBuffer.wrap(new byte[] {1, 2, 3, 4}), offset);
      }
      assertChecksum(assertThrows(CheckpointException.class, tensor::bytes));
    }
  }
}
