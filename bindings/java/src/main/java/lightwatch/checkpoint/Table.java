// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

package lightwatch.checkpoint;

import java.util.List;
import lightwatch.checkpoint.Schema.Field;
import lightwatch.checkpoint.Schema.Scalar;
import lightwatch.checkpoint.Schema.SegmentType;
import lightwatch.checkpoint.Schema.StringType;
import lightwatch.checkpoint.Schema.TableType;
import lightwatch.checkpoint.Schema.VectorType;

/** The tables of the schema and their fields. */
enum Table {
  CHECKPOINT("Checkpoint"),
  ENTRY("Entry"),
  METRIC("Metric"),
  STATE("State"),
  TENSOR("Tensor"),
  VALUE("Value");

  /** The root of a file. */
  static final Table ROOT = CHECKPOINT;

  static final Field CHECKPOINT_VERSION =
      new Field("version", 4, false, new Scalar(4, false));
  static final Field CHECKPOINT_METADATA_LENGTH =
      new Field("metadata_length", 6, false, new Scalar(4, false));
  static final Field CHECKPOINT_METADATA_CRC32 =
      new Field("metadata_crc32", 8, false, new Scalar(4, false));
  static final Field CHECKPOINT_FILE_LENGTH =
      new Field("file_length", 10, false, new Scalar(8, false));
  static final Field CHECKPOINT_EPOCH =
      new Field("epoch", 12, false, new Scalar(8, false));
  static final Field CHECKPOINT_STEP =
      new Field("step", 14, false, new Scalar(8, false));
  static final Field CHECKPOINT_LOSS =
      new Field("loss", 16, false, new Scalar(8, false));
  static final Field CHECKPOINT_METRICS =
      new Field("metrics", 18, false, new VectorType(new TableType(METRIC)));
  static final Field CHECKPOINT_CONFIG =
      new Field("config", 20, false, new StringType());
  static final Field CHECKPOINT_MODEL =
      new Field("model", 22, true, new TableType(STATE));
  static final Field CHECKPOINT_OPTIMIZER =
      new Field("optimizer", 24, false, new TableType(STATE));
  static final Field CHECKPOINT_EXTRAS =
      new Field("extras", 26, false, new VectorType(new TableType(STATE)));
  static final Field CHECKPOINT_SEQUENCE =
      new Field("sequence", 28, false, new Scalar(8, false));
  static final Field CHECKPOINT_SAVED_AT =
      new Field("saved_at", 30, false, new Scalar(8, false));

  static final Field ENTRY_KEY =
      new Field("key", 4, true, new StringType());
  static final Field ENTRY_VALUE =
      new Field("value", 6, true, new TableType(VALUE));

  static final Field METRIC_NAME =
      new Field("name", 4, true, new StringType());
  static final Field METRIC_VALUE =
      new Field("value", 6, false, new Scalar(8, false));

  static final Field STATE_NAME =
      new Field("name", 4, true, new StringType());
  static final Field STATE_KIND =
      new Field("kind", 6, false, new StringType());
  static final Field STATE_ATTRIBUTES =
      new Field("attributes", 8, false, new VectorType(new TableType(ENTRY)));
  static final Field STATE_TENSORS =
      new Field("tensors", 10, true, new VectorType(new TableType(TENSOR)));

  static final Field TENSOR_NAME =
      new Field("name", 4, true, new StringType());
  static final Field TENSOR_DTYPE =
      new Field("dtype", 6, false, new Scalar(1, false));
  static final Field TENSOR_SHAPE =
      new Field("shape", 8, true, new VectorType(new Scalar(8, false)));
  static final Field TENSOR_OFFSET =
      new Field("offset", 10, false, new Scalar(8, false));
  static final Field TENSOR_BYTE_LENGTH =
      new Field("byte_length", 12, false, new Scalar(8, false));
  static final Field TENSOR_CRC32 =
      new Field("crc32", 14, false, new Scalar(4, false));
  static final Field TENSOR_DATA =
      new Field("data", 16, false, new SegmentType());

  static final Field VALUE_KIND =
      new Field("kind", 4, false, new Scalar(1, false));
  static final Field VALUE_BOOLEAN =
      new Field("boolean", 6, false, new Scalar(1, true));
  static final Field VALUE_INTEGER =
      new Field("integer", 8, false, new Scalar(8, false));
  static final Field VALUE_UINTEGER =
      new Field("uinteger", 10, false, new Scalar(8, false));
  static final Field VALUE_NUMBER =
      new Field("number", 12, false, new Scalar(8, false));
  static final Field VALUE_TEXT =
      new Field("text", 14, false, new StringType());
  static final Field VALUE_LIST =
      new Field("list", 16, false, new VectorType(new TableType(VALUE)));
  static final Field VALUE_MAP =
      new Field("map", 18, false, new VectorType(new TableType(ENTRY)));

  private final String text;

  Table(String text) {
    this.text = text;
  }

  /** In the order of their slots. */
  List<Field> fields() {
    return switch (this) {
      case CHECKPOINT ->
          List.of(
              CHECKPOINT_VERSION,
              CHECKPOINT_METADATA_LENGTH,
              CHECKPOINT_METADATA_CRC32,
              CHECKPOINT_FILE_LENGTH,
              CHECKPOINT_EPOCH,
              CHECKPOINT_STEP,
              CHECKPOINT_LOSS,
              CHECKPOINT_METRICS,
              CHECKPOINT_CONFIG,
              CHECKPOINT_MODEL,
              CHECKPOINT_OPTIMIZER,
              CHECKPOINT_EXTRAS,
              CHECKPOINT_SEQUENCE,
              CHECKPOINT_SAVED_AT);
      case ENTRY ->
          List.of(
              ENTRY_KEY,
              ENTRY_VALUE);
      case METRIC ->
          List.of(
              METRIC_NAME,
              METRIC_VALUE);
      case STATE ->
          List.of(
              STATE_NAME,
              STATE_KIND,
              STATE_ATTRIBUTES,
              STATE_TENSORS);
      case TENSOR ->
          List.of(
              TENSOR_NAME,
              TENSOR_DTYPE,
              TENSOR_SHAPE,
              TENSOR_OFFSET,
              TENSOR_BYTE_LENGTH,
              TENSOR_CRC32,
              TENSOR_DATA);
      case VALUE ->
          List.of(
              VALUE_KIND,
              VALUE_BOOLEAN,
              VALUE_INTEGER,
              VALUE_UINTEGER,
              VALUE_NUMBER,
              VALUE_TEXT,
              VALUE_LIST,
              VALUE_MAP);
    };
  }

  /** The name in the schema. */
  @Override
  public String toString() {
    return text;
  }
}
