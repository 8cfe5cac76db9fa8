/**
 * A file of a folder of checkpoints: what it is by its status, its metadata, and what is wrong with it.
 */

import type { BigIntStats } from 'node:fs'
import * as fs from 'node:fs/promises'
import { CheckpointError, type CheckpointErrorCode, isCheckpointError } from '../errors.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { errorCode } from '../io/file/file-system.js'
import { readProgress } from '../load/metadata.js'

/** A checkpoint of a folder, as far as its metadata tells. */
export interface CheckpointInfo {
  readonly path: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Its place in the order of the run's saves; null where it was saved without one. */
  readonly sequence: number | null
  /**
   * When it was saved, in milliseconds since 1970: by its metadata, or, if that does not say, when the
   * file was last written to.
   */
  readonly savedAt: number
  /** Whether `savedAt` is from the metadata. A copy of the file has a time of its own otherwise. */
  readonly isTimeRecorded: boolean
  /** When the file was last written to, in milliseconds since 1970. */
  readonly modifiedAt: number
}

/** A file that is called like a checkpoint, and what it was found to be. */
export type FolderEntry = {
  readonly path: string
  /** The step that its name says. */
  readonly step: number
  /** Whether the name is a symbolic link, to a file that other names may share. */
  readonly isLink: boolean
  /** Tells the file from another one that was put in its place, whatever becomes of its times. */
  readonly fileId: string
} & (
  | { readonly kind: 'checkpoint'; readonly info: CheckpointInfo }
  /** `other step`: its metadata says another step than its name, so this library did not name it. */
  | {
      readonly kind: 'damaged' | 'newer version' | 'other step' | 'unreadable'
      readonly error: CheckpointError
    }
)

// Damage, which an older checkpoint does not share. Anything else (a model that does not fit, a file
// of a newer version, one that may not be read) an older one would share, or hide.
const DAMAGE: ReadonlySet<CheckpointErrorCode> = new Set([
  'CKPT_NOT_A_CHECKPOINT',
  'CKPT_FILE_LENGTH',
  'CKPT_METADATA_CHECKSUM',
  'CKPT_FLATBUFFER',
  'CKPT_FORMAT',
  'CKPT_TENSOR_CHECKSUM',
] as const)

/** Whether an error says that a file's bytes are not those of a checkpoint that was saved. */
export function isDamage(error: unknown): error is CheckpointError {
  return isCheckpointError(error) && DAMAGE.has(error.code)
}

/** Whether an error says that a file could not be opened because there is none (any more). */
export function isGone(error: unknown): boolean {
  return (
    isCheckpointError(error) && error.code === 'CKPT_READ' && errorCode(error.cause) === 'ENOENT'
  )
}

/**
 * What the file at `path` is, whose name says `step`, by its metadata alone. Undefined where it has gone
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
  const message = `its name says step ${expected}, and its metadata step ${actual}`
  return new CheckpointError('CKPT_READ', message, { expected, actual }).withPath(path)
}

/** What a name stands for, before it is opened. */
export interface FileStatus {
  readonly isLink: boolean
  /** Whether it is a regular file, or a link that points to one, or to nothing. */
  readonly isFile: boolean
  readonly identity: string
  readonly fileId: string
}

/** What the name at `path` stands for; undefined where there is none. */
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
  // What cannot be reached is found to be so when it is read.
  const target = await fs.stat(path, { bigint: true }).catch(() => undefined)
  const identity = `${identityOf(own)} to ${target === undefined ? 'nothing' : identityOf(target)}`
  return { isLink: true, isFile: target?.isFile() ?? true, identity, fileId }
}

function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`
}
