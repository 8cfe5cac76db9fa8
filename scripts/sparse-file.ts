/** Long files that take little of the disk, for tests and measurements: what is zero is left out. */

import { type FileHandle, open } from 'node:fs/promises'
import type { Sink } from '../src/index.js'

const PIECE = 2 ** 20
const ZEROS = new Uint8Array(PIECE)

/** A file whose zeros are holes. It replaces nothing, and promises nothing. */
export class SparseFile implements Sink {
  readonly path: string
  #file: FileHandle | undefined

  constructor(path: string) {
    this.path = path
  }

  async begin(length: number): Promise<void> {
    this.#file = await open(this.path, 'wx')
    await this.#file.truncate(length)
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.byteLength; done += PIECE) {
      const piece = bytes.subarray(done, done + PIECE)
      if (Buffer.compare(piece, ZEROS.subarray(0, piece.byteLength)) === 0) continue
      await this.#file?.write(piece, 0, piece.byteLength, position + done)
    }
  }

  async sync(): Promise<void> {}

  async commit(): Promise<'none'> {
    await this.#file?.close()
    return 'none'
  }

  async abort(): Promise<void> {
    await this.#file?.close()
  }
}
