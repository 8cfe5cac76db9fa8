/**
 * The commit of a file, atomic and durable: whoever opens the path finds the whole old file or the
 * whole new one, at every instant, and after a power cut at any instant; and once `commit` has
 * resolved, the new one.
 *
 *   1. Missing folders are created, and each one's name synced in the folder above; so is that of the
 *      lowest one that was there, as whoever made it may not have come to it.
 *      The destination is resolved: a symbolic link is followed, and the file beside which the
 *      temporary one goes is the one that the link names. The link stays.
 *   2. The temporary files that dead savers have left in the same folder are removed. One is created there,
 *      exclusively and under an unpredictable name, and locked: as long as the lock is held, no other saver
 *      takes it for a leftover. It takes the mode, the owner and the access list of the file that it is to
 *      replace.
 *   3. All bytes are written, in pieces; a short write is gone on with, and the length is checked. Of a
 *      long file the disk is given what is there on the way, so that it is busy from the start.
 *   4. The file is synced. A sync that fails is not tried again, those on the way no more than this
 *      one: after an error the system may have dropped the pages and call the next one a success (see
 *      "fsyncgate", PostgreSQL, 2018).
 *   5. The folder is opened (what can fail, fails before the commit), the file renamed over the
 *      destination and then closed, which ends its lock, the folder synced.
 *
 * A failure up to the rename leaves the destination as it was and removes the temporary file. After a
 * failure past it the new file is there, and it is uncertain whether a power cut undoes it.
 */

import { basename, dirname } from 'node:path'
import { CheckpointError, isCheckpointError } from '../../errors.js'
import { absolutePath } from '../../path.js'
import type { Durability, Sink } from '../sink.js'
import {
  cannotSync,
  existing,
  lstatIfAny,
  makeFolder,
  openFolder,
  resolveLinks,
} from './destination.js'
import { takeRights } from './file-rights.js'
import {
  type Descriptor,
  errorCode,
  errorReason,
  type FileSystem,
  nodeFileSystem,
} from './file-system.js'
import { createTemporaryFile, sweepTemporaryFiles, withoutLock } from './temporary-file.js'
import { WriteOut } from './write-out.js'

// Most bytes handed to one write call. Above 2 GiB Node's calls fail or miscount; well below, an
// abort and a progress report come in time.
const MAX_WRITE = 64 * 1024 * 1024

// Bytes after which a file is synced on the way, where the disk can be given them no other way. A disk of
// 500 MB/s writes them in 64 ms, far longer than the flush of its cache takes, with which each sync ends.
const SYNC_EVERY = 32 * 1024 * 1024

export interface FileSinkOptions {
  /** What messages call the file (default: its path). */
  readonly name?: string
  /** What the commit runs against (default: that of this machine). */
  readonly fileSystem?: FileSystem
  /** False: the commit is atomic all the same, and nothing is promised about power cuts. */
  readonly durable?: boolean
  /**
   * Bytes after which the file is synced while it is being written, where the system cannot be told to
   * begin to write (default 32 MiB).
   */
  readonly syncEvery?: number
}

/**
 * The sink behind a path: writes a temporary file next to it, and renames that over it in `commit`. For one save.
 * What the system refuses is a CheckpointError: CKPT_NOT_COMMITTED, or CKPT_NOT_DURABLE after the rename.
 */
