package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The example of README.md is a program, and it does what it says. */
class ReadmeTest {
  private static final Pattern EXAMPLE = Pattern.compile("(?s)```java\n(.*?)```");

  @Test
  void theExampleOfTheReadmeReadsTheGoldenFile(@TempDir Path folder) throws Exception {
    var readme = EXAMPLE.matcher(Files.readString(Path.of("README.md")));
    assertTrue(readme.find());
    Path source = folder.resolve("Example.java");
    Files.writeString(source, readme.group(1));

    // Compiles the file, and runs it.
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    String classes = System.getProperty("java.class.path");
    var builder = new ProcessBuilder(java, "-cp", classes, source.toString(), TestFiles.GOLDEN.toString());
    Process process = builder.redirectErrorStream(true).start();
    String printed = new String(process.getInputStream().readAllBytes());

    assertEquals(0, process.waitFor(), printed);
    // The bytes 6f 94 b9 de.
    float first = Float.intBitsToFloat(0xdeb9946f);
    assertEquals("epoch 3, step 1000000007: " + first + System.lineSeparator(), printed);
  }
}
