package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.ReadOnlyBufferException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What tensors hand out, and for how long. */
class ViewsTest {
  private static final Map<Function<Tensor, Buffer>, Set<Dtype>> VIEWS =
      Map.of(
          Tensor::floats, Set.of(Dtype.FLOAT32, Dtype.COMPLEX64),
          Tensor::doubles, Set.of(Dtype.FLOAT64, Dtype.COMPLEX128),
          Tensor::longs, Set.of(Dtype.INT64, Dtype.UINT64),
          Tensor::ints, Set.of(Dtype.INT32, Dtype.UINT32),
          Tensor::shorts, Set.of(Dtype.INT16, Dtype.UINT16, Dtype.FLOAT16, Dtype.BFLOAT16));

  /** Eight elements of the dtype, from their file, whatever reads it. */
  private static ByteBuffer expected(Path file, Tensor tensor) throws IOException {
    return ByteBuffer.wrap(
            Files.readAllBytes(file), Math.toIntExact(tensor.offset()), (int) tensor.byteLength())
        .slice()
        .order(ByteOrder.LITTLE_ENDIAN);
  }

  @ParameterizedTest
  @EnumSource(Dtype.class)
  void everyDtypeHasTheViewsOfItsWidthAndNoOther(Dtype dtype) throws IOException {
    boolean young = dtype == Dtype.INT4 || dtype == Dtype.UINT4;
    Path file = young ? TestFiles.YOUNG : TestFiles.GOLDEN;
    try (var checkpoint = Checkpoint.open(file)) {
      Tensor tensor = checkpoint.model().tensor("dtype/" + dtype);
      assertEquals(dtype, tensor.dtype());
      assertEquals(8, tensor.elementCount());
      assertEquals(dtype.bits(), tensor.byteLength());
      ByteBuffer bytes = expected(file, tensor);
      assertEquals(bytes, tensor.bytes());
      assertEquals(ByteOrder.LITTLE_ENDIAN, tensor.bytes().order());
      assertTrue(tensor.bytes().isDirect());
      assertThrows(ReadOnlyBufferException.class, () -> tensor.bytes().put(0, (byte) 1));
      VIEWS.forEach(
          (view, dtypes) -> {
            if (dtypes.contains(dtype)) {
              Buffer elements = view.apply(tensor);
              assertTrue(elements.isDirect() && elements.isReadOnly());
              assertEquals(typed(elements, bytes), elements);
            } else {
              var fault = assertThrows(IllegalStateException.class, () -> view.apply(tensor));
              assertTrue(fault.getMessage().contains(dtype.toString()), fault.getMessage());
            }
          });
    }
  }

  private static Buffer typed(Buffer like, ByteBuffer bytes) {
    if (like instanceof java.nio.FloatBuffer) return bytes.asFloatBuffer();
    if (like instanceof java.nio.DoubleBuffer) return bytes.asDoubleBuffer();
    if (like instanceof java.nio.LongBuffer) return bytes.asLongBuffer();
    if (like instanceof java.nio.IntBuffer) return bytes.asIntBuffer();
    return bytes.asShortBuffer();
  }

  @Test
  void slicesArePartsOfTheBytes() {
    for (OpenOptions options : Set.of(OpenOptions.DEFAULT, OpenOptions.DEFAULT.withoutMap())) {
      try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN, options)) {
        Tensor tensor = checkpoint.model().tensor("embedding.weight");
        assertEquals(60, tensor.byteLength());
        assertEquals(tensor.bytes().slice(7, 40), tensor.slice(7, 40));
        assertEquals(ByteOrder.LITTLE_ENDIAN, tensor.slice(4, 8).order());
        assertEquals(
            tensor.floats().get(1), tensor.slice(4, 8).asFloatBuffer().get(0));
        assertEquals(0, tensor.slice(60, 0).remaining());
        assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(60, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(-1, 1));
        assertThrows(IndexOutOfBoundsException.class, () -> tensor.slice(0, -1));
        assertThrows(
            IndexOutOfBoundsException.class, () -> tensor.slice(Long.MAX_VALUE, 1));
      }
    }
  }

  @Test
  void tiedWeightsAreOneMemory() throws IOException {
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN)) {
      Tensor embedding = checkpoint.model().tensor("embedding.weight");
      Tensor head = checkpoint.model().tensor("head.weight");
      Tensor ema = checkpoint.extras().get("ema").tensor("embedding.weight");
      assertEquals(embedding.offset(), head.offset());
      assertEquals(embedding.offset(), ema.offset());
      assertEquals(embedding.bytes(), head.bytes());
      assertEquals(3, embedding.shape()[0]);
      assertEquals(5, head.shape()[0]);
      assertEquals(expected(TestFiles.GOLDEN, embedding), ema.bytes());
    }
  }

  @Test
  void callersCannotChangeAShape() {
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN)) {
      Tensor tensor = checkpoint.model().tensor("embedding.weight");
      tensor.shape()[0] = 99;
      assertEquals("model/embedding.weight float32 [3, 5]", tensor.toString());
      assertThrows(
          UnsupportedOperationException.class, () -> checkpoint.model().tensors().clear());
    }
  }

  @Test
  void emptyTensorsAndScalarsHaveViews() {
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN)) {
      Tensor empty = checkpoint.model().tensor("empty");
      assertEquals(0, empty.elementCount());
      assertFalse(empty.floats().hasRemaining());
      Tensor scalar = checkpoint.model().tensor("scalar");
      assertEquals(1, scalar.elementCount());
      // Unlike ==, this tells -0 from 0.
      assertEquals(-0.0, scalar.doubles().get(0));
    }
  }

  @Test
  void bitsOfNotANumberAreKept() throws IOException {
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN)) {
      Tensor floats = checkpoint.model().tensor("floats");
      assertEquals(0x7fa00001, floats.bytes().getInt(4));
      assertEquals(0xffc12345, floats.bytes().getInt(8));
    }
  }

  @Test
  void buffersOutliveTheCheckpoint() throws IOException {
    for (OpenOptions options : Set.of(OpenOptions.DEFAULT, OpenOptions.DEFAULT.withoutMap())) {
      Tensor tensor;
      ByteBuffer bytes;
      try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN, options)) {
        tensor = checkpoint.model().tensor("embedding.weight");
        bytes = tensor.bytes();
        assertEquals(options.map(), bytes.isDirect());
        assertTrue(bytes.isReadOnly());
      }
      System.gc();
      assertEquals(expected(TestFiles.GOLDEN, tensor), bytes);
      assertEquals(ErrorCode.CKPT_CLOSED, codeOf(tensor::bytes));
      assertEquals(ErrorCode.CKPT_CLOSED, codeOf(() -> tensor.slice(0, 4)));
    }
  }

  private static ErrorCode codeOf(org.junit.jupiter.api.function.Executable call) {
    return assertThrows(CheckpointException.class, call).code();
  }
}
