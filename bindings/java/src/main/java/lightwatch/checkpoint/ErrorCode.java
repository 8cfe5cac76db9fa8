package lightwatch.checkpoint;

/**
 * What went wrong, as far as a program can act on it. Stable, and the same in every language that
 * reads checkpoints; {@link CheckpointException#rule} and the message say what exactly was found.
 */
public enum ErrorCode {
  /** The bytes do not begin like a checkpoint: wrong identifier, or too short to have one. */
  CKPT_NOT_A_CHECKPOINT,
  /** The file's format version is newer than this library's. */
  CKPT_VERSION,
  /** The file is shorter or longer than it says it is: torn, truncated, or appended to. */
  CKPT_FILE_LENGTH,
  /** The metadata's checksum does not fit. */
  CKPT_METADATA_CHECKSUM,
  /** The metadata is not a sound FlatBuffer of the format's schema. */
  CKPT_FLATBUFFER,
  /** The metadata is sound, but says something that the format does not allow; see the rule. */
  CKPT_FORMAT,
  /** A tensor's bytes do not fit its checksum. */
  CKPT_TENSOR_CHECKSUM,
  /** A checkpoint's state has no tensor of that name. */
  CKPT_NO_SUCH_TENSOR,
  /** A tensor has more bytes than one buffer holds: read it in slices. */
  CKPT_TENSOR_TOO_LARGE,
  /** The checkpoint was closed. */
  CKPT_CLOSED,
  /** The file could not be opened or read; see the cause. */
  CKPT_READ,
  /** The file was changed while it was being read. */
  CKPT_FILE_CHANGED,
  /** The machine is big-endian. */
  CKPT_BIG_ENDIAN
}
