/** The statistics of a tensor's elements, added up a piece at a time: of every dtype, exact but for rounding. */

import { DTYPES } from '../../../generated/dtypes.js'
import type { DType } from '../../../src/format/dtype.js'
import { numbersOf } from '../../../src/format/numbers.js'
import { BINS, binsOf, type Histogram, SHIFT } from './histogram.js'
import { BLOCK, makeStatisticsKernel, type StatisticsKernel } from './statistics-kernel.js'

/** What is known of a tensor's elements. Real and imaginary parts of complex numbers are elements of their own. */
export interface TensorStatistics {
  readonly elements: number
  readonly nan: number
  readonly infinite: number
  readonly zeros: number
  /** Of the finite elements; NaN if there are none. */
  readonly min: number
  readonly max: number
  readonly mean: number
  /** The standard deviation. */
  readonly deviation: number
  /** The Euclidean norm. */
  readonly norm: number
  readonly histogram: Histogram
}

// Bytes after which counts of 32 bits are added to the totals. Two elements share a byte at most.
const FLUSH = 2 ** 31

/** Sums that grow by pieces. */
export class StatisticsSums {
  readonly #dtype: DType
  /** Whether elements have at most 16 bits: how often each code occurs tells everything. */
  readonly #isCoded: boolean
  /**
   * Counts by code, or by the upper bits of a float32, the sign included; since the last flush, and before it. A count
   * is modulo 2^32 while a piece is added: what is no number is taken out before the kernel's counts come in.
   */
  readonly #bins: Uint32Array
  #counts: Float64Array | undefined
  #unflushed = 0
  #scratch = new Float32Array(0)
  #elements = 0
  #nan = 0
  #infinite = 0
  #zeros = 0
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY
  #sum = 0
  #squares = 0

  constructor(dtype: DType) {
    this.#dtype = dtype
    const { bits } = DTYPES[dtype]
    this.#isCoded = bits <= 16
    this.#bins = new Uint32Array(this.#isCoded ? 2 ** Math.max(bits, 8) : 2 * 2 ** (31 - SHIFT))
  }

