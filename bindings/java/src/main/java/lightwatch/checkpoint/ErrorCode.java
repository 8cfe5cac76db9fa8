// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

package lightwatch.checkpoint;

/**
 * The kind of an error, for programs. Stable, and the same in every language that reads
 * checkpoints; {@link CheckpointException#rule} and the message say exactly what was found.
 */
public enum ErrorCode {
  /** The bytes do not begin like a checkpoint: the identifier is wrong, or the file is too short for one. */
  CKPT_NOT_A_CHECKPOINT,
  /** The file's format version is newer than this library's. */
  CKPT_VERSION,
  /** The file is shorter or longer than it says: torn, truncated, or appended to. */
  CKPT_FILE_LENGTH,
  /** The metadata's checksum does not match. */
  CKPT_METADATA_CHECKSUM,
  /** The metadata is not a valid FlatBuffer of our schema. */
  CKPT_FLATBUFFER,
  /** The metadata is a valid FlatBuffer, but says something that the format does not allow; see the rule. */
  CKPT_FORMAT,
  /** A tensor's bytes do not match its checksum. */
  CKPT_TENSOR_CHECKSUM,
  /** A checkpoint's state has no tensor of that name. */
  CKPT_NO_SUCH_TENSOR,
  /** The file and the state that it should be read or restored into do not match. */
  CKPT_STATE_MISMATCH,
  /** A tensor or the metadata needs more memory, or a longer array, than is possible. */
  CKPT_TENSOR_TOO_LARGE,
  /** The checkpoint was closed. */
  CKPT_CLOSED,
  /** A file could not be opened or read; see the cause. */
  CKPT_READ,
  /** The file was changed while it was being read, or it is not the version that a save or a load requires. */
  CKPT_FILE_CHANGED,
  /** The machine is big-endian. */
  CKPT_BIG_ENDIAN
}
