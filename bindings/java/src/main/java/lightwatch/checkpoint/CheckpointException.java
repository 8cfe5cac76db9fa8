package lightwatch.checkpoint;

import java.nio.file.Path;
import java.util.Optional;

/**
 * An error of a file or a disk: the one exception of this library for everything that is not a mistake
 * of the caller.
 *
 * <p>It is unchecked. A tensor is verified when its bytes are first used, which is often deep in
 * numerical code, in lambdas and streams that let no checked exception through. Code nearby could do
 * little about a damaged file. Programs should act on {@link #code}.
 *
 * <p>Names from a file are escaped in the message, so it is safe to print.
 */
public final class CheckpointException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  private final ErrorCode code;
  private final String rule;
  private final String state;
  private final String tensor;
  private final transient Path path;

  CheckpointException(ErrorCode code, String message) {
    this(code, null, message);
  }

  CheckpointException(ErrorCode code, String rule, String message) {
    this(code, rule, null, null, message, null, null);
  }

  CheckpointException(ErrorCode code, String message, Throwable cause) {
    this(code, null, null, null, message, null, cause);
  }

  private CheckpointException(
      ErrorCode code,
      String rule,
      String state,
      String tensor,
      String message,
      Path path,
      Throwable cause) {
    super(message, cause);
    this.code = code;
    this.rule = rule;
    this.state = state;
    this.tensor = tensor;
    this.path = path;
  }

  /** The code of the fault. */
  public ErrorCode code() {
    return code;
  }

  /** The broken rule of the format, for instance {@code tensor.offset}. */
  public Optional<String> rule() {
    return Optional.ofNullable(rule);
  }

  /** The state that the fault is in: {@code model}, {@code optimizer} or the name of an extra. */
  public Optional<String> state() {
    return Optional.ofNullable(state);
  }

  /** The name of the tensor that the fault is in. */
  public Optional<String> tensor() {
    return Optional.ofNullable(tensor);
  }

  /** The file, as the caller named it. Empty after serialization. */
  public Optional<Path> path() {
    return Optional.ofNullable(path);
  }

  /** The same fault with the state and the name of its tensor. */
  CheckpointException of(String state, String tensor) {
    return sameWith(state, tensor, getMessage(), path);
  }

  /** The same fault with the file's path, which is added to the front of the message once. */
  CheckpointException at(Path path) {
    if (this.path != null) return this;
    return sameWith(state, tensor, Printable.quote(path.toString()) + ": " + getMessage(), path);
  }

  private CheckpointException sameWith(String state, String tensor, String message, Path path) {
    var same = new CheckpointException(code, rule, state, tensor, message, path, getCause());
    same.setStackTrace(getStackTrace());
    return same;
  }
}
