/** A file in a folder of checkpoints: its status, its metadata, and its fault. */

import type { BigIntStats } from 'node:fs'
import * as fs from 'node:fs/promises'
import { CheckpointError, type CheckpointErrorCode, isCheckpointError } from '../errors.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { errorCode } from '../io/file/file-system.js'
import { readProgress } from '../load/metadata.js'

/** A checkpoint of a folder, as its metadata describes it. */
export interface CheckpointInfo {
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
export type FolderEntry = {
  readonly path: string
  /** The step in its name. */
  readonly step: number
  /** Whether the name is a symbolic link. Other names may lead to the same file. */
  readonly isLink: boolean
  /** Distinguishes the file from another one that replaces it, whatever happens to its times. */
  readonly fileId: string
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

/** Whether an error means that the file does not exist (any more). */
export function isGone(error: unknown): boolean {
  return (
    isCheckpointError(error) && error.code === 'CKPT_READ' && errorCode(error.cause) === 'ENOENT'
  )
}

/**
 * The entry of the file at `path`, whose name says `step`, by its metadata alone. Undefined if the file has disappeared
 * since its status was taken.
 */
export async function readEntry(
  path: string,
  step: number,
  { isLink, fileId }: FileStatus,
): Promise<FolderEntry | undefined> {
  const common = { path, step, isLink, fileId }
  try {
    const info = await readInfo(path)
    return info.step === step
      ? { ...common, kind: 'checkpoint', info }
      : { ...common, kind: 'other step', error: ofOtherStep(path, step, info.step) }
  } catch (error) {
    if (isGone(error) && !isLink) return undefined
    if (!isCheckpointError(error)) throw error
    error.withPath(path)
    if (error.code === 'CKPT_VERSION') return { ...common, kind: 'newer version', error }
    return { ...common, kind: isDamage(error) ? 'damaged' : 'unreadable', error }
  }
}

async function readInfo(path: string): Promise<CheckpointInfo> {
  const file = await openFile(path)
  const source = new FileSource(file)
  try {
    const { epoch, step, loss, metrics, sequence, savedAt } = await readProgress(source)
    const byteLength = Number(file.stat.size)
    const modifiedAt = Number(file.stat.mtimeNs / 1_000_000n)
    return {
      path,
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

/** The status of a name, before the file is opened. */
export interface FileStatus {
  readonly isLink: boolean
  /** Whether it is a regular file, or a link to a regular file or to nothing. */
  readonly isFile: boolean
  readonly identity: string
  readonly fileId: string
}

/** The status of the name at `path`; undefined if there is none. */
export async function statusOf(path: string): Promise<FileStatus | undefined> {
  let own: BigIntStats
  try {
    own = await fs.lstat(path, { bigint: true })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  const fileId = `${own.dev}:${own.ino}:${own.birthtimeNs}`
  if (!own.isSymbolicLink()) {
    return { isLink: false, isFile: own.isFile(), identity: identityOf(own), fileId }
  }
  // If the target cannot be reached, reading the file reports that.
  const target = await fs.stat(path, { bigint: true }).catch(() => undefined)
  const identity = `${identityOf(own)} to ${target === undefined ? 'nothing' : identityOf(target)}`
  return { isLink: true, isFile: target?.isFile() ?? true, identity, fileId }
}

function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`
}
