// Generated from schema/checkpoint.fbs and schema/tables.json; do not edit: npm run gen

/**
 * Stable codes. A code says what a program can do about an error; `rule` and the other fields say what
 * exactly was found.
 */
export type CheckpointErrorCode =
  /** The bytes do not begin like a checkpoint: the identifier is wrong, or the file is too short for one. */
  | 'CKPT_NOT_A_CHECKPOINT'
  /** The file's format version is newer than this library's. */
  | 'CKPT_VERSION'
  /** The file is shorter or longer than it says: torn, truncated, or appended to. */
  | 'CKPT_FILE_LENGTH'
  /** The metadata's checksum does not match. */
  | 'CKPT_METADATA_CHECKSUM'
  /** The metadata is not a valid FlatBuffer of our schema. */
  | 'CKPT_FLATBUFFER'
  /** The metadata is a valid FlatBuffer, but says something that the format does not allow; see the rule. */
  | 'CKPT_FORMAT'
  /** A tensor's bytes do not match its checksum. */
  | 'CKPT_TENSOR_CHECKSUM'
  /** A checkpoint's state has no tensor of that name. */
  | 'CKPT_NO_SUCH_TENSOR'
  /** The file and the state that it should be read or restored into do not match. */
  | 'CKPT_STATE_MISMATCH'
  /** A restore failed after everything had been verified; see `cause` and `restored`. */
  | 'CKPT_RESTORE_INCOMPLETE'
  /** A tensor or the metadata needs more memory, or a longer array, than is possible. */
  | 'CKPT_TENSOR_TOO_LARGE'
  /** The bytes of this source can only be read asynchronously: use `read()`, not `data`. */
  | 'CKPT_ASYNC_SOURCE'
  /** The checkpoint was closed. */
  | 'CKPT_CLOSED'
  /** A file could not be opened or read; see the cause. */
  | 'CKPT_READ'
  /** The file was changed while it was being read, or it is not the version that a save or a load requires. */
  | 'CKPT_FILE_CHANGED'
  /** A tensor was changed, or its memory transferred or resized, during a save (nothing was committed); or memory was transferred or resized during a restore or a read into it. */
  | 'CKPT_TENSOR_CHANGED'
  /** A save failed before its commit: what was at the path before is still there. See the cause. */
  | 'CKPT_NOT_COMMITTED'
  /** The new file is in place, but the folder could not be synced: a power cut may undo it. */
  | 'CKPT_NOT_DURABLE'
  /** A save that must not replace anything found a file of that name, which is untouched. */
  | 'CKPT_EXISTS'
  /** A save began while another is under way, and the saver makes that an error. */
  | 'CKPT_BUSY'
  /** A file of another format breaks a rule of that format, or has an unknown format; see the rule. */
  | 'CKPT_FOREIGN_FILE'
  /** A value has no form in the other format, or a form that is not supported. */
  | 'CKPT_NOT_CONVERTIBLE'
  /** The machine is big-endian. */
  | 'CKPT_BIG_ENDIAN'

/** The rules of the format, as `rule` of an error names the one that is broken. */
export type Rule =
  /** The root table, its vtable and its first fields lie within the head. */
  | 'head'
  /** The version is not 0. */
  | 'version'
  /** The metadata fits into the file, and holds its own checksum. */
  | 'metadata_length'
  /** Metadata and vectors are neither too short nor too long. */
  | 'flatbuffer.length'
  /** The metadata carries the schema's identifier. */
  | 'flatbuffer.identifier'
  /** What is read lies within the metadata. */
  | 'flatbuffer.range'
  /** Shared parts do not stand for far more than the metadata's length. */
  | 'flatbuffer.budget'
  /** Numbers, offsets and elements are aligned. */
  | 'flatbuffer.alignment'
  /** An offset is not 0, and leads forward within the metadata. */
  | 'flatbuffer.offset'
  /** Tables are not nested too deep. */
  | 'flatbuffer.depth'
  /** A vtable has a valid length. */
  | 'flatbuffer.vtable'
  /** A table has a valid length. */
  | 'flatbuffer.table'
  /** A table has its required fields. */
  | 'flatbuffer.required'
  /** A field lies within its table. */
  | 'flatbuffer.field'
  /** A bool is 0 or 1. */
  | 'flatbuffer.bool'
  /** A string ends with a zero byte. */
  | 'flatbuffer.string'
  /** Text is valid UTF-8. */
  | 'text.utf8'
  /** An integer is at most 2^53 - 1 either way. */
  | 'integer.safe'
  /** The config is JSON text. */
  | 'config.json'
  /** A metric has a value. */
  | 'metric.value'
  /** A metric appears once. */
  | 'metric.unique'
  /** A metric's name is valid. */
  | 'metric.name'
  /** A key appears once in its map. */
  | 'attribute.unique'
  /** A value holds what its kind says, and nothing else. */
  | 'value.kind'
  /** A state's name is valid, unique, and the one that its field requires. */
  | 'state.name'
  /** A tensor's dtype is one of the schema. */
  | 'tensor.dtype'
  /** A tensor does not have too many dimensions. */
  | 'tensor.rank'
  /** A tensor's name is valid. */
  | 'tensor.name'
  /** A tensor's name appears once in its state. */
  | 'tensor.unique'
  /** A tensor has as many bytes as its dtype and shape imply. */
  | 'tensor.byte_length'
  /** A segment starts at the position that the preceding one implies. */
  | 'tensor.offset'
  /** A segment ends within the file. */
  | 'tensor.range'
  /** Tensors that share a segment agree on its length and checksum. */
  | 'tensor.alias'
  /** A tensor's `data` leads to its segment if the file is a plain FlatBuffer, and is absent otherwise. */
  | 'tensor.data'
  /** The file ends with its last segment. */
  | 'file_length'
  /** The bytes before a segment are zero, except for its length. */
  | 'gap'
