package lightwatch.checkpoint;

import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import lightwatch.checkpoint.Metadata.StateRecord;
import lightwatch.checkpoint.Metadata.TensorRecord;

/**
 * An open checkpoint: the progress of a training run, and its states.
 *
 * <p>Opening reads and verifies the metadata in full and maps the tensors, at a cost that does not
 * depend on their size. Several threads may use a checkpoint at once.
 *
 * <p><b>The map.</b> Buffers of tensors are views into it and stay valid after {@link #close}. Java 17
 * cannot unmap explicitly. So the map is released when the garbage collector has found the last buffer,
 * and the checkpoint, unreachable; on Windows the file cannot be deleted until then. If a file is
 * truncated while it is mapped, access fails with an InternalError, or ends the JVM. Files that are
 * replaced by renaming, as this format's writers do, are safe; use {@link OpenOptions#withoutMap} for
 * all others.
 */
public final class Checkpoint implements AutoCloseable {
  private final Metadata metadata;
  private final Source source;
  private final State model;
  private final Optional<State> optimizer;
  private final Map<String, State> extras;
  private final List<SegmentReader> readers;

  private Checkpoint(
      Metadata metadata, List<Segment> segments, Source source, boolean check, Path path) {
    this.metadata = metadata;
    this.source = source;
    var byOffset = new HashMap<Long, SegmentReader>();
    var inOrder = new ArrayList<SegmentReader>(segments.size());
    for (Segment segment : segments) {
      var reader = new SegmentReader(source, segment, check, path);
      byOffset.put(segment.offset(), reader);
      inOrder.add(reader);
    }
    this.readers = inOrder;
    this.model = state(metadata.model(), byOffset);
    this.optimizer = metadata.optimizer().map(record -> state(record, byOffset));
    var states = new LinkedHashMap<String, State>();
    for (StateRecord record : metadata.extras()) states.put(record.name(), state(record, byOffset));
    this.extras = Collections.unmodifiableMap(states);
  }

  private static State state(StateRecord record, Map<Long, SegmentReader> readers) {
    var tensors = new LinkedHashMap<String, Tensor>();
    for (TensorRecord tensor : record.tensors()) {
      tensors.put(tensor.name(), new Tensor(record.name(), tensor, readers.get(tensor.offset())));
    }
    return new State(
        record.name(), record.kind(), record.attributes(), Collections.unmodifiableMap(tensors));
  }

  /** Opens a checkpoint, verified and mapped. See the other {@code open}. */
  public static Checkpoint open(Path path) {
    return open(path, OpenOptions.DEFAULT);
  }

  /**
   * Opens a checkpoint. Throws a {@link CheckpointException} if there is no file that can be read
   * (CKPT_READ; also for folders, devices and pipes), or if it is not a complete and valid checkpoint:
   * CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH, CKPT_METADATA_CHECKSUM, CKPT_FLATBUFFER,
   * CKPT_FORMAT. Throws CKPT_FILE_CHANGED if another program changes it meanwhile, and CKPT_BIG_ENDIAN
   * on a big-endian machine.
   */
  public static Checkpoint open(Path path, OpenOptions options) {
    try {
      if (ByteOrder.nativeOrder() != ByteOrder.LITTLE_ENDIAN) {
        throw new CheckpointException(
            ErrorCode.CKPT_BIG_ENDIAN,
            "expected a little-endian machine, found a big-endian one");
      }
      return open(FileSource.open(path), options, path);
    } catch (CheckpointException fault) {
      throw fault.at(path);
    }
  }

  /** Takes ownership of the file, and closes it unless the checkpoint continues to read from it. */
  private static Checkpoint open(FileSource file, OpenOptions options, Path path) {
    Source source = null;
    try {
      Metadata metadata = readMetadata(file);
      List<Segment> segments = Rules.check(metadata);
      Source opened = options.map() ? MappedSource.map(file.channel(), segments) : file;
      var checkpoint = new Checkpoint(metadata, segments, opened, options.checkTensors(), path);
      source = opened;
      return checkpoint;
    } catch (IOException cause) {
      throw FileSource.readError("could not be mapped", cause);
    } catch (OutOfMemoryError cause) {
      // The program can continue: the memory for this file is garbage by now.
      throw new CheckpointException(
          ErrorCode.CKPT_READ, "its metadata needs more memory than this JVM has", cause);
    } finally {
      if (source != file) file.close();
    }
  }

  /**
   * Reads the whole metadata into the library's own memory, which no other code changes after
   * verification.
   */
  private static Metadata readMetadata(FileSource file) {
    long fileLength = file.size();
    var start = new byte[(int) Math.min(Limits.HEAD_LENGTH, fileLength)];
    file.read(start, 0, start.length, 0);
    Head head = Head.read(start, fileLength);
    var bytes = new byte[head.metadataLength()];
    // The start is not read again, because another process could have changed it.
    int known = Math.min(start.length, bytes.length);
    System.arraycopy(start, 0, bytes, 0, known);
    file.read(bytes, known, bytes.length - known, known);
    head.checkMetadata(bytes);
    FlatBufferVerifier.verify(bytes);
    return Decoder.decode(bytes);
  }

  /** Version of the file's format. */
  public int version() {
    return metadata.version();
  }

  /** Epochs, from -(2^53 - 1) to 2^53 - 1. */
  public long epoch() {
    return metadata.epoch();
  }

  /** Optimizer steps taken, in the same range. */
  public long step() {
    return metadata.step();
  }

  /** The loss, if there was one yet; any double. */
  public OptionalDouble loss() {
    return metadata.loss();
  }

  /** Metrics by their names, unmodifiable, in the order of the save. */
  public Map<String, Double> metrics() {
    return metadata.metrics();
  }

  /** The run's config, if there is one: JSON text as it was given, not validated. */
  public Optional<String> config() {
    return metadata.config();
  }

  /**
   * The position of this save in the order of its run's saves, if the writer gave one, up to 2^53 - 1.
   * A run that went back to an earlier step resumes from the checkpoint with the largest one.
   */
  public OptionalLong sequence() {
    return metadata.sequence();
  }

  /**
   * Time of the save by the writer's clock, in milliseconds since 1970, if the writer gave one; up to
   * 2^53 - 1.
   */
  public OptionalLong savedAt() {
    return metadata.savedAt();
  }

  /** The state of the model. */
  public State model() {
    return model;
  }

  /** The state of the optimizer, if one was saved. */
  public Optional<State> optimizer() {
    return optimizer;
  }

  /** Every other saved state by its name, unmodifiable, in the order of the save. */
  public Map<String, State> extras() {
    return extras;
  }

  /** The model's state, the optimizer's if there is one, then those of the extras. */
  public List<State> states() {
    var states = new ArrayList<State>();
    states.add(model);
    optimizer.ifPresent(states::add);
    states.addAll(extras.values());
    return Collections.unmodifiableList(states);
  }

  /** Length of the file in bytes. */
  public long fileLength() {
    return metadata.fileLength();
  }

  /** Length of the metadata in bytes: everything before the tensors. */
  public int metadataLength() {
    return metadata.metadataLength();
  }

  /**
   * Reads the whole file, and verifies every tensor's checksum and the bytes between tensors, whatever
   * the options said. Throws the first fault, like a tensor's {@code bytes}.
   */
  public void verify() {
    for (SegmentReader reader : readers) reader.check();
  }

  /**
   * Releases the file. Tensors then return no more buffers; those that were handed out stay valid.
   * Closing again does nothing.
   */
  @Override
  public void close() {
    source.close();
  }
}
