package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import lightwatch.checkpoint.Schema.Field;
import lightwatch.checkpoint.Schema.Scalar;
import lightwatch.checkpoint.Schema.SegmentType;
import lightwatch.checkpoint.Schema.StringType;
import lightwatch.checkpoint.Schema.TableType;
import lightwatch.checkpoint.Schema.VectorType;

/**
 * Verifies that the generated classes can read the metadata without leaving it, and without reading
 * something that the schema does not describe. The FlatBuffers runtime for Java has no verifier, and
 * follows offsets backwards and in circles.
 *
 * <p>The rules are those of the verifier for C++, and stricter where C++ passes something that would be
 * misread. Positions and lengths are longs, so no sum of two of them wraps.
 */
final class FlatBufferVerifier {
  // A vtable starts with its own length and the length of the table, two bytes each.
  private static final int VTABLE_HEADER = 4;

  private final ByteBuffer bytes;
  private final long length;
  private long budget;
  private int depth;

  private FlatBufferVerifier(byte[] metadata) {
    this.bytes = ByteBuffer.wrap(metadata).order(ByteOrder.LITTLE_ENDIAN);
    this.length = metadata.length;
    // Shared tables and strings are legal, and let a small buffer stand for an enormous tree. So every
    // visited range counts towards a budget, shared or not.
    this.budget = Limits.BUDGET_PER_BYTE * length + Limits.BUDGET_BASE;
  }

  /**
   * Verifies metadata whose head has been read. Throws CKPT_FLATBUFFER with the broken rule and its
   * position.
   */
  static void verify(byte[] metadata) {
    var verifier = new FlatBufferVerifier(metadata);
    verifier.table(verifier.offset(0, "the root"), Table.ROOT);
  }

  /**
   * Verifies that {@code size} bytes at {@code at} lie in the buffer. As in C++, the buffer's whole
   * length fails.
   */
  private void range(long at, long size, String what) {
    if (!(at >= 0 && size < length && at <= length - size)) {
      throw fault(Rule.FLATBUFFER_RANGE, what + " of " + size + " bytes reaches outside the buffer", at);
    }
    budget -= size;
    if (budget < 0) {
      throw fault(Rule.FLATBUFFER_BUDGET, "it stands for far more than its " + length + " bytes", at);
    }
  }

  /** Verifies that a number of {@code size} bytes at {@code at} lies in the buffer, aligned. */
  private void inline(long at, int size, int align, String what) {
    if (at % align != 0) {
      throw fault(Rule.FLATBUFFER_ALIGNMENT, what + " is not aligned to " + align + " bytes", at);
    }
    range(at, size, what);
  }

  /** Verifies the offset at {@code at}, and returns the position that it leads to. */
  private long offset(long at, String what) {
    inline(at, 4, 4, what);
    long offset = Integer.toUnsignedLong(bytes.getInt((int) at));
    if (offset == 0) throw fault(Rule.FLATBUFFER_OFFSET, what + " has a null offset", at);
    if (offset > Integer.MAX_VALUE || at + offset >= length) {
      throw fault(Rule.FLATBUFFER_OFFSET, "the offset of " + what + " leads outside the buffer", at);
    }
    return at + offset;
  }

  private void table(long at, Table table) {
    String what = table.toString();
    inline(at, 4, 4, what);
    if (++depth > Limits.MAX_DEPTH) {
      throw fault(Rule.FLATBUFFER_DEPTH, "it has tables nested more than " + Limits.MAX_DEPTH + " deep", at);
    }
    long vtable = at - bytes.getInt((int) at);
    inline(vtable, VTABLE_HEADER, 2, what);
    int vtableLength = Short.toUnsignedInt(bytes.getShort((int) vtable));
    int tableLength = Short.toUnsignedInt(bytes.getShort((int) vtable + 2));
    if (vtableLength < VTABLE_HEADER
        || vtableLength > Limits.MAX_VTABLE_NUMBER
        || vtableLength % 2 != 0) {
      throw fault(Rule.FLATBUFFER_VTABLE, "the vtable of " + what + " has a length of " + vtableLength, vtable);
    }
    range(vtable, vtableLength, what);
    if (tableLength < 4) throw fault(Rule.FLATBUFFER_TABLE, what + " has a length of " + tableLength, vtable + 2);
    range(at, tableLength, what);
    for (Field field : table.fields()) {
      int entry =
          field.slot() < vtableLength
              ? Short.toUnsignedInt(bytes.getShort((int) vtable + field.slot()))
              : 0;
      if (entry != 0) {
        field(field, at, entry, tableLength);
      } else if (field.required()) {
        throw fault(Rule.FLATBUFFER_REQUIRED, what + " lacks its required field " + field.name(), at);
      }
    }
    depth--;
  }

  private void field(Field field, long table, int entry, int tableLength) {
    String name = field.name();
    int size = field.type().size();
    if (entry < 4 || entry > Limits.MAX_VTABLE_NUMBER || entry + size > tableLength) {
      throw fault(Rule.FLATBUFFER_FIELD, "the field " + name + " lies outside its table", table);
    }
    long at = table + entry;
    // A chain of ifs, because Java 17 has a switch over types only as a preview.
    if (field.type() instanceof Scalar scalar) {
      inline(at, size, size, name);
      if (scalar.bool() && Byte.toUnsignedInt(bytes.get((int) at)) > 1) {
        throw fault(Rule.FLATBUFFER_BOOL, "the field " + name + " is neither 0 nor 1", at);
      }
    } else if (field.type() instanceof StringType) {
      string(offset(at, name), name);
    } else if (field.type() instanceof TableType type) {
      table(offset(at, name), type.table());
    } else if (field.type() instanceof SegmentType) {
      // Its elements lie beyond the metadata; the format's own rules place them.
      inline(at, 4, 4, name);
    } else if (field.type() instanceof VectorType type) {
      vector(type, offset(at, name), name);
    }
  }

  private void string(long at, String what) {
    long end = at + 4 + elements(at, 1, what);
    range(end, 1, what);
    if (bytes.get((int) end) != 0) {
      throw fault(Rule.FLATBUFFER_STRING, what + " does not end with a zero byte", end);
    }
  }

  private void vector(VectorType type, long at, String what) {
    int size = type.element().size();
    long count = elements(at, size, what);
    long start = at + 4;
    if (type.element() instanceof TableType element) {
      for (long i = 0; i < count; i++) table(offset(start + 4 * i, what), element.table());
    } else if (count > 0 && start % size != 0) {
      String elements = "the elements of " + what;
      throw fault(Rule.FLATBUFFER_ALIGNMENT, elements + " are not aligned to " + size + " bytes", start);
    }
  }

  /** Number of elements, of {@code size} bytes each, of the vector at {@code at}. */
  private long elements(long at, int size, String what) {
    inline(at, 4, 4, what);
    long count = Integer.toUnsignedLong(bytes.getInt((int) at));
    if (count * size >= Limits.FLATBUFFER_LIMIT) {
      throw fault(Rule.FLATBUFFER_LENGTH, what + " has " + count + " elements", at);
    }
    range(at, 4 + count * size, what);
    return count;
  }

  private static CheckpointException fault(String rule, String message, long at) {
    return new CheckpointException(
        ErrorCode.CKPT_FLATBUFFER,
        rule,
        "the metadata is not a valid FlatBuffer: " + message + " (at byte " + at + ")");
  }
}
