package lightwatch.checkpoint;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/**
 * The metadata of a checkpoint as plain values. Lengths and positions are in bytes. Lists and maps are
 * in the order of the file.
 */
record Metadata(
    int version,
    int metadataLength,
    long fileLength,
    long epoch,
    long step,
    OptionalDouble loss,
    Map<String, Double> metrics,
    Optional<String> config,
    OptionalLong sequence,
    OptionalLong savedAt,
    StateRecord model,
    Optional<StateRecord> optimizer,
    List<StateRecord> extras) {

  /** All states, in the order of their segments in the file. */
  List<StateRecord> states() {
    var states = new ArrayList<StateRecord>();
    states.add(model);
    optimizer.ifPresent(states::add);
    states.addAll(extras);
    return states;
  }

  /** A state as the file describes it. */
  record StateRecord(
      String name,
      Optional<String> kind,
      Map<String, Attribute> attributes,
      List<TensorRecord> tensors) {}

  /**
   * A tensor as the file describes it.
   *
   * @param crc32 as 32 bits
   * @param vectorOffset position of the length of the {@code data} vector, or -1 if there is none
   */
  record TensorRecord(
      String name,
      Dtype dtype,
      long[] shape,
      long offset,
      long byteLength,
      int crc32,
      long vectorOffset) {}
}
