/** The parts of an upload: how long they are, their bytes, and their checksums. */

import { crc32 } from '../../format/checksum.js'
import { combineCrc32 } from '../../format/checksum-combine.js'
import type { Range } from '../source.js'

const MIB = 1024 * 1024

/** Length of a part in bytes, unless the file needs longer ones. */
export const PART = 8 * MIB

// Most parts of an upload, by S3's rule.
const MOST_PARTS = 10_000

/** The length of the parts of a file: all are equal except the last, which some services require. */
export function partLength(byteLength: number, least = PART): number {
  const needed = Math.ceil(byteLength / MOST_PARTS)
  return Math.max(least, Math.ceil(needed / MIB) * MIB)
}

/** A range of a part with its checksum. */
interface Summed extends Range {
  readonly crc32: number
}

/** A part that is being filled, or has been. */
export class Part {
  /** From 1. */
  readonly number: number
  /** Position in the file, in bytes. */
  readonly position: number
  readonly bytes: Uint8Array
  readonly #summed: Summed[] = []
  #missing: number

  /** `bytes` is the part's memory as long as the part is in use. */
  constructor(number: number, position: number, bytes: Uint8Array) {
    this.number = number
    this.position = position
    this.bytes = bytes
    this.#missing = bytes.byteLength
  }

  /** Whether each byte has been filled. */
  get isFull(): boolean {
    return this.#missing === 0
  }

  /**
   * Copies bytes to a position in the part, unless they are there, and returns the CRC-32 of these ranges of them. Each
   * byte is filled once, and summed once. The sums are those of the part's own memory, which is what is sent.
   */
  fill(bytes: Uint8Array, at: number, ranges: readonly Range[]): number[] {
    const own = this.bytes.subarray(at, at + bytes.byteLength)
    if (bytes.buffer !== own.buffer || bytes.byteOffset !== own.byteOffset) own.set(bytes)
    let crc = 0
    let end = 0
    const sum = (next: number): number => {
      const found = crc32(own.subarray(end, next))
      crc = combineCrc32(crc, found, next - end)
      end = next
      return found
    }
    const sums = ranges.map((range) => {
      sum(range.start)
      return sum(range.end)
    })
    sum(own.byteLength)
    this.#summed.push({ start: at, end: at + end, crc32: crc })
    this.#missing -= end
    return sums
  }

  /** The CRC-32 of the whole part, which is full. */
  get crc32(): number {
    this.#summed.sort((a, b) => a.start - b.start)
    return this.#summed.reduce(
      (crc, { crc32, start, end }) => combineCrc32(crc, crc32, end - start),
      0,
    )
  }
}

/** The CRC-32 of a file by those of its parts, in order, each with its length in bytes. */
export function crcOfParts(
  parts: Iterable<{ readonly crc32: number; readonly byteLength: number }>,
): number {
  let crc = 0
  for (const part of parts) crc = combineCrc32(crc, part.crc32, part.byteLength)
  return crc
}

/** A CRC-32 as S3 writes it: four bytes, big-endian, in base64. */
export function crcText(crc: number): string {
  return btoa(String.fromCharCode(crc >>> 24, (crc >>> 16) & 255, (crc >>> 8) & 255, crc & 255))
}
