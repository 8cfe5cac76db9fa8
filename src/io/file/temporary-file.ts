/**
 * The temporary files of commits: how they are called, and which of them nobody needs any more. A
 * process that is killed during a save leaves one behind; the next save into the same folder removes
 * it, as it is as large as a checkpoint.
 *
 * A name tells the file that it is for, the machine and the process that it is of, and has 64 random
 * bits, so that it can neither be guessed nor taken for somebody else's:
 * `.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.tmp`.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { errorCode, type FileSystem } from './file-system.js'

// The longest name that ext4, XFS, APFS and NTFS take; bytes of UTF-8, the strictest of these.
const MAX_NAME_BYTES = 255

const PATTERN = /^\..+\.([0-9a-f]{8})\.([1-9]\d{0,9})\.[0-9a-f]{16}\.tmp$/s

// A file of a process of another machine, or of this one before it was started again, cannot be
// asked after; it goes when it has not been written to for as long as no save takes.
const FOREIGN_AGE = 24 * 60 * 60 * 1000

/** A new name for a temporary file beside the file `name`; at most 255 bytes, however long that is. */
export function temporaryName(name: string): string {
  const suffix = `.${machine()}.${process.pid}.${randomBytes(8).toString('hex')}.tmp`
  let kept = name
  while (Buffer.byteLength(`.${kept}${suffix}`) > MAX_NAME_BYTES) {
    // By code points, so that no character is cut in two.
    kept = Array.from(kept).slice(0, -1).join('')
  }
  return `.${kept}${suffix}`
}

/**
 * Removes the temporary files in a folder that their processes have left behind. Those of living
 * processes stay, and so does every file that is not called like one of ours. Never throws: this is
 * tidying, and whatever is in its way is in nobody else's.
 */
export async function sweepTemporaryFiles(fs: FileSystem, folder: string): Promise<void> {
  const names = await fs.readdir(folder).catch(() => [])
  for (const name of names) {
    const match = PATTERN.exec(name)
    if (match === null) continue
    const [, tag, pid] = match
    const path = join(folder, name)
    try {
      const left =
        tag === machine()
          ? !isAlive(Number(pid))
          : Date.now() - (await fs.lstat(path)).modified > FOREIGN_AGE
      if (left) await fs.unlink(path)
    } catch {
      // Gone already, or not ours to remove.
    }
  }
}

/** Whether a process of that number runs here, be it ours or another's. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return errorCode(error) !== 'ESRCH'
  }
}

let tag: string | undefined

/**
 * Eight hexadecimal digits for the machine since it was started, and the process namespace (a
 * container): where two of them are the same, a process number means the same process.
 */
function machine(): string {
  tag ??= createHash('sha256')
    .update(
      [
        hostname(),
        orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
        orNothing(() => readlinkSync('/proc/self/ns/pid')),
      ].join('\n'),
    )
    .digest('hex')
    .slice(0, 8)
  return tag
}

/** The value, or nothing where the system has no such file (it is not Linux). */
function orNothing(read: () => string): string {
  try {
    return read()
    /* c8 ignore next 3 -- only where it is not Linux, and the tests run on it. */
  } catch {
    return ''
  }
}