  /** Adds a piece, which holds whole elements. It is not kept. */
  add(bytes: Uint8Array): void {
    if (this.#isCoded) this.#addCodes(bytes)
    else this.#addNumbers(bytes)
    this.#unflushed += bytes.byteLength
    if (this.#unflushed >= FLUSH) this.#flush()
  }

  /** The statistics of all pieces. */
  get total(): TensorStatistics {
    if (this.#counts !== undefined) this.#flush()
    const counts = this.#counts ?? this.#bins
    if (this.#isCoded) return codeStatistics(this.#dtype, counts)
    const finite = this.#elements - this.#nan - this.#infinite
    const mean = this.#sum / finite
    const half = counts.length / 2
    return {
      elements: this.#elements,
      nan: this.#nan,
      infinite: this.#infinite,
      zeros: this.#zeros,
      min: finite > 0 ? this.#min : Number.NaN,
      max: finite > 0 ? this.#max : Number.NaN,
      mean,
      deviation: Math.sqrt(Math.max(0, this.#squares / finite - mean * mean)),
      norm: Math.sqrt(this.#squares),
      histogram: {
        negative: binsOf(counts.subarray(half, half + BINS)),
        positive: binsOf(counts.subarray(0, BINS)),
      },
    }
  }

  #addCodes(bytes: Uint8Array): void {
    const { bits } = DTYPES[this.#dtype]
    // Packed elements are counted by bytes, or as numbers if they cross them.
    const wide = bits === 16
    const aligned = !wide || bytes.byteOffset % 2 === 0 ? bytes : bytes.slice()
    const codes = wide
      ? new Uint16Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 2)
      : bits === 6
        ? sixBitCodes(bytes)
        : aligned
    countCodes(codes, this.#bins)
  }

  #addNumbers(bytes: Uint8Array): void {
    const numbers = numbersOf(this.#dtype, bytes)
    const { length } = numbers
    let floats: Float32Array
    let values: Float32Array | Float64Array
    if (numbers instanceof Float32Array) {
      floats = values = numbers
    } else {
      values =
        numbers instanceof Float64Array
          ? numbers
          : Float64Array.from(numbers as ArrayLike<number | bigint>, Number)
      if (this.#scratch.length < length) this.#scratch = new Float32Array(length)
      floats = this.#scratch.subarray(0, length)
      floats.set(values)
    }
    const words = new Uint32Array(floats.buffer, floats.byteOffset, length)
    const kernel = values instanceof Float32Array && length >= BLOCK ? sharedKernel() : undefined
    for (let start = 0; start < length; start += BLOCK) {
      const end = Math.min(start + BLOCK, length)
      this.#addBlock(values, words, start, end, end - start === BLOCK ? kernel : undefined)
    }
    kernel?.take(this.#bins)
    this.#elements += length
  }

  /** Sums that are not finite are computed again, one element at a time. */
  #addBlock(
    values: Float32Array | Float64Array,
    words: Uint32Array,
    start: number,
    end: number,
    kernel: StatisticsKernel | undefined,
  ): void {
    const bins = this.#bins
    const half = bins.length / 2
    const countOf = (bin: number): number =>
      bins[bin]! +
      bins[half + bin]! +
      (kernel ? kernel.countOf(bin) + kernel.countOf(half + bin) : 0)
    const small = countOf(0)
    // Numbers that are infinite as float32.
    const beyond = countOf(BINS)
    if (kernel !== undefined) kernel.add((values as Float32Array).subarray(start, end), block)
    else {
      countBins(words, bins, start, end)
      if (values instanceof Float32Array) sumFloats(values, start, end)
      else sumDoubles(values, start, end)
    }
    const [sum, squares, min, max] = block as unknown as [number, number, number, number]
    const summed = Number.isFinite(sum) && Number.isFinite(squares)
    if (summed && countOf(BINS) === beyond) {
      this.#sum += sum
      this.#squares += squares
      if (min < this.#min) this.#min = min
      if (max > this.#max) this.#max = max
    } else this.#addOneByOne(values, words, start, end)
    if (countOf(0) !== small) {
      for (let i = start; i < end; i++) {
        if (values[i] !== 0) continue
        this.#zeros++
        bins[words[i]! >>> SHIFT]!--
      }
    }
  }

  #addOneByOne(
    values: Float32Array | Float64Array,
    words: Uint32Array,
    start: number,
    end: number,
  ): void {
    const last = BINS - 1
    for (let i = start; i < end; i++) {
      const value = values[i]!
      const bin = words[i]! >>> SHIFT
      const isBeyond = (words[i]! & 0x7f800000) === 0x7f800000
      if (Number.isFinite(value)) {
        this.#sum += value
        this.#squares += value * value
        if (value < this.#min) this.#min = value
        if (value > this.#max) this.#max = value
        // A float64 that is infinite as a float32.
        if (isBeyond) {
          this.#bins[bin]!--
          this.#bins[(value < 0 ? this.#bins.length / 2 : 0) + last]!++
        }
        continue
      }
      this.#bins[bin]!--
      if (Number.isNaN(value)) this.#nan++
      else this.#infinite++
    }
  }

  #flush(): void {
    this.#counts ??= new Float64Array(this.#bins.length)
    for (let i = 0; i < this.#bins.length; i++) this.#counts[i]! += this.#bins[i]!
    this.#bins.fill(0)
    this.#unflushed = 0
  }
}

// For all tensors. Null: it cannot be made.
let shared: StatisticsKernel | null | undefined

function sharedKernel(): StatisticsKernel | undefined {
  if (shared === undefined) shared = makeStatisticsKernel() ?? null
  return shared ?? undefined
}

// The results of a block: sum, sum of squares, least, most.
const block = new Float64Array(4)

function countCodes(codes: Uint8Array | Uint16Array, counts: Uint32Array): void {
  for (let i = 0; i < codes.length; i++) counts[codes[i]!]!++
}

function countBins(words: Uint32Array, bins: Uint32Array, start: number, end: number): void {
  for (let i = start; i < end; i++) bins[words[i]! >>> SHIFT]!++
}

/** Engines compile a loop over one kind of array best, so there is one for each. */
function sumFloats(values: Float32Array, start: number, end: number): void {
  let [sum, sum2, squares, squares2] = [0, 0, 0, 0]
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  let i = start
  for (; i + 1 < end; i += 2) {
    const x = values[i]!
    const y = values[i + 1]!
    sum += x
    sum2 += y
    squares += x * x
    squares2 += y * y
    if (x < min) min = x
    if (y < min) min = y
    if (x > max) max = x
    if (y > max) max = y
  }
  if (i < end) {
    const x = values[i]!
    sum += x
    squares += x * x
    if (x < min) min = x
    if (x > max) max = x
  }
  block[0] = sum + sum2
  block[1] = squares + squares2
  block[2] = min
  block[3] = max
}

function sumDoubles(values: Float64Array, start: number, end: number): void {
  let [sum, squares] = [0, 0]
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let i = start; i < end; i++) {
    const x = values[i]!
    sum += x
    squares += x * x
    if (x < min) min = x
    if (x > max) max = x
  }
  block[0] = sum
  block[1] = squares
  block[2] = min
  block[3] = max
}

/** The codes of packed elements of six bits, the lowest bits of a byte first. */
function sixBitCodes(bytes: Uint8Array): Uint8Array {
  const codes = new Uint8Array((bytes.length * 8) / 6)
  for (let i = 0, at = 0; i < codes.length; i++, at += 6) {
    const pair = bytes[at >>> 3]! | ((bytes[(at >>> 3) + 1] ?? 0) << 8)
    codes[i] = (pair >>> (at & 7)) & 63
  }
  return codes
}

/** The statistics that follow from how often each code occurs. A code of four bits occurs in pairs, as a byte. */
function codeStatistics(dtype: DType, counts: Float64Array | Uint32Array): TensorStatistics {
  const { bits } = DTYPES[dtype]
  const perCode = bits === 4 ? 2 : 1
  const values = valuesOfCodes(dtype)
  const negative = new Float64Array(BINS)
  const positive = new Float64Array(BINS)
  let [elements, nan, infinite, zeros, sum, squares] = [0, 0, 0, 0, 0, 0]
  let [min, max] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (let code = 0; code < counts.length; code++) {
    const count = counts[code]!
    if (count === 0) continue
    for (let k = 0; k < perCode; k++) {
      const value = values[code * perCode + k]!
      elements += count
      if (Number.isNaN(value)) nan += count
      else if (!Number.isFinite(value)) infinite += count
      else {
        sum += value * count
        squares += value * value * count
        if (value < min) min = value
        if (value > max) max = value
        float32[0] = Math.abs(value)
        if (value === 0) zeros += count
        else (value < 0 ? negative : positive)[word[0]! >>> SHIFT]! += count
      }
    }
  }
  const finite = elements - nan - infinite
  const mean = sum / finite
  return {
    elements,
    nan,
    infinite,
    zeros,
    min: finite > 0 ? min : Number.NaN,
    max: finite > 0 ? max : Number.NaN,
    mean,
    deviation: Math.sqrt(Math.max(0, squares / finite - mean * mean)),
    norm: Math.sqrt(squares),
    histogram: { negative: binsOf(negative), positive: binsOf(positive) },
  }
}

const float32 = new Float32Array(1)
const word = new Uint32Array(float32.buffer)

/** The value of each code; of each byte, two values if codes have four bits. */
function valuesOfCodes(dtype: DType): ArrayLike<number> {
  const { bits } = DTYPES[dtype]
  if (bits === 16) {
    const codes = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i)
    return numbersOf(dtype, new Uint8Array(codes.buffer)) as ArrayLike<number>
  }
  if (bits !== 6) {
    return numbersOf(
      dtype,
      Uint8Array.from({ length: 256 }, (_, i) => i),
    ) as ArrayLike<number>
  }
  // Four codes in three bytes.
  const packed = new Uint8Array(48)
  for (let code = 0; code < 64; code++) {
    const at = code * 6
    packed[at >>> 3]! |= (code << (at & 7)) & 255
    if ((at & 7) > 2) packed[(at >>> 3) + 1]! |= code >>> (8 - (at & 7))
  }
  return numbersOf(dtype, packed) as ArrayLike<number>
}