export class FileSink implements Sink {
  readonly path: string
  /** While the system copies one piece, the next one waits for no turn of this thread. */
  readonly writesAtOnce = 2
  readonly #fs: FileSystem
  readonly #durable: boolean
  readonly #syncEvery: number
  /** The path, by the folder that the process was in when it was given. */
  readonly #absolute: string
  #file: Descriptor | undefined
  #writeOut: WriteOut | undefined
  #folder: Descriptor | undefined
  #temporary = ''
  /** Whether the temporary file is locked, until it is closed. */
  #locked = false
  #destination = ''
  /** Of the file that is written, and of the one that it is to replace. */
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
  }

  async begin(length: number): Promise<void> {
    this.#length = length
    await this.#step('prepare the folder of', async () => {
      await makeFolder(this.#fs, dirname(this.#absolute), this.#durable)
      this.#destination = await resolveLinks(this.#fs, this.#absolute)
    })
    const replaced = await this.#step('examine', () => existing(this.#fs, this.#destination))
    this.#replaced = replaced?.identity
    await this.#step('create a temporary file beside', async () => {
      // Opened before the commit, so that a lack of descriptors or of rights shows in time.
      const folder = dirname(this.#destination)
      this.#folder = await openFolder(this.#fs, folder)
      // First: on a full disk it may be what makes room.
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
        // A full disk shows as a short count first. One of zero would go on for ever.
        if (count === 0) throw new Error('the system wrote nothing and gave no reason')
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
        throw new Error(`${size} bytes arrived of ${this.#length}`)
      }
      if (this.#durable) await this.#fs.fsync(file)
    })
  }

  async commit(): Promise<Durability> {
    const file = this.#open()
    await this.#step('commit', async () => {
      // A network file system may tell of an error when the file is closed, if it was not synced: that has to
      // be before the rename. The lock ends then, and with it the name of one that is locked.
      const closedFirst = !(this.#durable && this.#locked)
      if (closedFirst) {
        if (this.#locked) this.#temporary = await withoutLock(this.#fs, this.#temporary)
        this.#file = undefined
        await this.#fs.close(file)
      }
      try {
        await this.#fs.rename(this.#temporary, this.#destination)
      } catch (cause) {
        throw await this.#failedRename(cause)
      }
      // What was synced has no errors left to tell of.
      if (!closedFirst) await this.#fs.close(file).catch(() => {})
      this.#file = undefined
    })
    this.#committed = true
    return this.#syncFolder()
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

  /** Where the temporary file is, from `begin` on: what is left there if the thread of this sink dies. */
  get temporary(): string {
    return this.#temporary
  }

  /**
   * The error to throw for a rename that failed. It may have taken place: over a network the answer can
   * be lost. Then nobody may be told that the old file is untouched. Which file is where tells.
   */
  async #failedRename(cause: unknown): Promise<unknown> {
    const identityAt = async (path: string) => (await lstatIfAny(this.#fs, path))?.identity
    let there: string | undefined
    let own: string | undefined
    try {
      there = await identityAt(this.#destination)
      own = await identityAt(this.#temporary)
    } catch {
      // Where it cannot be looked at, nothing speaks against the error.
      return cause
    }
    if (there !== this.#identity) {
      if (own === this.#identity) return cause
      if (there === undefined || there === this.#replaced) {
        // Without a comma: what follows one is the call and the path that Node appends.
        const reason = 'the temporary file or its folder was removed or moved during the save'
        return Object.assign(new Error(`${errorReason(cause)}; ${reason}`, { cause }), {
          code: errorCode(cause),
        })
      }
    }
    this.#committed = true
    const where =
      there === this.#identity
        ? 'the new checkpoint is in place, though the system reported an error for that: a power cut ' +
          'may bring back what was there before'
        : 'the temporary file is gone, and another file has taken the place of the old one: it is ' +
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
      // XFS that has shut itself down, because its disk failed, calls the sync of a folder a success
      // that does nothing (Linux 6.18). To this it answers with EIO.
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
    } finally {
      await this.#closeFolder()
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

  /** Runs a step before the commit; what fails there is CKPT_NOT_COMMITTED. */
  async #step<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      if (isCheckpointError(cause)) throw cause
      throw new CheckpointError(
        'CKPT_NOT_COMMITTED',
        `nothing was saved, and what was there before is untouched: could not ${what} the file ` +
          `(${errorReason(cause)})`,
        { cause },
      ).withPath(this.path)
    }
  }
}
