/** Bytes in memory that the caller gave, and keeps: they are read in place. */

import { CheckpointError } from '../errors.js'
import type { Source } from './source.js'

export class MemorySource implements Source {
  readonly kind = 'memory'
  readonly size: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    // A view of our own: a Buffer is a Uint8Array whose `slice` makes no copy.
    this.#bytes = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.size = bytes.byteLength
  }

  view(position: number, length: number): Uint8Array {
    if (this.#bytes.byteLength !== this.size) throw changed(this.size, this.#bytes.byteLength)
    return this.#bytes.subarray(position, position + length)
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

  close(): void {}
}

function changed(expected: number, actual: number): CheckpointError {
  return new CheckpointError(
    'CKPT_FILE_CHANGED',
    `the checkpoint's memory was taken away or resized: it had ${expected} bytes, and has ${actual}`,
    { expected, actual },
  )
}
