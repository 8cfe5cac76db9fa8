/**
 * A file that is read by position, through one descriptor that stays open: a file renamed over it
 * does not matter, and one that is changed in place is noticed.
 */

import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { CheckpointError, isCheckpointError } from '../../errors.js'
import { MAX_READ, type Source } from '../source.js'
import { errorReason } from './file-system.js'

const fsOpen = promisify(fs.open)
const fsStat = promisify(fs.fstat) as unknown as (
  fd: number,
  options: { bigint: true },
) => Promise<fs.BigIntStats>
const fsRead = promisify(fs.read)

/**
 * Opens a regular file for reading. Throws CKPT_READ with the system's error as its cause; a folder,
 * FIFO, socket or device is refused (and a FIFO without a writer does not block).
 */
export async function openFile(path: string): Promise<OpenFile> {
  let fd: number
  try {
    // O_NONBLOCK is for FIFOs, whose open would wait for a writer. It is 0 where there is none.
    /* c8 ignore next -- there is one wherever the tests run but on Windows. */
    fd = await fsOpen(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0))
  } catch (cause) {
    throw readError(cause, 'could not be opened')
  }
  try {
    const stat = await fsStat(fd, { bigint: true })
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'a folder' : 'a device, pipe or socket'
      throw new CheckpointError('CKPT_READ', `this is ${what}, not a file`)
    }
    return { fd, stat }
  } catch (error) {
    fs.closeSync(fd)
    throw isCheckpointError(error) ? error : readError(error, 'could not be examined')
  }
}

export interface OpenFile {
  readonly fd: number
  /** As it was when the file was opened. */
  readonly stat: fs.BigIntStats
}

// Closes the descriptor of a source that was dropped without being closed.
const dropped = new FinalizationRegistry<number>((fd) => fs.closeSync(fd))

/**
 * A source that reads from an open file, at most four reads at once. Owns the descriptor: `close` closes it, and so
 * does the garbage collector where nobody did.
 */
export class FileSource implements Source {
  readonly kind = 'file'
  readonly size: number
  /** As many as Node has threads for it, where nobody has changed that. */
  readonly readsAtOnce = 4
  readonly #file: OpenFile
  #closed = false
  // Calls that the system has not answered yet.
  #pending = 0

  /** Takes over the descriptor, and closes it. */
  constructor(file: OpenFile) {
    this.#file = file
    this.size = Number(file.stat.size)
    dropped.register(this, file.fd, this)
  }

  readSync(target: Uint8Array, position: number): void {
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(MAX_READ, target.byteLength - done)
      let count: number
      try {
        count = fs.readSync(this.#fd(), target, done, length, position + done)
      } catch (cause) {
        throw readError(cause, 'could not be read')
      }
      if (count === 0) throw ended(position + done)
      done += count
    }
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(MAX_READ, target.byteLength - done)
      const at = position + done
      const { bytesRead } = await this.withDescriptor((fd) => fsRead(fd, target, done, length, at))
      if (bytesRead === 0) throw ended(at)
      done += bytesRead
    }
  }

  async checkUnchanged(): Promise<void> {
    const before = this.#file.stat
    const now = await this.withDescriptor((fd) => fsStat(fd, { bigint: true }))
    if (now.size !== before.size || now.mtimeNs !== before.mtimeNs) {
      throw new CheckpointError('CKPT_FILE_CHANGED', 'the file was changed while it was being read')
    }
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    dropped.unregister(this)
    this.#closeIfUnused()
  }

  /** Keeps the descriptor open under `call`. Throws CKPT_CLOSED, or CKPT_READ for what the call throws. */
  async withDescriptor<T>(call: (fd: number) => Promise<T>): Promise<T> {
    const fd = this.#fd()
    this.#pending++
    try {
      return await call(fd)
    } catch (cause) {
      throw readError(cause, 'could not be read')
    } finally {
      this.#pending--
      this.#closeIfUnused()
    }
  }

  /** Not under a call that waits for its turn: it would go to whatever gets the number next. */
  #closeIfUnused(): void {
    if (this.#closed && this.#pending === 0) fs.closeSync(this.#file.fd)
  }

  #fd(): number {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the file is closed')
    return this.#file.fd
  }
}

function ended(offset: number): CheckpointError {
  return new CheckpointError(
    'CKPT_FILE_CHANGED',
    `the file ended at byte ${offset} while it was being read: something has truncated it`,
    { offset },
  )
}

function readError(cause: unknown, what: string): CheckpointError {
  if (isCheckpointError(cause)) return cause
  return new CheckpointError('CKPT_READ', `the file ${what}: ${errorReason(cause)}`, { cause })
}
