/** A file that is named like a checkpoint of a run: its metadata, or its fault. */

import { CheckpointError, type CheckpointErrorCode, isCheckpointError } from '../errors.js'
import { type CheckpointStore, isMissing, type StoredFile } from '../io/store.js'
import { readProgress } from '../load/metadata.js'

/** A checkpoint of a folder or another store, as its metadata describes it. */
export interface CheckpointInfo {
  /** Its absolute path, or its location in a store without files. */
  readonly path: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Position in the order of the run's saves; null if the file has none. */
  readonly sequence: number | null
  /**
   * Time of the save, in milliseconds since 1970, from the metadata. If the metadata has none: the time of the last
   * write to the file.
   */
  readonly savedAt: number
  /** Whether `savedAt` is from the metadata. Otherwise a copy of the file has another time. */
  readonly isTimeRecorded: boolean
  /** Time of the last write to the file, in milliseconds since 1970. */
  readonly modifiedAt: number
}

/** A file that is named like a checkpoint, and what it turned out to be. */
export type CheckpointEntry = {
  readonly name: string
  /** Its whole location. */
  readonly path: string
  /** The step in its name. */
  readonly step: number
  /** Whether the name is a symbolic link. Other names may lead to the same file. */
  readonly isLink: boolean
  /** As in StoredFile: changes with the content. */
  readonly version: string
  /** Distinguishes the file from another one that replaces it, whatever happens to its times. */
  readonly id: string
} & (
  | { readonly kind: 'checkpoint'; readonly info: CheckpointInfo }
  /** `other step`: the step in its metadata differs from the one in its name, so this library did not name it. */
  | {
      readonly kind: 'damaged' | 'newer version' | 'other step' | 'unreadable'
      readonly error: CheckpointError
    }
)

// The codes of damage, which an older checkpoint does not share. With any other error (a model that does not fit, a
// newer version, missing rights) an older checkpoint would fail as well, or would hide it.
const DAMAGE: ReadonlySet<CheckpointErrorCode> = new Set([
  'CKPT_NOT_A_CHECKPOINT',
  'CKPT_FILE_LENGTH',
  'CKPT_METADATA_CHECKSUM',
  'CKPT_FLATBUFFER',
  'CKPT_FORMAT',
  'CKPT_TENSOR_CHECKSUM',
] as const)

/** Whether an error means that a file's bytes are not those of a saved checkpoint. */
export function isDamage(error: unknown): error is CheckpointError {
  return isCheckpointError(error) && DAMAGE.has(error.code)
}

/**
 * The entry of a file whose name says `step`, by its metadata alone. Undefined if the file has disappeared since it was
 * listed.
 *
 * @throws CheckpointError CKPT_FILE_CHANGED if another file has replaced it since
 */
export async function readEntry(
  store: CheckpointStore,
  file: StoredFile,
  step: number,
): Promise<CheckpointEntry | undefined> {
  const { name, version, id = version, isLink = false } = file
  const path = store.locate(name)
  const common = { name, path, step, isLink, version, id }
  try {
    const info = await readInfo(store, file)
    return info.step === step
      ? { ...common, kind: 'checkpoint', info }
      : { ...common, kind: 'other step', error: ofOtherStep(path, step, info.step) }
  } catch (error) {
    if (isMissing(error) && !isLink) return undefined
    if (!isCheckpointError(error) || error.code === 'CKPT_FILE_CHANGED') throw error
    error.withPath(path)
    if (error.code === 'CKPT_VERSION') return { ...common, kind: 'newer version', error }
    return { ...common, kind: isDamage(error) ? 'damaged' : 'unreadable', error }
  }
}

async function readInfo(
  store: CheckpointStore,
  { name, version, byteLength, modifiedAt }: StoredFile,
): Promise<CheckpointInfo> {
  const source = await store.open(name, { version })
  try {
    const { epoch, step, loss, metrics, sequence, savedAt } = await readProgress(source)
    return {
      path: store.locate(name),
      epoch,
      step,
      loss,
      metrics,
      byteLength,
      sequence,
      savedAt: savedAt ?? modifiedAt,
      isTimeRecorded: savedAt !== null,
      modifiedAt,
    }
  } finally {
    source.close()
  }
}

function ofOtherStep(path: string, expected: number, actual: number): CheckpointError {
  const message = `expected step ${expected} by its name, found step ${actual} in its metadata`
  return new CheckpointError('CKPT_READ', message, { expected, actual }).withPath(path)
}
