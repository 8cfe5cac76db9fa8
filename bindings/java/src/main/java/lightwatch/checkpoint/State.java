package lightwatch.checkpoint;

import java.util.Map;
import java.util.Optional;
import java.util.stream.Collectors;

/**
 * A saved state: that of the model, of the optimizer, or of one of the extras. Its maps are
 * unmodifiable, and in the order of the save.
 */
public final class State {
  // Names that a message lists.
  private static final int SOME_NAMES = 5;

  private final String name;
  private final Optional<String> kind;
  private final Map<String, Attribute> attributes;
  private final Map<String, Tensor> tensors;

  State(
      String name,
      Optional<String> kind,
      Map<String, Attribute> attributes,
      Map<String, Tensor> tensors) {
    this.name = name;
    this.kind = kind;
    this.attributes = attributes;
    this.tensors = tensors;
  }

  /** {@code model}, {@code optimizer}, or the name of the extra. */
  public String name() {
    return name;
  }

  /** The class of the object, as its framework names it: {@code AdamW}. */
  public Optional<String> kind() {
    return kind;
  }

  /** Hyper-parameters, parameter groups, counters. */
  public Map<String, Attribute> attributes() {
    return attributes;
  }

  /** The tensors by their names. */
  public Map<String, Tensor> tensors() {
    return tensors;
  }

  /** The tensor of that name. Throws CKPT_NO_SUCH_TENSOR if there is none. */
  public Tensor tensor(String name) {
    Tensor tensor = tensors.get(name);
    if (tensor != null) return tensor;
    String some =
        tensors.keySet().stream()
            .limit(SOME_NAMES)
            .map(Printable::quote)
            .collect(Collectors.joining(", "));
    throw new CheckpointException(
            ErrorCode.CKPT_NO_SUCH_TENSOR,
            Printable.escape(this.name)
                + " has no tensor "
                + Printable.quote(name)
                + "; it has "
                + tensors.size()
                + (some.isEmpty() ? "" : ": " + some)
                + (tensors.size() > SOME_NAMES ? ", …" : ""))
        .of(this.name, name);
  }

  /** For people: its name and size. */
  @Override
  public String toString() {
    return Printable.escape(name) + " with " + tensors.size() + " tensors";
  }
}
