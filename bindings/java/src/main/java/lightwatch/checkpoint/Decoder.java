package lightwatch.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import lightwatch.checkpoint.Metadata.StateRecord;
import lightwatch.checkpoint.Metadata.TensorRecord;
import lightwatch.format.Entry;
import lightwatch.format.Metric;
import lightwatch.format.Value;
import lightwatch.format.ValueKind;

/**
 * Decodes verified metadata into plain values. Only this class touches the generated classes. The rules
 * then validate what the values mean for each other.
 */
final class Decoder {
  private final ByteBuffer bytes;
  private final Text text = new Text();

  private Decoder(byte[] metadata) {
    this.bytes = ByteBuffer.wrap(metadata).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Decodes metadata that the verifier has passed. Throws CKPT_FORMAT if a value has no meaning by
   * itself: text that is not UTF-8, an unknown dtype, an integer beyond 2^53 - 1, a duplicate key.
   */
  static Metadata decode(byte[] metadata) {
    return new Decoder(metadata).checkpoint();
  }

  private Metadata checkpoint() {
    var root = lightwatch.format.Checkpoint.getRootAsCheckpoint(bytes);
    TablePosition position = TablePosition.ofRoot(bytes);
    // In the order of the format, because an error names the first fault.
    long fileLength = safeUnsigned(root.fileLength(), "file_length");
    Map<String, Double> metrics = metrics(root);
    long epoch = safe(root.epoch(), "epoch");
    long step = safe(root.step(), "step");
    OptionalDouble loss = root.hasLoss() ? OptionalDouble.of(root.loss()) : OptionalDouble.empty();
    Optional<String> config = optionalText(root.configAsByteBuffer(), "the config");
    OptionalLong sequence =
        root.hasSequence()
            ? OptionalLong.of(safeUnsigned(root.sequence(), "sequence"))
            : OptionalLong.empty();
    OptionalLong savedAt =
        root.hasSavedAt()
            ? OptionalLong.of(safeUnsigned(root.savedAt(), "saved_at"))
            : OptionalLong.empty();
    StateRecord model = state(root.model(), position.table(Table.CHECKPOINT_MODEL));
    lightwatch.format.State optimizer = root.optimizer();
    Optional<StateRecord> optimizerRecord =
        optimizer == null
            ? Optional.empty()
            : Optional.of(state(optimizer, position.table(Table.CHECKPOINT_OPTIMIZER)));
    var extras = new ArrayList<StateRecord>();
    for (int i = 0; i < root.extrasLength(); i++) {
      extras.add(state(root.extras(i), position.element(Table.CHECKPOINT_EXTRAS, i)));
    }
    return new Metadata(
        (int) root.version(),
        (int) root.metadataLength(),
        fileLength,
        epoch,
        step,
        loss,
        metrics,
        config,
        sequence,
        savedAt,
        model,
        optimizerRecord,
        extras);
  }

  private Map<String, Double> metrics(lightwatch.format.Checkpoint root) {
    var metrics = new LinkedHashMap<String, Double>();
    for (int i = 0; i < root.metricsLength(); i++) {
      Metric metric = root.metrics(i);
      String name = text.decode(metric.nameAsByteBuffer(), "the name of a metric");
      if (!metric.hasValue()) {
        throw broken(Rule.METRIC_VALUE, "the metric " + Printable.quote(name) + " has no value");
      }
      if (metrics.containsKey(name)) throw twice(Rule.METRIC_UNIQUE, "the metric", name);
      metrics.put(name, metric.value());
    }
    return Collections.unmodifiableMap(metrics);
  }

  private StateRecord state(lightwatch.format.State state, TablePosition position) {
    String name = text.decode(state.nameAsByteBuffer(), "the name of a state");
    var attributes = new LinkedHashMap<String, Attribute>();
    var entry = new Entry();
    for (int i = 0; i < state.attributesLength(); i++) {
      addEntry(attributes, state.attributes(entry, i));
    }
    var tensors = new ArrayList<TensorRecord>(state.tensorsLength());
    var tensor = new lightwatch.format.Tensor();
    for (int i = 0; i < state.tensorsLength(); i++) {
      tensors.add(
          tensor(state.tensors(tensor, i), position.element(Table.STATE_TENSORS, i), name));
    }
    Optional<String> kind = optionalText(state.kindAsByteBuffer(), "the kind of a state");
    return new StateRecord(name, kind, Collections.unmodifiableMap(attributes), tensors);
  }

  private TensorRecord tensor(
      lightwatch.format.Tensor tensor, TablePosition position, String state) {
    String name = text.decode(tensor.nameAsByteBuffer(), "the name of a tensor");
    try {
      Dtype dtype =
          Dtype.ofCode(tensor.dtype())
              .orElseThrow(
                  () ->
                      broken(
                          Rule.TENSOR_DTYPE,
                          Printable.quote(name) + " has the unknown dtype " + tensor.dtype()));
      int rank = tensor.shapeLength();
      if (rank > Limits.MAX_RANK) {
        throw broken(Rule.TENSOR_RANK, Printable.quote(name) + " has " + rank + " dimensions");
      }
      var shape = new long[rank];
      for (int i = 0; i < rank; i++) {
        shape[i] = safeUnsigned(tensor.shape(i), "a dimension of " + Printable.quote(name));
      }
      return new TensorRecord(
          name,
          dtype,
          shape,
          safeUnsigned(tensor.offset(), "the offset of " + Printable.quote(name)),
          safeUnsigned(tensor.byteLength(), "the length of " + Printable.quote(name)),
          (int) tensor.crc32(),
          position.target(Table.TENSOR_DATA));
    } catch (CheckpointException fault) {
      throw fault.of(state, name);
    }
  }

  private void addEntry(Map<String, Attribute> map, Entry entry) {
    String key = text.decode(entry.keyAsByteBuffer(), "a key");
    if (map.containsKey(key)) throw twice(Rule.ATTRIBUTE_UNIQUE, "the key", key);
    map.put(key, attribute(entry.value()));
  }

  private Attribute attribute(Value value) {
    int kind = value.kind();
    ByteBuffer string = value.textAsByteBuffer();
    boolean list = value.listVector() != null;
    boolean map = value.mapVector() != null;
    boolean fits =
        switch (kind) {
          case ValueKind.Null -> true;
          case ValueKind.Boolean -> value.hasBoolean();
          case ValueKind.Integer, ValueKind.Int64 -> value.hasInteger();
          // A value below 2^63 is an Int64. As a signed number, a larger one is negative.
          case ValueKind.Uint64 -> value.hasUinteger() && value.uinteger() < 0;
          case ValueKind.Float64 -> value.hasNumber();
          case ValueKind.Text -> string != null;
          case ValueKind.List -> list;
          case ValueKind.Map -> map;
          default -> false;
        };
    int present =
        count(value.hasBoolean())
            + count(value.hasInteger())
            + count(value.hasUinteger())
            + count(value.hasNumber())
            + count(string != null)
            + count(list)
            + count(map);
    if (!fits || present != (kind == ValueKind.Null ? 0 : 1)) {
      throw broken(
          Rule.VALUE_KIND, "an attribute of kind " + kind + " does not hold what its kind says");
    }
    return switch (kind) {
      case ValueKind.Boolean -> new Attribute.Bool(value.boolean_());
      case ValueKind.Integer ->
          new Attribute.Int(safe(value.integer(), "an integer among the attributes"));
      case ValueKind.Int64 -> new Attribute.Int64(value.integer());
      case ValueKind.Uint64 -> Attribute.Uint64.ofBits(value.uinteger());
      case ValueKind.Float64 -> new Attribute.Float64(value.number());
      case ValueKind.Text ->
          new Attribute.Text(text.decode(string, "a text among the attributes"));
      case ValueKind.List -> new Attribute.Sequence(items(value));
      case ValueKind.Map -> new Attribute.Mapping(entries(value));
      default -> Attribute.Null.INSTANCE;
    };
  }

  // Empty lists and maps use no memory of their own, because a file can have very many.

  private List<Attribute> items(Value value) {
    int length = value.listLength();
    if (length == 0) return List.of();
    var items = new ArrayList<Attribute>(length);
    for (int i = 0; i < length; i++) items.add(attribute(value.list(i)));
    return Collections.unmodifiableList(items);
  }

  private Map<String, Attribute> entries(Value value) {
    int length = value.mapLength();
    if (length == 0) return Map.of();
    var entries = new LinkedHashMap<String, Attribute>();
    for (int i = 0; i < length; i++) addEntry(entries, value.map(i));
    return Collections.unmodifiableMap(entries);
  }

  private Optional<String> optionalText(ByteBuffer utf8, String what) {
    return utf8 == null ? Optional.empty() : Optional.of(text.decode(utf8, what));
  }

  private static int count(boolean present) {
    return present ? 1 : 0;
  }

  /** An int64 of at most 2^53 - 1 either way. */
  private static long safe(long value, String what) {
    if (value >= -Limits.MAX_SAFE_INTEGER && value <= Limits.MAX_SAFE_INTEGER) return value;
    throw broken(Rule.INTEGER_SAFE, what + " is " + value + ", beyond 2^53 - 1");
  }

  /** A uint64 of at most 2^53 - 1. */
  private static long safeUnsigned(long value, String what) {
    if (value >= 0 && value <= Limits.MAX_SAFE_INTEGER) return value;
    throw broken(
        Rule.INTEGER_SAFE, what + " is " + Long.toUnsignedString(value) + ", beyond 2^53 - 1");
  }

  private static CheckpointException twice(String rule, String what, String name) {
    return broken(rule, what + " " + Printable.quote(name) + " appears twice");
  }

  private static CheckpointException broken(String rule, String message) {
    return new CheckpointException(ErrorCode.CKPT_FORMAT, rule, message);
  }
}
