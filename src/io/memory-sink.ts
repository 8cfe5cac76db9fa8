/** A sink in memory, for trainers that store a checkpoint themselves. */

import type { Durability, Sink } from './sink.js'

/**
 * Bytes over an ArrayBuffer, as a Blob takes them: `Uint8Array<ArrayBuffer>` since TypeScript 5.7. Earlier versions
 * cannot parse that type, and have one type for all arrays.
 */
type OwnBytes = ReturnType<Uint8ArrayConstructor['of']>

/** Keeps a checkpoint in memory. It takes one save at a time. */
export class MemorySink implements Sink {
  readonly path = undefined
  #draft = new Uint8Array(0)
  #bytes: OwnBytes | undefined

  /** The committed checkpoint, which the caller owns. Throws a TypeError before the first commit. */
  get bytes(): OwnBytes {
    if (this.#bytes === undefined) throw new TypeError('nothing has been committed to this sink')
    return this.#bytes
  }

  async begin(length: number): Promise<void> {
    this.#draft = new Uint8Array(length)
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    this.#draft.set(bytes, position)
  }

  async sync(): Promise<void> {}

  async commit(): Promise<Durability> {
    this.#bytes = this.#draft
    return 'none'
  }

  async abort(): Promise<void> {
    this.#draft = new Uint8Array(0)
  }
}
