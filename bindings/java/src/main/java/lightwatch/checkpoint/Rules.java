package lightwatch.checkpoint;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import lightwatch.checkpoint.Metadata.StateRecord;
import lightwatch.checkpoint.Metadata.TensorRecord;

/**
 * What the values of decoded metadata must mean for each other. The rules explain every byte of a file:
 * each segment has one possible position, and the file ends with its last segment.
 */
final class Rules {
  static final String MODEL = "model";
  static final String OPTIMIZER = "optimizer";

  private final Metadata metadata;
  private final boolean plain;
  // By offset, in the order of the file.
  private final Map<Long, Segment> segments = new LinkedHashMap<>();
  private long end;

  private Rules(Metadata metadata) {
    this.metadata = metadata;
    this.plain = Layout.isPlainFlatBuffer(metadata.fileLength());
    this.end = metadata.metadataLength();
  }

  /**
   * Validates all rules and returns the file's segments in its order. Throws CKPT_FORMAT with the
   * broken rule.
   */
  static List<Segment> check(Metadata metadata) {
    checkNames(metadata);
    return new Rules(metadata).segments();
  }

  private List<Segment> segments() {
    for (StateRecord state : metadata.states()) {
      Set<String> names = new HashSet<>();
      for (TensorRecord tensor : state.tensors()) {
        try {
          checkTensor(state.name(), tensor, names);
        } catch (CheckpointException fault) {
          throw fault.of(state.name(), tensor.name());
        }
      }
    }
    if (end != metadata.fileLength()) {
      throw broken(
          Rule.FILE_LENGTH,
          "the file has " + (metadata.fileLength() - end) + " bytes after its last segment");
    }
    return new ArrayList<>(segments.values());
  }

  private void checkTensor(String state, TensorRecord tensor, Set<String> names) {
    String name = Printable.quote(tensor.name());
    String fault = Text.nameFault(tensor.name());
    if (fault != null) throw broken(Rule.TENSOR_NAME, "a tensor's name, " + name + ", " + fault);
    if (!names.add(tensor.name())) throw broken(Rule.TENSOR_UNIQUE, name + " appears twice");
    checkLength(tensor, name);
    Segment known = segments.get(tensor.offset());
    if (known == null) {
      addSegment(state, tensor, name);
    } else if (known.byteLength() != tensor.byteLength() || known.crc32() != tensor.crc32()) {
      throw broken(
          Rule.TENSOR_ALIAS,
          name + " shares its place with a tensor of another length or checksum");
    }
    checkVector(tensor, name);
  }

  private void addSegment(String state, TensorRecord tensor, String name) {
    long offset = tensor.offset();
    long expected = Layout.segmentStart(end);
    if (offset != expected) {
      throw broken(
          Rule.TENSOR_OFFSET, name + " is at byte " + offset + ": expected " + expected);
    }
    segments.put(
        offset,
        new Segment(
            end, offset, tensor.byteLength(), tensor.crc32(), plain, state, tensor.name()));
    // At most 2^54: both are safe integers.
    end = offset + tensor.byteLength();
    if (end > metadata.fileLength()) {
      throw broken(
          Rule.TENSOR_RANGE,
          name + " ends at " + end + ", beyond the file's end at " + metadata.fileLength());
    }
  }

  private static void checkLength(TensorRecord tensor, String name) {
    long expected = Layout.byteLength(tensor.dtype(), tensor.shape());
    if (expected < 0 || expected != tensor.byteLength()) {
      throw broken(
          Rule.TENSOR_BYTE_LENGTH,
          name
              + " has "
              + tensor.byteLength()
              + " bytes, which is not what "
              + tensor.dtype()
              + " "
              + Arrays.toString(tensor.shape())
              + " takes");
    }
  }

  private void checkVector(TensorRecord tensor, String name) {
    long expected = plain ? tensor.offset() - Limits.LENGTH_BYTES : -1;
    if (tensor.vectorOffset() != expected) {
      throw broken(
          Rule.TENSOR_DATA,
          plain
              ? "the data of " + name + " and its offset disagree"
              : name + " has data, which a file of 2 GiB or more cannot have");
    }
  }

  private static void checkNames(Metadata metadata) {
    checkStateName(metadata.model().name(), MODEL);
    Optional<StateRecord> optimizer = metadata.optimizer();
    if (optimizer.isPresent()) checkStateName(optimizer.get().name(), OPTIMIZER);
    var taken = new HashSet<>(List.of(MODEL, OPTIMIZER));
    for (StateRecord extra : metadata.extras()) {
      String name = extra.name();
      String fault = taken.add(name) ? Text.nameFault(name) : "is taken";
      if (fault != null) {
        throw broken(
            Rule.STATE_NAME, "an extra's name, " + Printable.quote(name) + ", " + fault);
      }
    }
    for (String name : metadata.metrics().keySet()) {
      String fault = Text.nameFault(name);
      if (fault != null) {
        throw broken(
            Rule.METRIC_NAME, "a metric's name, " + Printable.quote(name) + ", " + fault);
      }
    }
  }

  private static void checkStateName(String actual, String expected) {
    if (!actual.equals(expected)) {
      throw broken(
          Rule.STATE_NAME, "the " + expected + "'s state is called " + Printable.quote(actual));
    }
  }

  private static CheckpointException broken(String rule, String message) {
    return new CheckpointException(ErrorCode.CKPT_FORMAT, rule, message);
  }
}
