package lightwatch.checkpoint;

/**
 * Options for opening a checkpoint.
 *
 * @param checkTensors whether a tensor's checksum, and the bytes before its segment, are verified
 *   before its bytes are handed out. The metadata is always verified.
 * @param map whether the file is mapped into memory. If not, every buffer has memory of its own, read
 *   on demand. Choose that for network file systems, and for files that other programs may truncate,
 *   which a map does not survive. The checkpoint then holds the file open; interrupting a reading
 *   thread closes its channel.
 */
public record OpenOptions(boolean checkTensors, boolean map) {
  /** Verified and mapped. */
  public static final OpenOptions DEFAULT = new OpenOptions(true, true);

  /** The same options, without verification of tensors. */
  public OpenOptions withoutTensorChecks() {
    return new OpenOptions(false, map);
  }

  /** The same options, without a map. */
  public OpenOptions withoutMap() {
    return new OpenOptions(checkTensors, false);
  }
}
