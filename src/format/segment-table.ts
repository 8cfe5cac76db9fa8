/** The segments of a file in columns of numbers: there is one segment for almost every tensor. */

/** The bytes of one tensor, or of several tensors over the same memory. Lengths and positions are in bytes. */
export interface Segment {
  /** The end of what precedes the segment; the gap lies between it and `offset`. */
  readonly gapStart: number
  readonly offset: number
  readonly byteLength: number
  readonly crc32: number
}

/** The segments of a file, in the order of the file. */
export class SegmentTable {
  readonly #gapStarts: Float64Array
  readonly #offsets: Float64Array
  readonly #byteLengths: Float64Array
  readonly #crc32s: Uint32Array
  #size = 0

  /** For at most `capacity` segments. */
  constructor(capacity: number) {
    this.#gapStarts = new Float64Array(capacity)
    this.#offsets = new Float64Array(capacity)
    this.#byteLengths = new Float64Array(capacity)
    this.#crc32s = new Uint32Array(capacity)
  }

  /** Number of segments. */
  get size(): number {
    return this.#size
  }

  /** Adds a segment, which starts after those before it. */
  add({ gapStart, offset, byteLength, crc32 }: Segment): void {
    const i = this.#size++
    this.#gapStarts[i] = gapStart
    this.#offsets[i] = offset
    this.#byteLengths[i] = byteLength
    this.#crc32s[i] = crc32
  }

  /** The segment that starts at `offset`, or undefined. */
  get(offset: number): Segment | undefined {
    let low = 0
    let high = this.#size
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#offsets[middle]! < offset) low = middle + 1
      else high = middle
    }
    return low < this.#size && this.#offsets[low] === offset ? this.#at(low) : undefined
  }

  *values(): IterableIterator<Segment> {
    for (let i = 0; i < this.#size; i++) yield this.#at(i)
  }

  #at(i: number): Segment {
    return {
      gapStart: this.#gapStarts[i]!,
      offset: this.#offsets[i]!,
      byteLength: this.#byteLengths[i]!,
      crc32: this.#crc32s[i]!,
    }
  }
}
