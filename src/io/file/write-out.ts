/**
 * The writing of a file to its disk, begun while its bytes are still coming: what the system is left
 * to gather, the disk has yet to write when all else is done. Where the system does not know how to begin,
 * the file is synced now and then, which flushes the disk's cache each time.
 */

import { FirstFailure } from '../concurrency.js'
import type { Descriptor, FileSystem } from './file-system.js'

// Bytes after which the system is told to begin.
const BEGIN_EVERY = 8 * 1024 * 1024

export class WriteOut {
  readonly #fs: Pick<FileSystem, 'fsync' | 'beginWriteOut'>
  readonly #file: Descriptor
  readonly #every: number
  /** Whether the system knows how to begin; until it has said no. */
  #begins: boolean
  #written = 0
  #running: Promise<void> | undefined
  /** Kept: the system reports an error once, and a sync after this one may well succeed. */
  readonly #failure = new FirstFailure()

  /** Where `file` has to be synced, it is each time that `every` bytes have been written. */
  constructor(fs: Pick<FileSystem, 'fsync' | 'beginWriteOut'>, file: Descriptor, every: number) {
    this.#fs = fs
    this.#begins = fs.beginWriteOut !== undefined
    this.#file = file
    this.#every = every
  }

  /**
   * Tells of bytes that have been written. Does not wait for the disk; throws what a sync before this
   * one failed with.
   */
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

  /** Like `settled`, and throws what a sync failed with. */
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
