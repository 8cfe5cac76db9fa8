/**
 * The temporary files of commits: their names, and which of them no save needs any more. A process that is killed
 * during a save leaves its file behind. The file is as large as a checkpoint, so the next save into the same folder
 * removes it.
 *
 * A name holds the name of the destination, a tag of the machine, the number of the process, and 64 random bits. So it
 * can neither be guessed nor belong to another file: `.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp`.
 *
 * A saver holds the advisory lock of its file as long as the file has such a name. If the lock of a file can be taken,
 * its saver is dead, whatever its number, container or thread was. A name without `.locked` comes from a system without
 * locks, or from version 0.1.0. There, number and age decide. docs/reliability.md has the protocol, which the savers of
 * all languages obey.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { warn } from '../../errors.js'
import { quote } from '../../printable.js'
import { lstatIfAny } from './destination.js'
import type { Descriptor, FileStatus, FileSystem } from './file-system.js'
import { errorCode } from './system-error.js'

// The longest name that ext4, XFS, APFS and NTFS take, in bytes of UTF-8, the strictest of these units.
const MAX_NAME_BYTES = 255

const PATTERN = /^\..+\.([0-9a-f]{8})\.([1-9]\d{0,9})\.[0-9a-f]{16}(\.locked)?\.tmp$/s

// If nothing better tells, a file is removed after a time without writes that exceeds any save.
const OLD = 24 * 60 * 60 * 1000

// Names have 64 random bits, so a name that is taken was planted; a few more are tried. Another saver may also take a
// file for a leftover and remove it before it is locked.
const NAME_TRIES = 4

/** A new name for a temporary file next to the file `name`. It has at most 255 bytes, however long `name` is. */
export function temporaryName(name: string, { locked = true } = {}): string {
  const random = randomBytes(8).toString('hex')
  const suffix = `.${machine().tag}.${process.pid}.${random}${locked ? '.locked' : ''}.tmp`
  let kept = name
  while (Buffer.byteLength(`.${kept}${suffix}`) > MAX_NAME_BYTES) {
    // By code points, so that no character is cut in two.
    kept = Array.from(kept).slice(0, -1).join('')
  }
  return `.${kept}${suffix}`
}

/** Whether a name is that of a temporary file, of a living saver or a dead one. */
export function isTemporaryName(name: string): boolean {
  return PATTERN.test(name)
}

/** A temporary file that is open for writing. */
export interface TemporaryFile {
  readonly path: string
  readonly file: Descriptor
  /** Whether the file is locked and has the name of a locked file. The lock ends when the file is closed. */
  readonly locked: boolean
  /** Its status after creation. */
  readonly status: FileStatus
}

/**
 * Creates and locks a temporary file in a folder, for the file `name` there. If files cannot be locked, the file gets
 * the name of an unlocked one. Rejects with the system's error, and then leaves neither file nor descriptor.
 */
export async function createTemporaryFile(
  fs: FileSystem,
  folder: string,
  name: string,
  mode: number,
): Promise<TemporaryFile> {
  for (let tries = NAME_TRIES; ; tries--) {
    // The last attempt does not lock: other savers may win each time, or `flock` may report that they do.
    const locking = tries > 1
    const path = join(folder, temporaryName(name, { locked: locking }))
    let file: Descriptor
    try {
      file = await fs.create(path, mode)
    } catch (error) {
      if (errorCode(error) !== 'EEXIST' || tries === 1) throw error
      continue
    }
    try {
      const status = await fs.fstat(file)
      if (!locking) return { path, file, status, locked: false }
      const lock = await fs.lock(file)
      if (lock === 'unknown') {
        return { path: await withoutLock(fs, path), file, status, locked: false }
      }
      // Another saver may have locked the file first, and removed it as a leftover.
      const own = (await lstatIfAny(fs, path))?.identity === status.identity
      if (lock === 'taken' && own) return { path, file, status, locked: true }
      await fs.close(file)
      await fs.unlink(path).catch(() => {})
    } catch (error) {
      await fs.close(file).catch(() => {})
      await fs.unlink(path).catch(() => {})
      throw error
    }
  }
}

