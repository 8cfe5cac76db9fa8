/** What an error says of a file: that it is damaged, or that it is not there. */

import { type CheckpointError, type CheckpointErrorCode, isCheckpointError } from '../errors.js'
import { errorCode } from '../io/file/file-system.js'

// Damage, of which an older checkpoint is free. Anything else (a model that does not fit, a file of a
// newer version, one that may not be read) an older one would share, or hide.
const DAMAGE: ReadonlySet<CheckpointErrorCode> = new Set([
  'CKPT_NOT_A_CHECKPOINT',
  'CKPT_FILE_LENGTH',
  'CKPT_METADATA_CHECKSUM',
  'CKPT_FLATBUFFER',
  'CKPT_FORMAT',
  'CKPT_TENSOR_CHECKSUM',
] as const)

/** Whether a file's bytes are not those of a checkpoint that was saved. */
export function isDamage(error: unknown): error is CheckpointError {
  return isCheckpointError(error) && DAMAGE.has(error.code)
}

/** Whether a file could not be opened, as there is none of that name (any more). */
export function isGone(error: unknown): boolean {
  return (
    isCheckpointError(error) && error.code === 'CKPT_READ' && errorCode(error.cause) === 'ENOENT'
  )
}
