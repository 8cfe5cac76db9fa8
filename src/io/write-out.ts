/**
 * The writing of a file to its disk, begun while its bytes are still coming: what the system is left
 * to gather, the disk has yet to write when all else is done. A sync now and then also brings to light
 * early that a disk is full or broken.
 */

import type { Descriptor, FileSystem } from './filesystem.js'

export class WriteOut {
  readonly #fs: Pick<FileSystem, 'fsync'>
  readonly #file: Descriptor
  readonly #every: number
  #written = 0
  #running: Promise<void> | undefined
  #failure: { readonly error: unknown } | undefined

  /** Syncs `file` each time that `every` bytes have been written, one sync at a time. */
  constructor(fs: Pick<FileSystem, 'fsync'>, file: Descriptor, every: number) {
    this.#fs = fs
    this.#file = file
    this.#every = every
  }

  /**
   * Tells of bytes that have been written. Does not wait for the disk; throws what a sync before this
   * one failed with.
   */
  wrote(bytes: number): void {
    this.#throwFailure()
    this.#written += bytes
    if (this.#written < this.#every || this.#running !== undefined) return
    this.#written = 0
    this.#running = this.#fs
      .fsync(this.#file)
      .catch((error: unknown) => {
        // Kept: the system reports an error once, and a sync after this one may well succeed.
        this.#failure ??= { error }
      })
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
    this.#throwFailure()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }
}
