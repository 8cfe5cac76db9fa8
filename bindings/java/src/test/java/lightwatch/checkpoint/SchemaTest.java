package lightwatch.checkpoint;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;

/** The table that drives the verifier, against the description that npm run gen makes. */
class SchemaTest {
  private static final Pattern TABLE = Pattern.compile("^ {4}(\\w+): \\[$");
  private static final Pattern FIELD = Pattern.compile("^ {6}\\{ (.*) \\},$");

  @Test
  void tablesAreThoseOfTheSchema() throws IOException {
    var description = TestFiles.PROJECT.resolve("generated/description.ts");
    var expected = new ArrayList<String>();
    List<String> lines = Files.readAllLines(description);
    for (String line : lines) {
      var table = TABLE.matcher(line);
      var field = FIELD.matcher(line);
      if (table.matches()) expected.add(table.group(1));
      if (field.matches()) expected.add(field.group(1));
    }
    var actual = new ArrayList<String>();
    for (var table : Schema.TableName.values()) {
      actual.add(table.toString());
      for (Schema.Field field : Schema.fieldsOf(table)) actual.add(described(field));
    }
    // What scalars are called does not matter, beyond their size and whether they are truth values.
    expected.replaceAll(line -> line.replaceAll("scalar: '(?!bool)\\w+'", "scalar: 'number'"));
    assertEquals(String.join("\n", expected), String.join("\n", actual));
    assertTrue(lines.contains("  identifier: '" + Schema.IDENTIFIER + "',"));
    assertTrue(lines.contains("  root: '" + Schema.TableName.CHECKPOINT + "',"));
    assertTrue(lines.contains("  unions: {},"));
  }

  private static String described(Schema.Field field) {
    return "name: '"
        + field.name()
        + "', slot: "
        + field.slot()
        + ", required: "
        + field.required()
        + ", type: "
        + described(field.type());
  }

  private static String described(Schema.Type type) {
    if (type instanceof Schema.Scalar scalar) {
      String name = scalar.bool() ? "bool" : "number";
      return "{ base: 'scalar', scalar: '" + name + "', size: " + scalar.size() + " }";
    }
    if (type instanceof Schema.StringType) return "{ base: 'string' }";
    if (type instanceof Schema.TableType table) {
      return "{ base: 'table', table: '" + table.table() + "' }";
    }
    if (type instanceof Schema.VectorType vector) {
      return "{ base: 'vector', element: " + described(vector.element()) + ", segment: false }";
    }
    String bytes = described(new Schema.Scalar(1, false));
    return "{ base: 'vector', element: " + bytes + ", segment: true }";
  }

  @Test
  void aFieldThatMovedWouldBeNoticed() {
    var field = Schema.fieldsOf(Schema.TableName.METRIC).get(1);
    assertEquals(
        "name: 'value', slot: 6, required: false, "
            + "type: { base: 'scalar', scalar: 'number', size: 8 }",
        described(field));
  }
}
