/** A Blob or File of a browser. It is read a slice at a time, and only asynchronously. */

import { CheckpointError } from '../errors.js'
import { MAX_READ, type Source } from './source.js'

/** Reads a Blob, which stays the caller's. */
export class BlobSource implements Source {
  readonly kind = 'blob'
  readonly size: number
  #blob: Blob | undefined

  constructor(blob: Blob) {
    this.#blob = blob
    this.size = blob.size
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    const blob = this.#open()
    for (let done = 0; done < target.byteLength; ) {
      const length = Math.min(MAX_READ, target.byteLength - done)
      const start = position + done
      let piece: ArrayBuffer
      try {
        piece = await blob.slice(start, start + length).arrayBuffer()
      } catch (cause) {
        // A File whose file was changed since it was chosen rejects with NotReadableError.
        throw new CheckpointError('CKPT_READ', 'the Blob could not be read', { cause })
      }
      if (piece.byteLength !== length) {
        throw new CheckpointError('CKPT_FILE_CHANGED', 'the Blob ended before its size', {
          offset: start,
          expected: length,
          actual: piece.byteLength,
        })
      }
      target.set(new Uint8Array(piece), done)
      done += length
    }
  }

  /** A Blob does not change. If it is of a file that does, reading it fails. */
  async checkUnchanged(): Promise<void> {
    this.#open()
  }

  close(): void {
    this.#blob = undefined
  }

  #open(): Blob {
    if (this.#blob === undefined) throw new CheckpointError('CKPT_CLOSED', 'the source is closed')
    return this.#blob
  }
}
