/**
 * The commit of a file under a condition. A new name is made by a link, which fails if the name is taken. A replacement
 * holds the lock of the file that it replaces from the comparison to the rename, so that of two savers with the same
 * condition one wins. A saver without a condition takes no such lock.
 */

import { setTimeout } from 'node:timers/promises'
import { CheckpointError } from '../../errors.js'
import type { Condition } from '../store.js'
import { lstatIfAny } from './destination.js'
import type { Descriptor, FileSystem } from './file-system.js'
import { fileNamed } from './file-version.js'
import { errorCode, errorReason } from './system-error.js'

// Another saver holds the lock for a few calls. If it hangs, this one must not.
const LOCK_TRIES = 200
const LOCK_PAUSE = 10

/** Throws if what is there, of this version, does not meet the condition. */
export function checkCondition(condition: Condition, version: string | undefined): void {
  if ('ifAbsent' in condition) {
    if (version !== undefined) throw exists()
  } else if (condition.ifVersion !== version) throw changed(condition.ifVersion, version)
}

/**
 * Renames a temporary file to its destination, if the condition is met. `named` is the path as the caller gave it,
 * whose version counts; it may be a link to the destination. `identity` is that of the temporary file.
 *
 * @throws CheckpointError CKPT_EXISTS or CKPT_FILE_CHANGED if the condition is not met, or the system's error; nothing
 *   has changed then
 */
export async function renameIf(
  fs: FileSystem,
  temporary: string,
  destination: string,
  { condition, named, identity }: { condition: Condition; named: string; identity: string },
): Promise<void> {
  if ('ifAbsent' in condition) return linkIfAbsent(fs, temporary, destination, identity)
  const lock = await lockOf(fs, destination)
  try {
    checkCondition(condition, (await fileNamed(named))?.version)
    await fs.rename(temporary, destination)
  } finally {
    if (lock !== undefined) await fs.close(lock).catch(() => {})
  }
}

async function linkIfAbsent(
  fs: FileSystem,
  temporary: string,
  destination: string,
  identity: string,
): Promise<void> {
  if (fs.link === undefined) throw new Error('this file system has no links')
  try {
    await fs.link(temporary, destination)
  } catch (cause) {
    const there = await lstatIfAny(fs, destination)
    // A network may lose the answer to a link that was made.
    if (there?.identity !== identity) {
      if (there !== undefined && errorCode(cause) === 'EEXIST') throw exists()
      // Without a comma: errorReason cuts there.
      const reason = `${errorReason(cause)}; a save that must not replace a file needs hard links`
      throw Object.assign(new Error(reason, { cause }), { code: errorCode(cause) })
    }
  }
  // The checkpoint is in place. If its second name stays, a later save removes it.
  await fs.unlink(temporary).catch(() => {})
}

/** Opens and locks the file at `path`; undefined if there is none, or if files cannot be locked here. */
async function lockOf(fs: FileSystem, path: string): Promise<Descriptor | undefined> {
  for (let tries = LOCK_TRIES; tries > 0; tries--) {
    let file: Descriptor
    try {
      file = await fs.openForLock(path)
    } catch {
      // The comparison that follows tells whether it is gone.
      return undefined
    }
    const lock = await fs.lock(file).catch(() => 'unknown')
    if (lock === 'taken') return file
    await fs.close(file).catch(() => {})
    if (lock !== 'held') return undefined
    await setTimeout(LOCK_PAUSE)
  }
  throw new Error('another save has held the lock of the file for too long')
}

function exists(): CheckpointError {
  return new CheckpointError(
    'CKPT_EXISTS',
    'nothing was saved: expected no file of this name, found one, which is untouched',
  )
}

function changed(expected: string, actual: string | undefined): CheckpointError {
  return new CheckpointError(
    'CKPT_FILE_CHANGED',
    `nothing was saved: the file that this save should replace ${actual === undefined ? 'is gone' : 'has been replaced or changed'}`,
    { expected, ...(actual === undefined ? {} : { actual }) },
  )
}
