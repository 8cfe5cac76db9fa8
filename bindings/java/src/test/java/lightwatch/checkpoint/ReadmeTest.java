package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The example of README.md: it is this very code, and it is true. */
class ReadmeTest {
  private static final Pattern EXAMPLE = Pattern.compile("(?s)```java\n(.*?)```");

  private static float firstWeight(Path path) {
    float first = 0;
    // example
    try (Checkpoint checkpoint = Checkpoint.open(path)) {
      FloatBuffer weight = checkpoint.model().tensor("embedding.weight").floats();
      first = weight.get(0);
    } catch (CheckpointException error) {
      System.err.println(error.code() + " " + error.rule().orElse("") + " " + error.getMessage());
    }
    // end of the example
    return first;
  }

  @Test
  void theExampleOfTheReadmeReadsTheGoldenFile() {
    // The bytes 6f 94 b9 de.
    assertEquals(Float.intBitsToFloat(0xdeb9946f), firstWeight(TestFiles.GOLDEN));
  }

  @Test
  void theExampleIsThatOfTheReadme() throws IOException {
    var code = Path.of("src/test/java/lightwatch/checkpoint/ReadmeTest.java");
    String source = Files.readString(code);
    int start = source.indexOf("// example\n") + "// example\n".length();
    String example = source.substring(start, source.indexOf("    // end of the example"));
    var readme = EXAMPLE.matcher(Files.readString(Path.of("README.md")));
    readme.find();
    assertEquals(example.replaceAll("(?m)^ {4}", ""), readme.group(1));
  }
}
