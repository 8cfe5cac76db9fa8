// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

package lightwatch.checkpoint;

/** The names of the rules, as {@link CheckpointException#rule} has them. */
final class Rule {
  /** The root table, its vtable and its first fields lie within the head. */
  static final String HEAD = "head";

  /** The version is not 0. */
  static final String VERSION = "version";

  /** The metadata fits into the file, and holds its own checksum. */
  static final String METADATA_LENGTH = "metadata_length";

  /** Metadata and vectors are neither too short nor too long. */
  static final String FLATBUFFER_LENGTH = "flatbuffer.length";

  /** The metadata carries the schema's identifier. */
  static final String FLATBUFFER_IDENTIFIER = "flatbuffer.identifier";

  /** What is read lies within the metadata. */
  static final String FLATBUFFER_RANGE = "flatbuffer.range";

  /** Shared parts do not stand for far more than the metadata's length. */
  static final String FLATBUFFER_BUDGET = "flatbuffer.budget";

  /** Numbers, offsets and elements are aligned. */
  static final String FLATBUFFER_ALIGNMENT = "flatbuffer.alignment";

  /** An offset is not 0, and leads forward within the metadata. */
  static final String FLATBUFFER_OFFSET = "flatbuffer.offset";

  /** Tables are not nested too deep. */
  static final String FLATBUFFER_DEPTH = "flatbuffer.depth";

  /** A vtable has a valid length. */
  static final String FLATBUFFER_VTABLE = "flatbuffer.vtable";

  /** A table has a valid length. */
  static final String FLATBUFFER_TABLE = "flatbuffer.table";

  /** A table has its required fields. */
  static final String FLATBUFFER_REQUIRED = "flatbuffer.required";

  /** A field lies within its table. */
  static final String FLATBUFFER_FIELD = "flatbuffer.field";

  /** A bool is 0 or 1. */
  static final String FLATBUFFER_BOOL = "flatbuffer.bool";

  /** A string ends with a zero byte. */
  static final String FLATBUFFER_STRING = "flatbuffer.string";

  /** Text is valid UTF-8. */
  static final String TEXT_UTF8 = "text.utf8";

  /** An integer is at most 2^53 - 1 either way. */
  static final String INTEGER_SAFE = "integer.safe";

  /** The config is JSON text. */
  static final String CONFIG_JSON = "config.json";

  /** A metric has a value. */
  static final String METRIC_VALUE = "metric.value";

  /** A metric appears once. */
  static final String METRIC_UNIQUE = "metric.unique";

  /** A metric's name is valid. */
  static final String METRIC_NAME = "metric.name";

  /** A key appears once in its map. */
  static final String ATTRIBUTE_UNIQUE = "attribute.unique";

  /** A value holds what its kind says, and nothing else. */
  static final String VALUE_KIND = "value.kind";

  /** A state's name is valid, unique, and the one that its field requires. */
  static final String STATE_NAME = "state.name";

  /** A tensor's dtype is one of the schema. */
  static final String TENSOR_DTYPE = "tensor.dtype";

  /** A tensor does not have too many dimensions. */
  static final String TENSOR_RANK = "tensor.rank";

  /** A tensor's name is valid. */
  static final String TENSOR_NAME = "tensor.name";

  /** A tensor's name appears once in its state. */
  static final String TENSOR_UNIQUE = "tensor.unique";

  /** A tensor has as many bytes as its dtype and shape imply. */
  static final String TENSOR_BYTE_LENGTH = "tensor.byte_length";

  /** A segment starts at the position that the preceding one implies. */
  static final String TENSOR_OFFSET = "tensor.offset";

  /** A segment ends within the file. */
  static final String TENSOR_RANGE = "tensor.range";

  /** Tensors that share a segment agree on its length and checksum. */
  static final String TENSOR_ALIAS = "tensor.alias";

  /** A tensor's `data` leads to its segment if the file is a plain FlatBuffer, and is absent otherwise. */
  static final String TENSOR_DATA = "tensor.data";

  /** The file ends with its last segment. */
  static final String FILE_LENGTH = "file_length";

  /** The bytes before a segment are zero, except for its length. */
  static final String GAP = "gap";

  private Rule() {}
}
