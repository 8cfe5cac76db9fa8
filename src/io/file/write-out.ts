/**
 * Starts writing a file to the disk while its bytes are still coming. Otherwise the disk would have to write all of
 * them at the end. If the system cannot be told to start, the file is synced now and then, which flushes the disk's
 * cache each time.
 */

import { FirstFailure } from '../concurrency.js'
import type { Descriptor, FileSystem } from './file-system.js'

// Bytes after which the system is told to start.
const BEGIN_EVERY = 8 * 1024 * 1024

/** The bytes of one file on their way to the disk. It is told of each write, and awaited before the last sync. */
export class WriteOut {
  readonly #fs: Pick<FileSystem, 'fsync' | 'beginWriteOut'>
  readonly #file: Descriptor
  readonly #every: number
  /** Whether the system can be told to start; assumed until it refuses. */
  #begins: boolean
  #written = 0
  #running: Promise<void> | undefined
  /** Kept, because the system reports an error only once: a later sync may well succeed. */
  readonly #failure = new FirstFailure()

  /** If the file must be synced instead, a sync follows every `every` bytes. */
  constructor(fs: Pick<FileSystem, 'fsync' | 'beginWriteOut'>, file: Descriptor, every: number) {
    this.#fs = fs
    this.#begins = fs.beginWriteOut !== undefined
    this.#file = file
    this.#every = every
  }

  /** Reports bytes that have been written. Does not wait for the disk. Throws the error of an earlier sync. */
  wrote(bytes: number): void {
    this.#failure.throwIfAny()
    this.#written += bytes
    if (this.#running !== undefined) return
    if (this.#written < (this.#begins ? Math.min(BEGIN_EVERY, this.#every) : this.#every)) return
    this.#running = this.#push()
      .catch((error: unknown) => this.#failure.keep(error))
      .finally(() => {
        this.#running = undefined
      })
  }

  /** Resolves when no sync is under way, so that the file may be closed. Never throws. */
  async settled(): Promise<void> {
    await this.#running
  }

  /** Like `settled`, but throws the error of a failed sync. */
  async finish(): Promise<void> {
    await this.settled()
    this.#failure.throwIfAny()
  }

  async #push(): Promise<void> {
    if (this.#begins) {
      const written = this.#written
      this.#begins = await this.#fs.beginWriteOut!(this.#file)
      if (this.#begins) this.#written -= written
      if (this.#begins || this.#written < this.#every) return
    }
    this.#written = 0
    await this.#fs.fsync(this.#file)
  }
}
