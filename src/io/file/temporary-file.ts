/**
 * The temporary files of commits: how they are called, and which of them no save needs any more. A process
 * that is killed during a save leaves one behind; the next save into the same folder removes it, as it is as
 * large as a checkpoint.
 *
 * A name has the file that it is for, the machine and the process that made it, and 64 random bits, so that it
 * can neither be guessed nor taken for another: `.step-1000.ckpt.5f0c2a91.4711.9d3b7e66c0a1f824.locked.tmp`.
 *
 * A saver holds the advisory lock of a file of such a name for as long as the file has the name. So one whose
 * lock can be taken is of a dead saver, whatever its number, container or thread was. Without `.locked` (where
 * there are no locks, and up to version 0.1.0) the number and the age decide. docs/reliability.md has the
 * protocol; the savers of all languages obey it.
 */

import { createHash, randomBytes } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { warn } from '../../errors.js'
import { quote } from '../../printable.js'
import { lstatIfAny } from './destination.js'
import { type Descriptor, errorCode, type FileStatus, type FileSystem } from './file-system.js'

// The longest name that ext4, XFS, APFS and NTFS take; bytes of UTF-8, the strictest of these.
const MAX_NAME_BYTES = 255

const PATTERN = /^\..+\.([0-9a-f]{8})\.([1-9]\d{0,9})\.[0-9a-f]{16}(\.locked)?\.tmp$/s

// Where nothing better tells, a file goes that has not been written to for longer than any save takes.
const OLD = 24 * 60 * 60 * 1000

// Names are 64 random bits, so one that is taken was planted; then a few more are tried. The file of a name
// can also be removed before it is locked, by another saver that took it for a leftover.
const NAME_TRIES = 4

/** A new name for a temporary file beside the file `name`; at most 255 bytes, however long that is. */
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

/** A temporary file that is open for writing. */
export interface TemporaryFile {
  readonly path: string
  readonly file: Descriptor
  /** Whether the file is locked, and named so; the lock ends when the file is closed. */
  readonly locked: boolean
  /** As it was created. */
  readonly status: FileStatus
}

/**
 * Creates and locks a temporary file in a folder, for the file `name` there. Where nothing can be locked the
 * file has the name of one that is not. Rejects with the system's error; no file and no descriptor is left.
 */
export async function createTemporaryFile(
  fs: FileSystem,
  folder: string,
  name: string,
  mode: number,
): Promise<TemporaryFile> {
  for (let tries = NAME_TRIES; ; tries--) {
    // The last one is not locked: others may be quick each time, or `flock` may answer as if they were.
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
      // Before the lock another saver may have locked it, and removed it as a leftover.
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

/** Gives a temporary file the name of one that is not locked, and returns the new path. */
export async function withoutLock(fs: FileSystem, path: string): Promise<string> {
  const to = path.replace(/\.locked\.tmp$/, '.tmp')
  await fs.rename(path, to)
  return to
}

/**
 * Removes the temporary files in a folder that dead savers have left behind. Those of living savers stay, and
 * so does every file that is not called like one of ours. Where nothing tells whether a saver lives, its file
 * stays as well, with a warning, once. Never rejects: this is tidying, and no save fails for it.
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
      // Gone already, or not ours to remove.
    }
  }
}

/** Of a saver that may be alive, without a lock that could tell. */
async function sweepUnlocked(fs: FileSystem, path: string, tag: string): Promise<void> {
  if (isOld(await fs.lstat(path))) await fs.unlink(path)
  else if (!isOfThisMachine(tag)) warnOnce(path, 'until it has not been written to for a day')
}

async function sweepLocked(fs: FileSystem, path: string, tag: string): Promise<void> {
  const file = await fs.openForLock(path)
  try {
    const lock = await fs.lock(file)
    if (lock === 'unknown')
      warnOnce(path, 'until a save with koffi, or the program flock, looks at it')
    if (lock !== 'taken') return
    const status = await fs.fstat(file)
    // It may have been committed, and its name be another's, before we had the lock.
    if ((await fs.lstat(path)).identity !== status.identity || status.kind !== 'file') return
    // The lock of a saver on another machine may not reach this one: NFS can be mounted so, and others are.
    const reaches = isOfThisMachine(tag) || (await fs.isLocal(path).catch(() => false))
    if (reaches || isOld(status)) await fs.unlink(path)
  } finally {
    await fs.close(file)
  }
}

function isOld({ modified }: FileStatus): boolean {
  return Date.now() - modified > OLD
}

/** Whether a process certainly has ended. */
function isDead(tag: string, number: number): boolean {
  if (!isOfThisMachine(tag) || !machine().known) return false
  try {
    process.kill(number, 0)
    return false
  } catch (error) {
    return errorCode(error) === 'ESRCH'
  }
}

/** Whether a tag is of this machine and container. */
function isOfThisMachine(tag: string): boolean {
  const here = machine()
  if (tag !== here.tag) return false
  // Elsewhere than on Linux the machine's name alone tells.
  /* c8 ignore next -- not known only where it is not Linux, and in the sandboxes of leftovers.test.ts. */
  return here.known || process.platform !== 'linux'
}

let warned = false

function warnOnce(path: string, until: string): void {
  if (warned) return
  warned = true
  warn(
    `${quote(basename(path))} was left by a process that was killed during a save, or belongs to a save ` +
      `that is under way: nothing tells which, so it stays ${until}. Remove it if no save is under way`,
  )
}

/** Which machine, since it was started, and which container this is. */
interface Machine {
  /** Eight hexadecimal digits. */
  readonly tag: string
  /** Whether equal tags mean that equal process numbers are the same process. */
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

/** The value, or nothing where the system does not tell (not Linux, a sandbox, Deno without `--allow-sys`). */
function orNothing(read: () => string): string {
  try {
    return read()
    /* c8 ignore next 3 -- only where it is not Linux, and in the sandboxes of test/io/file/leftovers.test.ts. */
  } catch {
    return ''
  }
}
