package lightwatch.checkpoint.conformance;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.zip.CRC32;
import lightwatch.checkpoint.Attribute;
import lightwatch.checkpoint.Checkpoint;
import lightwatch.checkpoint.CheckpointException;
import lightwatch.checkpoint.ErrorCode;
import lightwatch.checkpoint.State;
import lightwatch.checkpoint.Tensor;

/**
 * The reporter of the conformance tests: reads paths from standard input, one a line, and for each
 * writes what the file says, or why it is refused, as one line of JSON. Reads files as the
 * library's users do, by nothing but its public classes.
 */
public final class Reporter {
  // Longest tensor whose bytes are written out.
  private static final int MOST_BYTES = 256;
  // Bytes of a tensor that are looked at in one go.
  private static final int SLICE = 1 << 24;

  private final StringBuilder json = new StringBuilder();

  private Reporter() {}

  /** Takes no arguments. Ends at the end of its input. */
  public static void main(String[] arguments) throws IOException {
    var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var output = new PrintStream(System.out, false, StandardCharsets.UTF_8);
    for (String line = input.readLine(); line != null; line = input.readLine()) {
      output.print(report(line) + "\n");
      output.flush();
    }
  }

  /** The report of the file at a path, without the end of the line. */
  static String report(String path) {
    try (var checkpoint = Checkpoint.open(Path.of(path))) {
      return new Reporter().checkpoint(checkpoint);
    } catch (CheckpointException fault) {
      return refusal(fault.code(), fault.rule().orElse(null));
    } catch (InvalidPathException fault) {
      return refusal(ErrorCode.CKPT_READ, null);
    }
  }

  private static String refusal(ErrorCode code, String rule) {
    var reporter = new Reporter();
    reporter.json.append("{\"error\":{\"code\":");
    reporter.text(code.toString());
    reporter.json.append(",\"rule\":");
    reporter.text(rule);
    return reporter.json.append("}}").toString();
  }

  private String checkpoint(Checkpoint checkpoint) {
    json.append("{\"version\":").append(checkpoint.version());
    json.append(",\"metadata_length\":").append(checkpoint.metadataLength());
    json.append(",\"file_length\":").append(checkpoint.fileLength());
    json.append(",\"epoch\":").append(checkpoint.epoch());
    json.append(",\"step\":").append(checkpoint.step());
    json.append(",\"loss\":");
    if (checkpoint.loss().isPresent()) number(checkpoint.loss().getAsDouble());
    else json.append("null");
    json.append(",\"metrics\":");
    sorted(checkpoint.metrics(), this::number);
    json.append(",\"config\":");
    text(checkpoint.config().orElse(null));
    json.append(",\"sequence\":");
    integer(checkpoint.sequence());
    json.append(",\"saved_at\":");
    integer(checkpoint.savedAt());
    json.append(",\"states\":");
    list(checkpoint.states(), this::state);
    return json.append('}').toString();
  }

  private void integer(OptionalLong number) {
    if (number.isPresent()) json.append(number.getAsLong());
    else json.append("null");
  }

  private void state(State state) {
    json.append("{\"name\":");
    text(state.name());
    json.append(",\"kind\":");
    text(state.kind().orElse(null));
    json.append(",\"attributes\":");
    sorted(state.attributes(), this::attribute);
    json.append(",\"tensors\":");
    list(state.tensors().values(), this::tensor);
    json.append('}');
  }

  private void tensor(Tensor tensor) {
    json.append("{\"name\":");
    text(tensor.name());
    json.append(",\"dtype\":");
    text(tensor.dtype().toString());
    json.append(",\"shape\":");
    list(
        Arrays.stream(tensor.shape()).boxed().toList(),
        length -> json.append('"').append(length).append('"'));
    json.append(",\"offset\":\"").append(tensor.offset());
    json.append("\",\"byte_length\":\"").append(tensor.byteLength());
    json.append("\",\"crc32\":\"").append(String.format("%08x", crc32(tensor)));
    json.append("\",\"bytes\":");
    text(tensor.byteLength() <= MOST_BYTES ? hex(tensor.bytes()) : null);
    json.append('}');
  }

  private static long crc32(Tensor tensor) {
    var crc = new CRC32();
    if (tensor.byteLength() <= Integer.MAX_VALUE) {
      crc.update(tensor.bytes());
      return crc.getValue();
    }
    for (long done = 0; done < tensor.byteLength(); ) {
      int length = (int) Math.min(SLICE, tensor.byteLength() - done);
      crc.update(tensor.slice(done, length));
      done += length;
    }
    return crc.getValue();
  }

  private static String hex(ByteBuffer bytes) {
    var copy = new byte[bytes.remaining()];
    bytes.get(copy);
    return HexFormat.of().formatHex(copy);
  }

  private void attribute(Attribute attribute) {
    if (attribute instanceof Attribute.Null) {
      json.append("null");
    } else if (attribute instanceof Attribute.Bool bool) {
      json.append(bool.value());
    } else if (attribute instanceof Attribute.Int integer) {
      member("number", () -> number((double) integer.value()));
    } else if (attribute instanceof Attribute.Int64 integer) {
      member("bigint", () -> text(Long.toString(integer.value())));
    } else if (attribute instanceof Attribute.Uint64 integer) {
      member("bigint", () -> text(integer.value().toString()));
    } else if (attribute instanceof Attribute.Float64 number) {
      member("number", () -> number(number.value()));
    } else if (attribute instanceof Attribute.Text text) {
      text(text.value());
    } else if (attribute instanceof Attribute.Sequence list) {
      list(list.items(), this::attribute);
    } else if (attribute instanceof Attribute.Mapping map) {
      member("map", () -> sorted(map.entries(), this::attribute));
    } else {
      throw new AssertionError(attribute);
    }
  }

  private void member(String name, Runnable value) {
    json.append("{\"").append(name).append("\":");
    value.run();
    json.append('}');
  }

  /** The bits of a double; every NaN is the same. */
  private void number(double value) {
    text(Double.isNaN(value) ? "nan" : String.format("%016x", Double.doubleToRawLongBits(value)));
  }

  /** Pairs of a map, sorted by the UTF-8 bytes of their names. */
  private <T> void sorted(Map<String, T> map, Consumer<T> write) {
    List<Map.Entry<String, T>> entries =
        map.entrySet().stream()
            .sorted(
                (a, b) -> Arrays.compareUnsigned(utf8(a.getKey()), utf8(b.getKey())))
            .toList();
    BiConsumer<String, T> pair =
        (name, value) -> {
          json.append('[');
          text(name);
          json.append(',');
          write.accept(value);
          json.append(']');
        };
    list(entries, entry -> pair.accept(entry.getKey(), entry.getValue()));
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  private <T> void list(Iterable<T> items, Consumer<T> write) {
    json.append('[');
    boolean first = true;
    for (T item : items) {
      if (!first) json.append(',');
      first = false;
      write.accept(item);
    }
    json.append(']');
  }

  private void text(String text) {
    if (text == null) {
      json.append("null");
      return;
    }
    json.append('"');
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == '"' || c == '\\') json.append('\\').append(c);
      else if (c < ' ' || c == '\u007f') json.append(String.format("\\u%04x", (int) c));
      else json.append(c);
    }
    json.append('"');
  }
}
