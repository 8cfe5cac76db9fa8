package lightwatch.checkpoint;

import com.google.flatbuffers.Table;
import java.nio.ByteBuffer;

/**
 * The position of a table of verified metadata, which the generated classes do not reveal. Walks from
 * the root to the tensors for the one field whose offset matters itself: a tensor's {@code data}.
 */
final class TablePosition extends Table {
  private TablePosition(int at, ByteBuffer metadata) {
    __reset(at, metadata);
  }

  static TablePosition ofRoot(ByteBuffer metadata) {
    return new TablePosition(metadata.getInt(0), metadata);
  }

  /** The table that a field leads to; the field must be present. */
  TablePosition table(Schema.Field field) {
    return new TablePosition(__indirect(bb_pos + __offset(field.slot())), bb);
  }

  /** An element of a vector of tables; the field must be present. */
  TablePosition element(Schema.Field field, int index) {
    return new TablePosition(__indirect(__vector(__offset(field.slot())) + 4 * index), bb);
  }

  /**
   * Position that a field's offset leads to, or -1 if the field is absent. Unsigned, unlike the
   * runtime's own: a backward offset becomes a huge forward one, and is refused.
   */
  long target(Schema.Field field) {
    int entry = __offset(field.slot());
    if (entry == 0) return -1;
    int at = bb_pos + entry;
    return at + Integer.toUnsignedLong(bb.getInt(at));
  }
}
