package lightwatch.checkpoint.conformance;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The files that every reader reads to the same values, or refuses by the same rule. */
class CorpusTest {
  private static final Path CORPUS =
      Path.of("").toAbsolutePath().getParent().getParent().resolve("test/conformance");

  @BeforeEach
  void needCorpus() {
    assumeTrue(
        Files.exists(CORPUS.resolve("invalid.json")), "the corpus is not in test/conformance");
  }

  private static JsonElement report(Path path) {
    return JsonParser.parseString(Reporter.report(path.toString()));
  }

  @Test
  void validFilesAreReadToTheirValues() throws IOException {
    try (var files = Files.newDirectoryStream(CORPUS.resolve("valid"), "*.ckpt")) {
      int count = 0;
      for (Path path : files) {
        String name = path.getFileName().toString().replaceFirst("\\.ckpt$", ".json");
        String expected = Files.readString(path.resolveSibling(name));
        assertEquals(JsonParser.parseString(expected), report(path), path.toString());
        count++;
      }
      assertTrue(count > 20, count + " files");
    }
  }

  @Test
  void invalidFilesAreRefusedByTheirRule() throws IOException {
    String json = Files.readString(CORPUS.resolve("invalid.json"));
    JsonObject expected = JsonParser.parseString(json).getAsJsonObject();
    assertTrue(expected.size() > 200, expected.size() + " files");
    assertAll(expected.entrySet().stream().map(CorpusTest::refused));
  }

  private static Executable refused(Map.Entry<String, JsonElement> entry) {
    return () -> {
      JsonObject expected = entry.getValue().getAsJsonObject();
      Path path = CORPUS.resolve("invalid").resolve(entry.getKey() + ".ckpt");
      JsonElement error = report(path).getAsJsonObject().get("error");
      assertTrue(error != null, () -> path + " was read");
      JsonObject actual = error.getAsJsonObject();
      assertEquals(expected.get("code"), actual.get("code"), path.toString());
      // Null where the code says it all.
      if (!expected.get("rule").isJsonNull()) {
        assertEquals(expected.get("rule"), actual.get("rule"), path.toString());
      }
    };
  }
}
