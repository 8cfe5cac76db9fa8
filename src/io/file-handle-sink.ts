/**
 * A sink over a FileSystemFileHandle, as browsers have them (the origin private file system, or a
 * file that the user picked). The browser writes to a file of its own and puts it in the place of the
 * old one when it is closed, so the commit is atomic; it promises nothing about power cuts.
 */

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

export class FileHandleSink implements Sink {
  readonly path: string
  readonly #handle: WritableFileHandle
  #file: WritableFile | undefined

  constructor(handle: WritableFileHandle) {
    this.#handle = handle
    this.path = handle.name
  }

  async begin(): Promise<void> {
    this.#file = await this.#handle.createWritable()
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    // Shared memory is refused by the browser, and so is copied.
    const data = bytes.buffer instanceof ArrayBuffer ? bytes : new Uint8Array(bytes)
    await this.#open().write({ type: 'write', position, data })
  }

  async sync(): Promise<void> {}

  async commit(): Promise<Durability> {
    await this.#open().close()
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
}
