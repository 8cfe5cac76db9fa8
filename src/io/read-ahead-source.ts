/**
 * A source that reads a little more than asked, and answers the next short reads from that. A checkpoint of a hundred
 * thousand small tensors is read in order, and need not cost as many calls to the system.
 */

import { type CachedRead, LONG_READ, type Source, type SourceHelpers } from './source.js'

// Bytes that a short read loads at once where it follows the reads before it; a long read goes straight to the source.
const WINDOW = 1024 * 1024

// Bytes that it loads elsewhere: what lies between two long segments is short, and nothing near it will be read.
const FIRST_WINDOW = 16 * 1024

/** Answers short reads from a window of its own. Long reads and views go to the source. */
export class ReadAheadSource implements Source {
  readonly kind: Source['kind']
  readonly size: number
  readonly readsAtOnce?: number
  readonly helpers?: (byteLength: number) => SourceHelpers
  readonly view?: (position: number, length: number) => Uint8Array | undefined
  readonly readSync?: (target: Uint8Array, position: number) => void
  readonly withDescriptor?: Required<Source>['withDescriptor']
  readonly readCached?: (reads: readonly CachedRead[]) => readonly boolean[]
  readonly #source: Source
  #window = new Uint8Array(0)
  #position = 0
  #closed = false

  /** Takes ownership of `source`, and closes it. */
  constructor(source: Source) {
    this.#source = source
    this.kind = source.kind
    this.size = source.size
    if (source.readsAtOnce !== undefined) this.readsAtOnce = source.readsAtOnce
    if (source.helpers !== undefined) this.helpers = source.helpers.bind(source)
    if (source.view !== undefined) this.view = source.view.bind(source)
    if (source.withDescriptor !== undefined) {
      this.withDescriptor = source.withDescriptor.bind(source)
    }
    if (source.readSync !== undefined) this.readSync = source.readSync.bind(source)
    if (source.readCached !== undefined) this.readCached = source.readCached.bind(source)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    const { byteLength } = target
    // The source refuses reads beyond its end.
    const beyond = position + byteLength > this.size
    if (byteLength >= LONG_READ || beyond) return this.#source.read(target, position)
    let start = position - this.#position
    const room = this.#window.byteLength - start
    if (start < 0 || byteLength > room) {
      const isNext = start >= 0 && room > -FIRST_WINDOW
      const length = Math.max(byteLength, isNext ? WINDOW : FIRST_WINDOW)
      const window = new Uint8Array(Math.min(length, this.size - position))
      await this.#source.read(window, position)
      if (this.#closed) return target.set(window.subarray(0, byteLength))
      this.#window = window
      this.#position = position
      start = 0
    }
    target.set(this.#window.subarray(start, start + byteLength))
  }

  checkUnchanged(): Promise<void> {
    return this.#source.checkUnchanged()
  }

  close(): void {
    this.#closed = true
    this.#window = new Uint8Array(0)
    this.#source.close()
  }
}
