package lightwatch.checkpoint;

/**
 * How a checkpoint is opened.
 *
 * @param checkTensors whether a tensor's checksum, and the bytes before its segment, are checked
 *     before its bytes are handed out. The metadata is checked in any case.
 * @param map whether the file is mapped into memory. If not, every buffer is memory of its own,
 *     read when it is asked for: for network file systems, and for files that others may truncate,
 *     which a map does not survive. The checkpoint then holds the file open, through a channel that
 *     the interrupt of a reading thread closes.
 */
public record OpenOptions(boolean checkTensors, boolean map) {
  /** Checked and mapped. */
  public static final OpenOptions DEFAULT = new OpenOptions(true, true);

  /** The same, without checks of tensors. */
  public OpenOptions withoutTensorChecks() {
    return new OpenOptions(false, map);
  }

  /** The same, without a map. */
  public OpenOptions withoutMap() {
    return new OpenOptions(checkTensors, false);
  }
}
