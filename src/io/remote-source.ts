/**
 * A file on a server, read by requests for ranges, each of which costs a round trip: the first answer is kept, the bytes
 * before a segment come with it, and a long range is several requests at once.
 */

import { CheckpointError } from '../errors.js'
import { FirstFailure } from './concurrency.js'
import type { Source } from './source.js'

/** Bytes of the first answer: the metadata of some hundred tensors, in one round trip. */
export const FIRST = 64 * 1024

// Bytes before a range that come with it: a reader of a segment looks next at the gap before it, which is no longer.
const BEFORE = 67

// Ranges whose bytes before are kept.
const KEPT = 32

// Longest range of one request, in bytes, and how many are under way at once.
const LONGEST = 16 * 1024 * 1024
const AT_ONCE = 4

/** One version of a file on a server, and what is known of it. */
export interface RemoteFile {
  readonly kind: 'http' | 's3'
  /** Length in bytes. */
  readonly size: number
  /** The first bytes of the file: FIRST, or all. */
  readonly start: Uint8Array
  /** See `Source`. */
  readonly identity?: string | undefined
  /** Fills `before` and then `target`, which begins at `position`. Throws CKPT_FILE_CHANGED for another version. */
  readRange(target: Uint8Array, position: number, before?: Uint8Array): Promise<void>
}

/** Reads ranges of a file of which the first answer is known. */
export class RemoteSource implements Source {
  readonly kind: RemoteFile['kind']
  readonly size: number
  readonly identity?: string
  readonly readsAtOnce = AT_ONCE
  readonly longestRead = LONGEST
  readonly #file: RemoteFile
  readonly #before = new Map<number, Uint8Array>()
  #closed = false

  constructor(file: RemoteFile) {
    this.kind = file.kind
    this.size = file.size
    if (file.identity !== undefined) this.identity = file.identity
    this.#file = file
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.#throwIfClosed()
    if (position + target.byteLength > this.size) {
      throw new CheckpointError(
        'CKPT_FILE_CHANGED',
        `expected ${position + target.byteLength} bytes at least, found ${this.size}`,
        { offset: position, expected: target.byteLength, actual: this.size - position },
      )
    }
    const known = this.#known(target.byteLength, position)
    target.set(known)
    const rest = target.subarray(known.byteLength)
    if (rest.byteLength > 0) await this.#readParts(rest, position + known.byteLength)
  }

  async checkUnchanged(): Promise<void> {
    this.#throwIfClosed()
    await this.#file.readRange(new Uint8Array(Math.min(1, this.size)), 0)
  }

  close(): void {
    this.#closed = true
    this.#before.clear()
  }

  /** What is at hand of a range: its beginning, or none of it. */
  #known(length: number, position: number): Uint8Array {
    for (const [start, bytes] of this.#before) {
      if (start <= position && position + length <= start + bytes.byteLength) {
        return bytes.subarray(position - start, position - start + length)
      }
    }
    return this.#file.start.subarray(position, position + length)
  }

  async #readParts(target: Uint8Array, position: number): Promise<void> {
    const failure = new FirstFailure()
    let next = 0
    const readOn = async (): Promise<void> => {
      while (next < target.byteLength && !failure.occurred) {
        const from = next
        next = Math.min(from + LONGEST, target.byteLength)
        await this.#readPart(target.subarray(from, next), position + from).catch((error) =>
          failure.keep(error),
        )
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, readOn))
    failure.throwIfAny()
  }

  async #readPart(target: Uint8Array, position: number): Promise<void> {
    const before = new Uint8Array(Math.min(BEFORE, position))
    await this.#file.readRange(target, position, before)
    if (this.#closed) return
    this.#before.set(position - before.byteLength, before)
    const [oldest] = this.#before.keys()
    if (this.#before.size > KEPT) this.#before.delete(oldest!)
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the source is closed')
  }
}
