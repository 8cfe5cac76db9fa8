/**
 * An index of names over the bytes where they stand. It finds a name's number, and duplicates, without making a string
 * of any name. A program may open a file of a hundred thousand tensors for a handful of them; making all strings would
 * take longer than all validation.
 */

import type { ByteBuffer } from 'flatbuffers'
import { decodeText } from './text.js'

// Average number of comparisons per name that a valid file stays far below, as the table is at most half full. A file
// exceeds it only if its names were made to collide. The index then uses strings, which the engine hashes with a secret
// of its own.
const MEAN_PROBES = 8
const FREE_PROBES = 1024

// A random seed, so that names that collide in one process do not collide in the next.
const SEED = (Math.random() * 2 ** 32) >>> 0

const encoder = new TextEncoder()

/** The index of one list of names. It keeps hashes and positions, and no strings. */
export class NameIndex {
  readonly #view: DataView
  readonly #bytes: Uint8Array
  readonly #position: (index: number) => number
  readonly #hashes: Uint32Array
  /** The number of a name plus one, at the position that its hash leads to; 0 is free. */
  readonly #table: Uint32Array
  readonly #mask: number
  #count = 0
  #probes = 0
  /** Replaces the table if names were made to collide. */
  #strings: Map<string, number> | undefined

  /**
   * An empty index for up to `capacity` names. Each stands in `buffer` at `position(index)` as a FlatBuffers string:
   * its length, then UTF-8.
   */
  constructor(buffer: ByteBuffer, capacity: number, position: (index: number) => number) {
    const bytes = buffer.bytes()
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#position = position
    this.#hashes = new Uint32Array(capacity)
    const size = 2 ** Math.ceil(Math.log2(2 * capacity + 2))
    this.#table = new Uint32Array(size)
    this.#mask = size - 1
  }

  /** Adds the next name. Returns false if an equal name is in the index already. */
  addNext(): boolean {
    const index = this.#count++
    const position = this.#position(index)
    const start = position + 4
    const length = this.#view.getUint32(position, true)
    const hash = hashOf(this.#bytes, start, length, SEED)
    this.#hashes[index] = hash
    if (this.#strings !== undefined) return this.#addString(index)
    let at = hash & this.#mask
    for (let entry = this.#table[at]!; entry !== 0; entry = this.#table[at]!) {
      if (this.#isName(entry - 1, hash, this.#bytes, start, length)) return false
      if (++this.#probes > MEAN_PROBES * index + FREE_PROBES) return this.#addAllAsStrings()
      at = (at + 1) & this.#mask
    }
    this.#table[at] = index + 1
    return true
  }

  /** The number of a name, in the order of addition; -1 if the index does not have it. */
  indexOf(name: string): number {
    if (this.#strings !== undefined) return this.#strings.get(name) ?? -1
    // Half of a surrogate pair is not text, though an encoder turns it into some.
    if (!name.isWellFormed()) return -1
    const bytes = encoder.encode(name)
    const hash = hashOf(bytes, 0, bytes.byteLength, SEED)
    let at = hash & this.#mask
    for (let entry = this.#table[at]!; entry !== 0; entry = this.#table[at]!) {
      if (this.#isName(entry - 1, hash, bytes, 0, bytes.byteLength)) return entry - 1
      at = (at + 1) & this.#mask
    }
    return -1
  }

  /** Whether the name of number `index` equals the `length` bytes at `start`, which have this hash. */
  #isName(index: number, hash: number, bytes: Uint8Array, start: number, length: number): boolean {
    const position = this.#position(index)
    if (this.#hashes[index] !== hash || this.#view.getUint32(position, true) !== length) {
      return false
    }
    const own = this.#bytes
    for (let i = 0; i < length; i++) if (own[position + 4 + i] !== bytes[start + i]) return false
    return true
  }

  #addAllAsStrings(): boolean {
    this.#strings = new Map()
    let added = true
    for (let index = 0; index < this.#count; index++) added = this.#addString(index)
    return added
  }

  #addString(index: number): boolean {
    const strings = this.#strings!
    const position = this.#position(index)
    const end = position + 4 + this.#view.getUint32(position, true)
    const name = decodeText(this.#bytes.subarray(position + 4, end), 'a name')
    if (strings.has(name)) return false
    strings.set(name, index)
    return true
  }
}

/** MurmurHash3 (Appleby), 32 bits. It takes four bytes a step, because names of one module differ late. */
export function hashOf(bytes: Uint8Array, start: number, length: number, seed: number): number {
  let hash = seed
  let at = start
  for (const end = start + length - 3; at < end; at += 4) {
    const word =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    hash ^= scramble(word)
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0
  }
  let tail = 0
  for (let i = start + length - 1; i >= at; i--) tail = (tail << 8) | bytes[i]!
  hash ^= scramble(tail) ^ length
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

function scramble(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51)
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593)
}
