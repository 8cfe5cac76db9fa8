package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.CharsetDecoder;
import java.nio.charset.CodingErrorAction;
import java.nio.charset.StandardCharsets;

/**
 * Text in a file: UTF-8, decoded strictly. The decoders of {@code String} and of the FlatBuffers
 * runtime replace invalid bytes, so that two different names could become one.
 */
final class Text {
  // Used for one decoding of metadata, and so by one thread.
  private final CharsetDecoder decoder =
      StandardCharsets.UTF_8
          .newDecoder()
          .onMalformedInput(CodingErrorAction.REPORT)
          .onUnmappableCharacter(CodingErrorAction.REPORT);

  /** Decodes bytes. Throws CKPT_FORMAT with rule text.utf8, and {@code what} in the message. */
  String decode(ByteBuffer bytes, String what) {
    try {
      return decoder.decode(bytes).toString();
    } catch (CharacterCodingException cause) {
      throw new CheckpointException(
          ErrorCode.CKPT_FORMAT, Rule.TEXT_UTF8, what + " is not valid UTF-8");
    }
  }

  /**
   * Why decoded text cannot be the name of a tensor, a state or a metric, or null if it can. A reader
   * that ends strings at U+0000 would take two names for one.
   */
  static String nameFault(String name) {
    if (name.isEmpty()) return "is empty";
    if (name.indexOf('\0') >= 0) return "contains U+0000";
    // No character takes more than three bytes for each of its UTF-16 units.
    if (name.length() > Limits.MAX_NAME_BYTES / 3
        && name.getBytes(StandardCharsets.UTF_8).length > Limits.MAX_NAME_BYTES) {
      return "is longer than " + Limits.MAX_NAME_BYTES + " bytes";
    }
    return null;
  }
}
