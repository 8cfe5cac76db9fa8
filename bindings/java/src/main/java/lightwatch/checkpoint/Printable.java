package lightwatch.checkpoint;

/**
 * Text from a file or a caller, made safe to print: a name in a file must not be able to steer a
 * terminal or mislead a reader.
 */
final class Printable {
  // Longest text that a message quotes in full, in UTF-16 units.
  private static final int QUOTE_LIMIT = 200;

  private Printable() {}

  /** Quotes and escapes a text, and shortens it to a line. */
  static String quote(String text) {
    boolean cut = text.length() > QUOTE_LIMIT;
    String shown = cut ? text.substring(0, QUOTE_LIMIT) : text;
    return '"' + escape(shown).replace("\"", "\\\"") + (cut ? "…" : "") + '"';
  }

  /** Escapes characters that steer a terminal or are invisible, as {@code \\u{...}}. */
  static String escape(String text) {
    var escaped = new StringBuilder(text.length());
    text.codePoints()
        .forEach(
            c -> {
              switch (Character.getType(c)) {
                case Character.CONTROL,
                    Character.FORMAT,
                    Character.LINE_SEPARATOR,
                    Character.PARAGRAPH_SEPARATOR ->
                    escaped.append("\\u{").append(Integer.toHexString(c)).append('}');
                case Character.SURROGATE -> escaped.append('\ufffd');
                default -> escaped.appendCodePoint(c);
              }
            });
    return escaped.toString();
  }
}
