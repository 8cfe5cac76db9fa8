/** Bytes in memory that the caller gave, and keeps: they are read in place. */

import type { Source } from './source.js'

export class MemorySource implements Source {
  readonly kind = 'memory'
  readonly size: number
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.size = bytes.byteLength
  }

  view(position: number, length: number): Uint8Array {
    return this.#bytes.subarray(position, position + length)
  }

  peek(position: number, length: number): Uint8Array {
    return this.view(position, length)
  }

  readSync(target: Uint8Array, position: number): void {
    target.set(this.view(position, target.byteLength))
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.readSync(target, position)
  }

  async checkUnchanged(): Promise<void> {}

  close(): void {}
}
