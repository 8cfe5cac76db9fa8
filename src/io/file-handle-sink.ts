/**
 * A sink over a FileSystemFileHandle of a browser: the origin private file system, or a file that the user picked. The
 * browser writes to a file of its own, which replaces the old one when it is closed. So the commit is atomic, but
 * browsers promise nothing about power cuts.
 */

import { CheckpointError } from '../errors.js'
import { printable } from '../printable.js'
import { kindOf } from '../realm.js'
import type { Durability, Sink } from './sink.js'

/** The part of FileSystemFileHandle that this sink uses. */
export interface WritableFileHandle {
  readonly name: string
  createWritable(): Promise<WritableFile>
}

interface WritableFile {
  /** Takes `{ type: 'write', position, data }`, whose type in the DOM differs between versions. */
  write(chunk: unknown): Promise<void>
  close(): Promise<void>
  abort(): Promise<void>
}

/** Writes to the file of a handle. An error of the browser becomes CKPT_NOT_COMMITTED, with the error as `cause`. */
export class FileHandleSink implements Sink {
  readonly path: string
  readonly #handle: WritableFileHandle
  #file: WritableFile | undefined

  /** Throws a TypeError if `handle` is not the handle of a file. */
  constructor(handle: WritableFileHandle) {
    const { name, kind } = (handle ?? {}) as { name?: unknown; kind?: unknown }
    if (typeof name !== 'string' || (kind !== undefined && kind !== 'file')) {
      throw new TypeError(
        'expected the handle of a file for a FileHandleSink: ' +
          'await directory.getFileHandle(name, { create: true }), or one that the user picked',
      )
    }
    this.#handle = handle
    this.path = name
  }

  async begin(): Promise<void> {
    if (typeof this.#handle.createWritable !== 'function') {
      throw this.#notCommitted(
        'this browser has no createWritable() for file handles (Safari has it since version 26): save to a ' +
          'MemorySink, and write its bytes with a sync access handle or offer them as a download',
      )
    }
    this.#file = await this.#step('opened', () => this.#handle.createWritable())
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    const { buffer, byteLength } = bytes
    // WebKit ignores the bounds of a view and writes its whole buffer; all browsers refuse shared memory. Such views
    // are copied.
    const isWhole = kindOf(buffer) === 'ArrayBuffer' && buffer.byteLength === byteLength
    const data = isWhole ? bytes : new Uint8Array(bytes)
    await this.#step('written', () => this.#open().write({ type: 'write', position, data }))
  }

  async sync(): Promise<void> {}

  async commit(): Promise<Durability> {
    await this.#step('closed', () => this.#open().close())
    this.#file = undefined
    return 'none'
  }

  async abort(): Promise<void> {
    const file = this.#file
    this.#file = undefined
    await file?.abort().catch(() => {})
  }

  #open(): WritableFile {
    if (this.#file === undefined) throw new TypeError('this sink is not open')
    return this.#file
  }

  /** Runs a step before the commit. An error of the step becomes CKPT_NOT_COMMITTED. */
  async #step<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      const { name, message } = cause as Partial<Error>
      const remedy =
        name === 'QuotaExceededError'
          ? '; the storage quota of this site is full: remove old checkpoints, or ask for more with ' +
            'navigator.storage.persist()'
          : ''
      const reason = printable(message || name || String(cause))
      throw this.#notCommitted(`the file could not be ${what} (${reason})${remedy}`, cause)
    }
  }

  #notCommitted(reason: string, cause?: unknown): CheckpointError {
    const message = `nothing was saved, and what was there before is untouched: ${reason}`
    return new CheckpointError('CKPT_NOT_COMMITTED', message, { cause }).withPath(this.path)
  }
}
