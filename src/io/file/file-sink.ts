/**
 * The commit of a file, atomic and durable. At every instant, and after a power cut at any instant, the path
 * holds the whole old file or the whole new one. Once `commit` has resolved, it holds the new one.
 *
 *   1. Missing folders are created, and the name of each is synced in the folder above. So is the name of the
 *      lowest existing folder, because its creator may not have synced it.
 *      The destination is resolved: symbolic links are followed and stay. The temporary file goes next to the
 *      file that they name.
 *   2. The temporary files of dead savers in the same folder are removed. A new one is created there, exclusively
 *      and under an unpredictable name, and locked. While the lock is held, no other saver takes the file for a
 *      leftover. The file takes the mode, the owner and the access list of the file that it replaces.
 *   3. All bytes are written, in pieces; a short write is continued, and the length is verified. During a long
 *      save the system is told to write out what it has, so that the disk is busy from the start.
 *   4. The file is synced. A failed sync is never retried, whether here or during step 3: after an error the
 *      system may have dropped the pages, and the next sync would succeed (see "fsyncgate", PostgreSQL, 2018).
 *   5. The folder is opened, because whatever can fail must fail before the commit. The file is renamed over the
 *      destination and then closed, which ends its lock. The folder is synced.
 *
 * A failure up to the rename leaves the destination as it was and removes the temporary file. After a later
 * failure the new file is in place, but a power cut may undo the rename.
 */

import { basename, dirname } from 'node:path'
import { CheckpointError, isCheckpointError } from '../../errors.js'
import { absolutePath } from '../../path.js'
import type { Durability, Sink } from '../sink.js'
import type { Condition } from '../store.js'
import { checkCondition, renameIf } from './conditional-rename.js'
import {
  cannotSync,
  existing,
  lstatIfAny,
  makeFolder,
  openFolder,
  resolveLinks,
} from './destination.js'
import { takeRights } from './file-rights.js'
import type { Descriptor, FileSystem } from './file-system.js'
import { fileNamed } from './file-version.js'
import { nodeFileSystem } from './node-file-system.js'
import { errorCode, errorReason } from './system-error.js'
import { createTemporaryFile, sweepTemporaryFiles, withoutLock } from './temporary-file.js'
import { WriteOut } from './write-out.js'

// Most bytes in one write call. Node's calls fail or miscount above 2 GiB. A much lower limit lets aborts and progress
// reports come in time.
const MAX_WRITE = 64 * 1024 * 1024

// Bytes between two syncs during the save, if the system cannot start writing in any other way. Each sync ends with a
// flush of the disk's cache, which takes far less time than writing this many bytes.
const SYNC_EVERY = 32 * 1024 * 1024

/** How a FileSink writes and commits. */
export interface FileSinkOptions {
  /** The file's name in messages (default: its path). */
  readonly name?: string
  /** The file system that the commit uses (default: that of this machine). */
  readonly fileSystem?: FileSystem
  /** False: the commit is still atomic, but promises nothing about power cuts. */
  readonly durable?: boolean | undefined
  /** What the commit requires of the file that it replaces (default: nothing). */
  readonly condition?: Condition | undefined
  /** Bytes between two syncs during the save, if the system cannot be told to start writing (default 32 MiB). */
  readonly syncEvery?: number
}

/**
 * The sink of a path: writes a temporary file next to it, and renames that over it in `commit`. It serves one save. An
 * error of the system becomes CKPT_NOT_COMMITTED, or CKPT_NOT_DURABLE after the rename.
 */
export class FileSink implements Sink {
  readonly path: string
  /** While the system copies one piece, the next one is already queued. */
  readonly writesAtOnce = 2
  readonly #fs: FileSystem
  readonly #durable: boolean
  readonly #syncEvery: number
  readonly #condition: Condition | undefined
  /** The path, made absolute by the folder that the process was in when the sink was made. */
  readonly #absolute: string
  #file: Descriptor | undefined
  #writeOut: WriteOut | undefined
  #folder: Descriptor | undefined
  #temporary = ''
  /** Whether the temporary file is locked. The lock ends when the file is closed. */
  #locked = false
  #destination = ''
  /** The identities of the new file and of the file that it replaces. */
  #identity = ''
  #replaced: string | undefined
  #length = 0
  #committed = false

