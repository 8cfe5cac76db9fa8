package lightwatch.checkpoint;

import java.util.List;

/**
 * What the schema says of the layout of its tables, as data that drives the verifier. A test holds
 * it against the description that is generated from the schema.
 */
final class Schema {
  /** Four characters at byte 4 of a file. */
  static final String IDENTIFIER = "LWCK";

  private Schema() {}

  /** What a field can be. */
  sealed interface Type {
    /** Bytes that it takes in its table. */
    int size();
  }

  /** A number of {@code size} bytes, aligned to as many; a bool is 0 or 1. */
  record Scalar(int size, boolean bool) implements Type {}

  /** An offset to text. */
  record StringType() implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** An offset to a table. */
  record TableType(TableName table) implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** An offset to a vector of scalars or tables. */
  record VectorType(Type element) implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** An offset to a vector beyond the metadata, in a segment: the format's rules say where. */
  record SegmentType() implements Type {
    @Override
    public int size() {
      return 4;
    }
  }

  /** A table of the schema. The order of its fields is that of their slots. */
  enum TableName {
    CHECKPOINT,
    ENTRY,
    METRIC,
    STATE,
    TENSOR,
    VALUE;

    /** As in the schema. */
    @Override
    public String toString() {
      return name().charAt(0) + name().substring(1).toLowerCase(java.util.Locale.ROOT);
    }
  }

  /**
   * A field of a table.
   *
   * @param slot position of its entry in the vtable, in bytes: 4 for the first, 6 for the next
   */
  record Field(String name, int slot, boolean required, Type type) {}

  private static final Type BOOL = new Scalar(1, true);
  private static final Type UINT8 = new Scalar(1, false);
  private static final Type UINT32 = new Scalar(4, false);
  // Integers and doubles alike: only their size matters.
  private static final Type WIDE = new Scalar(8, false);
  private static final Type STRING = new StringType();

  static final Field VERSION = optional("version", 4, UINT32);
  static final Field METADATA_LENGTH = optional("metadata_length", 6, UINT32);
  static final Field METADATA_CRC32 = optional("metadata_crc32", 8, UINT32);
  static final Field FILE_LENGTH = optional("file_length", 10, WIDE);
  static final Field MODEL = required("model", 22, new TableType(TableName.STATE));
  static final Field OPTIMIZER = optional("optimizer", 24, new TableType(TableName.STATE));
  static final Field EXTRAS = optional("extras", 26, vectorOf(TableName.STATE));
  static final Field TENSORS = required("tensors", 10, vectorOf(TableName.TENSOR));
  static final Field DATA = optional("data", 16, new SegmentType());

  private static final List<Field> CHECKPOINT_FIELDS =
      List.of(
          VERSION,
          METADATA_LENGTH,
          METADATA_CRC32,
          FILE_LENGTH,
          optional("epoch", 12, WIDE),
          optional("step", 14, WIDE),
          optional("loss", 16, WIDE),
          optional("metrics", 18, vectorOf(TableName.METRIC)),
          optional("config", 20, STRING),
          MODEL,
          OPTIMIZER,
          EXTRAS);

  private static final List<Field> ENTRY_FIELDS =
      List.of(required("key", 4, STRING), required("value", 6, new TableType(TableName.VALUE)));

  private static final List<Field> METRIC_FIELDS =
      List.of(required("name", 4, STRING), optional("value", 6, WIDE));

  private static final List<Field> STATE_FIELDS =
      List.of(
          required("name", 4, STRING),
          optional("kind", 6, STRING),
          optional("attributes", 8, vectorOf(TableName.ENTRY)),
          TENSORS);

  private static final List<Field> TENSOR_FIELDS =
      List.of(
          required("name", 4, STRING),
          optional("dtype", 6, UINT8),
          required("shape", 8, new VectorType(WIDE)),
          optional("offset", 10, WIDE),
          optional("byte_length", 12, WIDE),
          optional("crc32", 14, UINT32),
          DATA);

  private static final List<Field> VALUE_FIELDS =
      List.of(
          optional("kind", 4, UINT8),
          optional("boolean", 6, BOOL),
          optional("integer", 8, WIDE),
          optional("uinteger", 10, WIDE),
          optional("number", 12, WIDE),
          optional("text", 14, STRING),
          optional("list", 16, vectorOf(TableName.VALUE)),
          optional("map", 18, vectorOf(TableName.ENTRY)));

  /** The fields of a table. */
  static List<Field> fieldsOf(TableName table) {
    return switch (table) {
      case CHECKPOINT -> CHECKPOINT_FIELDS;
      case ENTRY -> ENTRY_FIELDS;
      case METRIC -> METRIC_FIELDS;
      case STATE -> STATE_FIELDS;
      case TENSOR -> TENSOR_FIELDS;
      case VALUE -> VALUE_FIELDS;
    };
  }

  private static Field optional(String name, int slot, Type type) {
    return new Field(name, slot, false, type);
  }

  private static Field required(String name, int slot, Type type) {
    return new Field(name, slot, true, type);
  }

  private static Type vectorOf(TableName table) {
    return new VectorType(new TableType(table));
  }
}
