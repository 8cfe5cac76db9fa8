/** Bytes in memory that the caller gave and keeps. They are read in place. */

import { CheckpointError } from '../errors.js'
import type { Source } from './source.js'

/** Reads the caller's bytes in place. They must not change until `close`, which releases them. */
export class MemorySource implements Source {
  readonly kind = 'memory'
  readonly size: number
  #bytes: Uint8Array | undefined

  constructor(bytes: Uint8Array) {
    // A plain view: the `slice` of a Buffer, which is a Uint8Array too, makes no copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.size = bytes.byteLength
  }

  view(position: number, length: number): Uint8Array {
    const bytes = this.#bytes
    if (bytes === undefined) throw new CheckpointError('CKPT_CLOSED', 'the source is closed')
    if (bytes.byteLength !== this.size) throw changed(this.size, bytes.byteLength)
    if (position + length > this.size) throw changed(position + length, this.size)
    return bytes.subarray(position, position + length)
  }

  readSync(target: Uint8Array, position: number): void {
    target.set(this.view(position, target.byteLength))
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.readSync(target, position)
  }

  async checkUnchanged(): Promise<void> {
    this.view(0, 0)
  }

  close(): void {
    this.#bytes = undefined
  }
}

function changed(expected: number, actual: number): CheckpointError {
  return new CheckpointError(
    'CKPT_FILE_CHANGED',
    `the checkpoint's memory was transferred or resized: expected ${expected} bytes, found ${actual}`,
    { expected, actual },
  )
}
