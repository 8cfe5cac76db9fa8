/** A source for files that are too long to be there. */

import type { Source } from '../../../src/io/source.js'

/** A file of any length, of which only the first bytes are something; the others are zeros. */
export class SparseSource implements Source {
  readonly kind = 'file'
  readonly size: number
  readonly #start: Uint8Array
  /** How far into the file it has been read, in bytes. */
  furthest = 0
  closed = false

  constructor(start: Uint8Array, size: number) {
    this.#start = start
    this.size = size
  }

  readSync(target: Uint8Array, position: number): void {
    const end = position + target.byteLength
    if (position < 0 || end > this.size) throw new Error(`a read of ${position} to ${end}`)
    this.furthest = Math.max(this.furthest, end)
    target.fill(0)
    const here = this.#start.subarray(position, Math.min(end, this.size))
    target.set(here.subarray(0, target.byteLength))
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.readSync(target, position)
  }

  async checkUnchanged(): Promise<void> {}

  close(): void {
    this.closed = true
  }
}
