/**
 * A sink over a FileSystemFileHandle, as browsers have them (the origin private file system, or a
 * file that the user picked). The browser writes to a file of its own and puts it in the place of the
 * old one when it is closed, so the commit is atomic; it promises nothing about power cuts.
 */

import { CheckpointError } from '../errors.js'
import { printable } from '../printable.js'
import { kindOf } from '../realm.js'
import type { Durability, Sink } from './sink.js'

/** The part of FileSystemFileHandle that is used. */
export interface WritableFileHandle {
  readonly name: string
  createWritable(): Promise<WritableFile>
}

interface WritableFile {
  /** Takes `{ type: 'write', position, data }`; its type in the DOM differs between versions. */
  write(chunk: unknown): Promise<void>
  close(): Promise<void>
  abort(): Promise<void>
}

/** Writes to the file of a handle. What the browser refuses is CKPT_NOT_COMMITTED, with its `cause`. */
export class FileHandleSink implements Sink {
  readonly path: string
  readonly #handle: WritableFileHandle
  #file: WritableFile | undefined

  /** Throws a TypeError for what is not the handle of a file. */
  constructor(handle: WritableFileHandle) {
    const { name, kind } = (handle ?? {}) as { name?: unknown; kind?: unknown }
    if (typeof name !== 'string' || (kind !== undefined && kind !== 'file')) {
      throw new TypeError(
        'a FileHandleSink takes the handle of a file: ' +
          'await directory.getFileHandle(name, { create: true }), or one that the user picked',
      )
    }
    this.#handle = handle
    this.path = name
  }

  async begin(): Promise<void> {
    if (typeof this.#handle.createWritable !== 'function') {
      throw this.#notCommitted(
        'file handles have no createWritable() here (Safari has it from version 26 on): save to a ' +
          'MemorySink, and write its bytes by a sync access handle or offer them as a download',
      )
    }
    this.#file = await this.#step('opened', () => this.#handle.createWritable())
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    const { buffer, byteLength } = bytes
    // WebKit ignores where a view begins and ends, and writes its whole buffer; shared memory is refused
    // by all. A view like that is copied.
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

  /** The result of a step before the commit; what fails there is CKPT_NOT_COMMITTED. */
  async #step<T>(what: string, run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      const { name, message } = cause as Partial<Error>
      const remedy =
        name === 'QuotaExceededError'
          ? '; the space that this site may use is full: remove old checkpoints, or ask for more by ' +
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