/** Gives a temporary file the name of an unlocked one, and returns the new path. */
export async function withoutLock(fs: FileSystem, path: string): Promise<string> {
  const to = path.replace(/\.locked\.tmp$/, '.tmp')
  await fs.rename(path, to)
  return to
}

/**
 * Removes the temporary files of dead savers in a folder. Files of living savers stay, and so does every file with
 * another kind of name. If nothing tells whether a saver lives, its file stays too, with one warning per process. Never
 * rejects: no save fails because of this clean-up.
 */
export async function sweepTemporaryFiles(fs: FileSystem, folder: string): Promise<void> {
  const names = await fs.readdir(folder).catch(() => [])
  for (const name of names) {
    const match = PATTERN.exec(name)
    if (match === null) continue
    const [, tag = '', number, locked] = match
    const path = join(folder, name)
    try {
      if (isDead(tag, Number(number))) await fs.unlink(path)
      else if (locked === undefined) await sweepUnlocked(fs, path, tag)
      else await sweepLocked(fs, path, tag)
    } catch {
      // Already removed, or this process may not remove it.
    }
  }
}

/** Sweeps the file of a saver that may be alive, without a lock that could tell. */
async function sweepUnlocked(fs: FileSystem, path: string, tag: string): Promise<void> {
  if (isOld(await fs.lstat(path))) await fs.unlink(path)
  else if (!isOfThisMachine(tag)) warnOnce(path, 'until a day has passed without a write to it')
}

async function sweepLocked(fs: FileSystem, path: string, tag: string): Promise<void> {
  const file = await fs.openForLock(path)
  try {
    const lock = await fs.lock(file)
    if (lock === 'unknown')
      warnOnce(path, 'until a save that has koffi or the program flock looks at it')
    if (lock !== 'taken') return
    const status = await fs.fstat(file)
    // Before this process got the lock, the file may have been committed and its name reused.
    if ((await fs.lstat(path)).identity !== status.identity || status.kind !== 'file') return
    // The lock of a saver on another machine may not reach this one, depending on the mount of the network file system.
    const reaches = isOfThisMachine(tag) || (await fs.isLocal(path).catch(() => false))
    if (reaches || isOld(status)) await fs.unlink(path)
  } finally {
    await fs.close(file)
  }
}

function isOld({ modified }: FileStatus): boolean {
  return Date.now() - modified > OLD
}

/** Whether a process has certainly ended. */
function isDead(tag: string, number: number): boolean {
  if (!isOfThisMachine(tag) || !machine().known) return false
  try {
    process.kill(number, 0)
    return false
  } catch (error) {
    return errorCode(error) === 'ESRCH'
  }
}

/** Whether a tag belongs to this machine and container. */
function isOfThisMachine(tag: string): boolean {
  const here = machine()
  if (tag !== here.tag) return false
  // On other systems than Linux the machine's name alone tells.
  /* c8 ignore next -- not known only where it is not Linux, and in the sandboxes of leftovers.proof.ts. */
  return here.known || process.platform !== 'linux'
}

let warned = false

function warnOnce(path: string, until: string): void {
  if (warned) return
  warned = true
  warn(
    `${quote(basename(path))} is left from a save whose process was killed, or belongs to a save ` +
      `that is under way. It stays ${until}. Remove it if no save is under way`,
  )
}

/** This machine since its last boot, and this container. */
interface Machine {
  /** Eight hexadecimal digits. */
  readonly tag: string
  /** Whether equal tags imply that equal process numbers are the same process. */
  readonly known: boolean
}

let here: Machine | undefined

function machine(): Machine {
  if (here === undefined) {
    const parts = [
      orNothing(hostname),
      orNothing(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')),
      orNothing(() => readlinkSync('/proc/self/ns/pid')),
    ]
    const tag = createHash('sha256').update(parts.join('\n')).digest('hex').slice(0, 8)
    here = { tag, known: parts[1] !== '' && parts[2] !== '' }
  }
  return here
}

/** The value, or '' if the system does not tell (not Linux, a sandbox, Deno without `--allow-sys`). */
function orNothing(read: () => string): string {
  try {
    return read()
    /* c8 ignore next 3 -- only where it is not Linux, and in the sandboxes of test/io/file/leftovers.proof.ts. */
  } catch {
    return ''
  }
}