  constructor(path: string, options: FileSinkOptions = {}) {
    this.path = options.name ?? path
    this.#absolute = absolutePath(path)
    this.#fs = options.fileSystem ?? nodeFileSystem
    this.#durable = options.durable ?? true
    this.#syncEvery = options.syncEvery ?? SYNC_EVERY
    this.#condition = options.condition
  }

  async begin(length: number): Promise<void> {
    this.#length = length
    await this.#step('prepare the folder of', async () => {
      await makeFolder(this.#fs, dirname(this.#absolute), this.#durable)
      this.#destination = await resolveLinks(this.#fs, this.#absolute)
    })
    const replaced = await this.#step('examine', () => existing(this.#fs, this.#destination))
    this.#replaced = replaced?.identity
    if (this.#condition !== undefined)
      await this.#checkCondition(this.#condition, replaced?.identity)
    await this.#step('create a temporary file next to', async () => {
      // Opened before the commit, so that missing descriptors or rights show in time.
      const folder = dirname(this.#destination)
      this.#folder = await openFolder(this.#fs, folder)
      // Comes before the new file: on a full disk it may make room for it.
      await sweepTemporaryFiles(this.#fs, folder)
      const mode = replaced === undefined ? 0o666 : 0o600
      const name = basename(this.#destination)
      const created = await createTemporaryFile(this.#fs, folder, name, mode)
      const { file, status: fresh } = created
      this.#file = file
      this.#temporary = created.path
      this.#locked = created.locked
      this.#identity = fresh.identity
      if (this.#durable) this.#writeOut = new WriteOut(this.#fs, file, this.#syncEvery)
      if (replaced !== undefined) {
        await takeRights(this.#fs, file, fresh, this.#destination, replaced)
      }
    })
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    const file = this.#open()
    await this.#step('write', async () => {
      for (let done = 0; done < bytes.byteLength; ) {
        const piece = bytes.subarray(done, done + MAX_WRITE)
        const count = await this.#fs.write(file, piece, position + done)
        // A full disk first shows as a short count. A count of zero would loop for ever.
        if (count === 0) throw new Error('the system wrote 0 bytes without an error')
        done += count
        this.#writeOut?.wrote(count)
      }
    })
  }

  async sync(): Promise<void> {
    const file = this.#open()
    await this.#step('write', async () => {
      await this.#writeOut?.finish()
      const { size } = await this.#fs.fstat(file)
      if (size !== this.#length) {
        throw new Error(`expected a file of ${this.#length} bytes, found ${size}`)
      }
      if (this.#durable) await this.#fs.fsync(file)
    })
  }

  async commit(): Promise<Durability> {
    const file = this.#open()
    await this.#step('commit', async () => {
      // A network file system may report an error of an unsynced file when it is closed, so that must happen before the
      // rename. Closing ends the lock, so the file first takes the name of an unlocked one.
      const closedFirst = !(this.#durable && this.#locked)
      if (closedFirst) {
        if (this.#locked) this.#temporary = await withoutLock(this.#fs, this.#temporary)
        this.#file = undefined
        await this.#fs.close(file)
      }
      try {
        await this.#rename()
      } catch (cause) {
        throw await this.#failedRename(cause)
      }
      // After a sync, closing has no errors left to report.
      if (!closedFirst) await this.#fs.close(file).catch(() => {})
      this.#file = undefined
    })
    this.#committed = true
    return this.#syncFolder().finally(() => this.#closeFolder())
  }

  async abort(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await this.#writeOut?.settled()
    if (file !== undefined) await this.#fs.close(file).catch(() => {})
    await this.#closeFolder()
    if (this.#temporary !== '' && !this.#committed) {
      await this.#fs.unlink(this.#temporary).catch(() => {})
      this.#temporary = ''
    }
  }

  /** The path of the temporary file, from `begin` on: what remains if the thread of this sink dies. */
  get temporary(): string {
    return this.#temporary
  }

  /** Tells before anything is written if the condition cannot be met. */
  async #checkCondition(condition: Condition, replaced: string | undefined): Promise<void> {
    await this.#step('examine', async () => {
      const asked = 'ifVersion' in condition
      checkCondition(condition, asked ? (await fileNamed(this.#absolute))?.version : replaced)
    })
  }

  async #rename(): Promise<void> {
    const condition = this.#condition
    if (condition === undefined) return this.#fs.rename(this.#temporary, this.#destination)
    const named = this.#absolute
    const identity = this.#identity
    await renameIf(this.#fs, this.#temporary, this.#destination, { condition, named, identity })
  }

  /**
   * The error for a rename that failed. The rename may have taken place, because a network can lose the answer. In that
   * case the message must not say that the old file is untouched. The identities of the files decide.
   */
  async #failedRename(cause: unknown): Promise<unknown> {
    // The condition of the commit was not met, so there was no rename.
    if (isCheckpointError(cause)) return cause
    const identityAt = async (path: string) => (await lstatIfAny(this.#fs, path))?.identity
    let there: string | undefined
    let own: string | undefined
    try {
      there = await identityAt(this.#destination)
      own = await identityAt(this.#temporary)
    } catch {
      // If the files cannot be examined, the error stands as it is.
      return cause
    }
    if (there !== this.#identity) {
      if (own === this.#identity) return cause
      if (there === undefined || there === this.#replaced) {
        // Without a comma: Node appends the call and the path after one, and errorReason cuts there.
        const reason = 'the temporary file or its folder was removed or moved during the save'
        return Object.assign(new Error(`${errorReason(cause)}; ${reason}`, { cause }), {
          code: errorCode(cause),
        })
      }
    }
    this.#committed = true
    const where =
      there === this.#identity
        ? 'the new checkpoint is in place, although the system reported an error: a power cut ' +
          'may bring back what was there before'
        : 'the temporary file is gone, and another file has replaced the old one: it is ' +
          'uncertain whether the new checkpoint was there in between'
    return new CheckpointError('CKPT_NOT_DURABLE', `${where} (${errorReason(cause)})`, {
      cause,
    }).withPath(this.path)
  }

  async #syncFolder(): Promise<Durability> {
    const folder = this.#folder
    try {
      if (!this.#durable) return 'none'
      if (folder === undefined) return 'file-only'
      await this.#fs.fsync(folder)
      // XFS that shut itself down after a disk failure reports success for the sync of a folder and does nothing (Linux
      // 6.18). For this call it returns EIO.
      await this.#fs.fstat(folder)
      return 'durable'
    } catch (cause) {
      if (cannotSync(cause)) return 'file-only'
      throw new CheckpointError(
        'CKPT_NOT_DURABLE',
        `the new checkpoint is in place, but its folder could not be synced: ` +
          `a power cut may bring back what was there before (${errorReason(cause)})`,
        { cause },
      ).withPath(this.path)
    }
  }

  async #closeFolder(): Promise<void> {
    const folder = this.#folder
    this.#folder = undefined
    if (folder !== undefined) await this.#fs.close(folder).catch(() => {})
  }

  #open(): Descriptor {
    if (this.#file === undefined) throw new TypeError('this sink is not open')
    return this.#file
  }

  /** Runs a step before the commit. An error of the step becomes CKPT_NOT_COMMITTED. */
  async #step<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      if (isCheckpointError(cause)) throw cause.withPath(this.path)
      throw new CheckpointError(
        'CKPT_NOT_COMMITTED',
        `nothing was saved, and what was there before is untouched: could not ${what} the file ` +
          `(${errorReason(cause)})`,
        { cause },
      ).withPath(this.path)
    }
  }
}
