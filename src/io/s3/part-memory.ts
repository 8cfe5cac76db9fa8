/**
 * The memory of the parts that are being filled or sent. A save copies bytes here, from here they are sent, and from here
 * they are sent again: the trainer's memory may have changed by then.
 */

import { combineCrc32 } from '../../format/checksum-combine.js'
import type { Staging } from '../sink.js'
import type { Range } from '../source.js'
import { Part } from './parts.js'

// Bytes that are lent at once. They are still in the processor's cache when they are summed.
const PIECE = 1024 * 1024

/** Memory of the parts of one file. */
export class PartMemory implements Staging {
  readonly #atOnce: number
  #length = 0
  #partLength = 0
  readonly #free: ArrayBuffer[] = []
  /** Parts that are not full, by their numbers. */
  readonly #open = new Map<number, Part>()
  /** The part that was opened first: of a save, that with the end of the metadata, for which it waits. */
  #first: Part | undefined
  /** Number of parts that are full and not released. */
  #leaving = 0
  #waiting: (() => void)[] = []

  /**
   * For `atOnce` parts at once, or two while the first one waits for the metadata. Allocates no memory yet.
   */
  constructor(atOnce: number) {
    this.#atOnce = atOnce
  }

  /** Prepares for a file of `length` bytes, in parts of so many. */
  begin(length: number, partLength: number): void {
    this.clear()
    this.#length = length
    this.#partLength = partLength
  }

  take(position: number): Uint8Array | undefined {
    let part = this.#open.get(this.#numberAt(position))
    if (part === undefined) {
      if (!this.#hasRoom) return undefined
      part = this.#openAt(position)
    }
    const at = position - part.position
    return part.bytes.subarray(at, at + PIECE)
  }

  /** The memory stays with its part. */
  give(): void {}

  freed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /**
   * Copies bytes to a position of the file, unless they are there, and resolves to the CRC-32 of these ranges of them.
   * Calls `leave` with each part that is full. While there is no room, waits until a part that has left is released.
   */
  async fill(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
    leave: (part: Part) => void,
  ): Promise<number[]> {
    const sums = ranges.map(() => 0)
    for (let start = 0; start < bytes.byteLength; ) {
      const part = await this.#partAt(position + start)
      const at = position + start - part.position
      const end = Math.min(start + part.bytes.byteLength - at, bytes.byteLength)
      const within = (place: number): number => Math.min(Math.max(place, start), end) - start
      const cut = ranges.map((range) => ({ start: within(range.start), end: within(range.end) }))
      const found = part.fill(bytes.subarray(start, end), at, cut)
      for (const [i, { start, end }] of cut.entries()) {
        sums[i] = combineCrc32(sums[i]!, found[i]!, end - start)
      }
      if (part.isFull) {
        this.#open.delete(part.number)
        this.#leaving++
        leave(part)
      }
      start = end
    }
    return sums
  }

  /** Takes back the memory of a part that has left. */
  release(part: Part): void {
    this.#leaving--
    this.#free.push(part.bytes.buffer as ArrayBuffer)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Forgets all memory. No part may be under way. */
  clear(): void {
    this.#free.length = 0
    this.#open.clear()
    this.#first = undefined
    this.#leaving = 0
  }

  /** Whether there may be one part more. A first part that waits leaves room for another, or none would ever be sent. */
  get #hasRoom(): boolean {
    const isWaiting = this.#first !== undefined && !this.#first.isFull
    return this.#open.size + this.#leaving < Math.max(this.#atOnce, isWaiting ? 2 : 1)
  }

  async #partAt(position: number): Promise<Part> {
    for (;;) {
      const part = this.#open.get(this.#numberAt(position))
      if (part !== undefined) return part
      if (this.#hasRoom || this.#leaving === 0) return this.#openAt(position)
      await this.freed()
    }
  }

  #openAt(position: number): Part {
    const number = this.#numberAt(position)
    const start = (number - 1) * this.#partLength
    const length = Math.min(this.#partLength, this.#length - start)
    const memory = this.#free.pop() ?? new ArrayBuffer(this.#partLength)
    const part = new Part(number, start, new Uint8Array(memory, 0, length))
    this.#open.set(number, part)
    this.#first ??= part
    return part
  }

  #numberAt(position: number): number {
    return Math.floor(position / this.#partLength) + 1
  }
}
