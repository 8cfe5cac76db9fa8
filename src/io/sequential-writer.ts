/**
 * Writes bytes to a sink one after the other. Small pieces are gathered, so that a state of a hundred
 * thousand scalars does not take as many system calls; large ones go as they are, without a copy.
 */

import type { Sink } from './sink.js'

// One write of this size costs the system about as much per byte as any larger one.
const GATHER = 1024 * 1024

// From here on a piece is written from where it is.
const LARGE = 64 * 1024

export class SequentialWriter {
  readonly #sink: Sink
  readonly #gathered = new Uint8Array(GATHER)
  #count = 0
  #position: number

  /** Starts at `position`, in bytes. */
  constructor(sink: Sink, position: number) {
    this.#sink = sink
    this.#position = position
  }

  /**
   * Writes `bytes`. What is gathered has been copied when this returns; what is not may be changed
   * by its owner only when the promise has resolved.
   */
  append(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.byteLength >= LARGE) return this.#writeLarge(bytes)
    if (this.#count + bytes.byteLength > GATHER) {
      // Copied first: its owner may change it as soon as this returns.
      const copy = bytes.slice()
      return this.flush().then(() => this.append(copy))
    }
    this.#gathered.set(bytes, this.#count)
    this.#count += bytes.byteLength
    return undefined
  }

  /** Writes what has been gathered. */
  async flush(): Promise<void> {
    if (this.#count === 0) return
    await this.#sink.write(this.#gathered.subarray(0, this.#count), this.#position)
    this.#position += this.#count
    this.#count = 0
  }

  async #writeLarge(bytes: Uint8Array): Promise<void> {
    if (this.#count > 0) await this.flush()
    await this.#sink.write(bytes, this.#position)
    this.#position += bytes.byteLength
  }
}
