package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.math.BigInteger;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The golden file of format version 1, against what another language wrote down of it. */
class GoldenTest {
  private static JsonObject expected() throws IOException {
    var json = TestFiles.GOLDEN.resolveSibling("v1.json");
    return JsonParser.parseString(Files.readString(json)).getAsJsonObject();
  }

  @Test
  void progressIsReadBitForBit() throws IOException {
    JsonObject expected = expected();
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN)) {
      assertEquals(1, checkpoint.version());
      assertEquals(expected.get("epoch").getAsLong(), checkpoint.epoch());
      assertEquals(expected.get("step").getAsLong(), checkpoint.step());
      assertEquals(number(expected.get("loss")), checkpoint.loss().getAsDouble());
      assertEquals(expected.get("config").getAsString(), checkpoint.config().get());
      assertEquals(Files.size(TestFiles.GOLDEN), checkpoint.fileLength());
      var metrics = new ArrayList<Map.Entry<String, Double>>();
      for (JsonElement pair : expected.getAsJsonArray("metrics")) {
        JsonArray entry = pair.getAsJsonArray();
        metrics.add(Map.entry(entry.get(0).getAsString(), number(entry.get(1))));
      }
      // As lists: the order counts.
      assertEquals(metrics, List.copyOf(checkpoint.metrics().entrySet()));
    }
  }

  @ParameterizedTest
  @ValueSource(booleans = {true, false})
  void statesAreReadInTheirOrder(boolean map) throws IOException {
    JsonObject expected = expected();
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN, new OpenOptions(true, map))) {
      assertState(expected.getAsJsonObject("model"), checkpoint.model());
      assertState(expected.getAsJsonObject("optimizer"), checkpoint.optimizer().get());
      JsonArray extras = expected.getAsJsonArray("extras");
      assertEquals(
          Stream.of("ema", "scheduler", "rng/🎲").toList(),
          List.copyOf(checkpoint.extras().keySet()));
      for (JsonElement extra : extras) {
        String name = extra.getAsJsonObject().get("name").getAsString();
        assertState(extra.getAsJsonObject(), checkpoint.extras().get(name));
      }
      assertEquals(2 + extras.size(), checkpoint.states().size());
      checkpoint.verify();
    }
  }

  private static void assertState(JsonObject expected, State actual) {
    assertEquals(expected.get("name").getAsString(), actual.name());
    JsonElement kind = expected.get("kind");
    assertEquals(
        kind.isJsonNull() ? Optional.empty() : Optional.of(kind.getAsString()), actual.kind());
    var attributes = (Attribute.Mapping) attribute(expected.get("attributes"));
    assertEquals(attributes.entries(), actual.attributes());
    assertEquals(
        List.copyOf(attributes.entries().keySet()), List.copyOf(actual.attributes().keySet()));

    var names = new ArrayList<String>();
    for (JsonElement element : expected.getAsJsonArray("tensors")) {
      JsonObject tensor = element.getAsJsonObject();
      String name = tensor.get("name").getAsString();
      names.add(name);
      assertTensor(tensor, actual.tensor(name));
    }
    assertEquals(names, List.copyOf(actual.tensors().keySet()));
  }

  private static void assertTensor(JsonObject expected, Tensor actual) {
    assertEquals(expected.get("name").getAsString(), actual.name());
    assertEquals(Dtype.of(expected.get("dtype").getAsString()), actual.dtype());
    long[] shape =
        expected.getAsJsonArray("shape").asList().stream()
            .mapToLong(JsonElement::getAsLong)
            .toArray();
    assertArrayEquals(shape, actual.shape());
    byte[] bytes = HexFormat.of().parseHex(expected.get("data").getAsString());
    assertEquals(bytes.length, actual.byteLength());
    var copy = new byte[bytes.length];
    actual.bytes().get(copy);
    assertArrayEquals(bytes, copy, actual.name());
  }

  private static Attribute attribute(JsonElement json) {
    if (json.isJsonNull()) return new Attribute.Null();
    if (json.isJsonPrimitive()) {
      return json.getAsJsonPrimitive().isBoolean()
          ? new Attribute.Bool(json.getAsBoolean())
          : new Attribute.Text(json.getAsString());
    }
    var entry = json.getAsJsonObject().entrySet().iterator().next();
    JsonElement value = entry.getValue();
    return switch (entry.getKey()) {
      case "integer" -> new Attribute.Int(value.getAsLong());
      case "int64" -> new Attribute.Int64(Long.parseLong(value.getAsString()));
      case "uint64" -> new Attribute.Uint64(new BigInteger(value.getAsString()));
      case "float64" -> new Attribute.Float64(number(value));
      case "list" ->
          new Attribute.Sequence(
              value.getAsJsonArray().asList().stream().map(GoldenTest::attribute).toList());
      case "map" -> {
        var entries = new LinkedHashMap<String, Attribute>();
        for (JsonElement pair : value.getAsJsonArray()) {
          JsonArray both = pair.getAsJsonArray();
          entries.put(both.get(0).getAsString(), attribute(both.get(1)));
        }
        yield new Attribute.Mapping(entries);
      }
      default -> throw new AssertionError(entry.getKey());
    };
  }

  /** A double as JavaScript writes it; Java names the same special ones. */
  private static double number(JsonElement text) {
    return Double.parseDouble(text.getAsString());
  }

  @Test
  void whatIsNotThereIsSaidToBeMissing() {
    try (var checkpoint = Checkpoint.open(TestFiles.GOLDEN)) {
      State ema = checkpoint.extras().get("ema");
      var fault =
          assertThrows(
              CheckpointException.class, () -> ema.tensor("no\nsuch"));
      assertEquals(ErrorCode.CKPT_NO_SUCH_TENSOR, fault.code());
      assertEquals(Optional.of("no\nsuch"), fault.tensor());
      assertEquals(
          "ema has no tensor \"no\\u{a}such\"; it has 1: \"embedding.weight\"",
          fault.getMessage());
      assertFalse(checkpoint.extras().containsKey("model"));
      assertTrue(ema.kind().isEmpty());
    }
  }
}
