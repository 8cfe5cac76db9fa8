/**
 * A file that is read by position, through one descriptor that stays open. A file renamed over it does not matter; a
 * change in place is noticed.
 */

import * as fs from 'node:fs'
import { promisify } from 'node:util'
import { CheckpointError, isCheckpointError } from '../../errors.js'
import { MAX_READ, type Source } from '../source.js'
import { errorReason } from './system-error.js'

const fsOpen = promisify(fs.open)
const fsStat = promisify(fs.fstat) as unknown as (
  fd: number,
  options: { bigint: true },
) => Promise<fs.BigIntStats>
const fsRead = promisify(fs.read)

/**
 * Opens a regular file for reading. Throws CKPT_READ with the system's error as `cause`. A folder, FIFO, socket or
 * device is refused, and a FIFO without a writer does not block.
 */
export async function openFile(path: string): Promise<OpenFile> {
  let fd: number
  try {
    // O_NONBLOCK keeps the open of a FIFO from waiting for a writer. It is 0 on systems that lack it.
    /* c8 ignore next -- there is one wherever the tests run but on Windows. */
    fd = await fsOpen(path, fs.constants.O_RDONLY | (fs.constants.O_NONBLOCK ?? 0))
  } catch (cause) {
    throw readError(cause, 'could not be opened')
  }
  try {
    const stat = await fsStat(fd, { bigint: true })
    if (!stat.isFile()) {
      const what = stat.isDirectory() ? 'a folder' : 'a device, pipe or socket'
      throw new CheckpointError('CKPT_READ', `expected a file, found ${what}`)
    }
    return { fd, stat }
  } catch (error) {
    fs.closeSync(fd)
    throw isCheckpointError(error) ? error : readError(error, 'could not be examined')
  }
}

/** A file that is open for reading. Whoever holds it closes the descriptor. */
export interface OpenFile {
  readonly fd: number
  /** Its status at the time it was opened. */
  readonly stat: fs.BigIntStats
}

// Closes the descriptor of a source that was dropped without `close`.
const dropped = new FinalizationRegistry<number>((fd) => fs.closeSync(fd))

/**
 * A source that reads from an open file, with at most four reads at once. It owns the descriptor: `close` closes it,
 * and otherwise the garbage collector does.
 */
export class FileSource implements Source {
  readonly kind = 'file'
  readonly size: number
  /** The number of threads that Node has for file calls by default. */
  readonly readsAtOnce = 4
  readonly #file: OpenFile
  #closed = false
  // Number of calls that the system has not answered yet.
  #pending = 0

  /** Takes ownership of the descriptor. */
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

  /**
   * Calls `call` with the descriptor, which stays open until it settles. Throws CKPT_CLOSED, or CKPT_READ for an error
   * of the call.
   */
  async withDescriptor<T>(call: (fd: number) => Promise<T>): Promise<T> {
    const fd = this.#fd()
    this.#pending++
    const calling = async () => call(fd)
    try {
      return await calling().finally(() => {
        this.#pending--
        this.#closeIfUnused()
      })
    } catch (cause) {
      throw readError(cause, 'could not be read')
    }
  }

  /** Calls `call` with the descriptor, which stays open until it returns. Throws CKPT_CLOSED. */
  useDescriptor<T>(call: (fd: number) => T): T {
    return call(this.#fd())
  }

  /** Waits for calls under way: a queued call would reach whatever file gets the same number next. */
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
    `the file was truncated to ${offset} bytes while it was being read`,
    { offset },
  )
}

function readError(cause: unknown, what: string): CheckpointError {
  if (isCheckpointError(cause)) return cause
  return new CheckpointError('CKPT_READ', `the file ${what}: ${errorReason(cause)}`, { cause })
}
