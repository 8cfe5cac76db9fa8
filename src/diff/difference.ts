/** Measures the difference between the numbers of two tensors. */

import type { Numbers } from '../format/numbers.js'
import { kindOf } from '../realm.js'
import { type Kernel, UNROLLED } from './kernel.js'

/**
 * The difference between the elements of two tensors, as numbers: NaN equals NaN, and 0 equals -0. For complex numbers,
 * the modulus of the difference.
 */
export interface Difference {
  /** Number of elements. */
  readonly elements: number
  /** Number of elements that differ. */
  readonly differing: number
  /** The share of elements that differ, from 0 to 1. */
  readonly share: number
  /**
   * Elements without a finite difference, because one side is NaN or infinite. They differ, and add nothing to the sums
   * below.
   */
  readonly nonFinite: number
  /** The largest absolute difference. */
  readonly largest: number
  /** The mean absolute difference, over all elements with a finite one. */
  readonly mean: number
  /** The Euclidean norm of the difference, and of the first tensor. */
  readonly norm: number
  readonly baseNorm: number
  /** The norm of the difference divided by the norm of the first tensor; Infinity if the first tensor is zero. */
  readonly relativeNorm: number
}

/** The sums that a Difference is made of: plain data, so that parts can be added up. */
export interface Sums {
  readonly elements: number
  readonly differing: number
  readonly nonFinite: number
  readonly largest: number
  readonly sum: number
  readonly squares: number
  readonly baseSquares: number
}

// Elements per partial sum. A sum that is not finite is computed again, one element at a time.
const BLOCK = 4096

/** Adds up the differences of any number of pieces. */
export class DifferenceSums {
  #elements = 0
  #differing = 0
  #nonFinite = 0
  #largest = 0
  #sum = 0
  #squares = 0
  #baseSquares = 0
  readonly #block = new Float64Array(5)
  readonly #kernel: Kernel | undefined

  /** `kernel` compares the pieces that lie in its memory. */
  constructor(kernel?: Kernel) {
    this.#kernel = kernel
  }

  /** Adds two pieces of the same number of values. `complex`: each element has two values. */
  add(a: Numbers, b: Numbers, complex: boolean): void {
    this.#elements += complex ? a.length / 2 : a.length
    if (isBig(a) || isBig(b)) this.#addIntegers(a, b)
    else if (complex) this.#addComplex(asFloats(a), asFloats(b))
    else this.#addFloats(asFloats(a), asFloats(b))
  }

  #addFloats(left: Float32Array | Float64Array, right: Float32Array | Float64Array): void {
    for (let start = 0; start < left.length; start += BLOCK) {
      const end = Math.min(start + BLOCK, left.length)
      this.#sumBlock(left, right, start, end)
      const [equal, largest, sum, squares, baseSquares] = this.#block as unknown as number[]
      if (!Number.isFinite(sum! + squares! + baseSquares!)) {
        for (let i = start; i < end; i++) this.#addOne(left[i]!, right[i]!)
        continue
      }
      this.#differing += end - start - equal!
      this.#largest = Math.max(this.#largest, largest!)
      this.#sum += sum!
      this.#squares += squares!
      this.#baseSquares += baseSquares!
    }
  }

  /** Adds the sums of another tensor. */
  addAll(other: Difference): void {
    const finite = other.elements - other.nonFinite
    const { elements, differing, nonFinite, largest, mean, norm, baseNorm } = other
    const squares = { squares: norm ** 2, baseSquares: baseNorm ** 2 }
    this.addSums({ elements, differing, nonFinite, largest, sum: mean * finite, ...squares })
  }

  /** Adds the sums of the next range. */
  addSums(other: Sums): void {
    this.#elements += other.elements
    this.#differing += other.differing
    this.#nonFinite += other.nonFinite
    this.#largest = Math.max(this.#largest, other.largest)
    this.#sum += other.sum
    this.#squares += other.squares
    this.#baseSquares += other.baseSquares
  }

  get sums(): Sums {
    return {
      elements: this.#elements,
      differing: this.#differing,
      nonFinite: this.#nonFinite,
      largest: this.#largest,
      sum: this.#sum,
      squares: this.#squares,
      baseSquares: this.#baseSquares,
    }
  }

  /** The result. */
  get total(): Difference {
    const finite = this.#elements - this.#nonFinite
    const norm = Math.sqrt(this.#squares)
    const baseNorm = Math.sqrt(this.#baseSquares)
    return {
      elements: this.#elements,
      differing: this.#differing,
      share: this.#elements === 0 ? 0 : this.#differing / this.#elements,
      nonFinite: this.#nonFinite,
      largest: this.#largest,
      mean: finite === 0 ? 0 : this.#sum / finite,
      norm,
      baseNorm,
      relativeNorm: norm === 0 ? 0 : norm / baseNorm,
    }
  }

  #sumBlock(
    left: Float32Array | Float64Array,
    right: Float32Array | Float64Array,
    start: number,
    end: number,
  ): void {
    const { memory } = this.#kernel ?? {}
    const isThere = left.buffer === memory && right.buffer === memory
    const isFloats = left.BYTES_PER_ELEMENT === 4 && right.BYTES_PER_ELEMENT === 4
    if (isThere && isFloats && (end - start) % UNROLLED === 0) {
      const [a, b] = [left.byteOffset + 4 * start, right.byteOffset + 4 * start]
      this.#kernel!.compare(a, b, end - start, this.#block)
    } else sumBlock(left, right, start, end, this.#block)
  }

  #addOne(x: number, y: number): void {
    const same = sameNumber(x, y)
    const distance = same ? 0 : Math.abs(x - y)
    this.#addElement(same, distance, Math.abs(x))
  }

  #addElement(same: boolean, distance: number, size: number): void {
    if (!same) this.#differing++
    if (Number.isFinite(size)) this.#baseSquares += size * size
    if (!Number.isFinite(distance)) {
      this.#nonFinite++
      return
    }
    if (distance > this.#largest) this.#largest = distance
    this.#sum += distance
    this.#squares += distance * distance
  }

  #addComplex(a: Float32Array | Float64Array, b: Float32Array | Float64Array): void {
    for (let i = 0; i < a.length; i += 2) {
      const same = sameNumber(a[i]!, b[i]!) && sameNumber(a[i + 1]!, b[i + 1]!)
      const distance = same ? 0 : Math.hypot(a[i]! - b[i]!, a[i + 1]! - b[i + 1]!)
      this.#addElement(same, distance, Math.hypot(a[i]!, a[i + 1]!))
    }
  }

  /** The difference is exact before it becomes a number, because a number cannot hold all 64-bit integers. */
  #addIntegers(a: Numbers, b: Numbers): void {
    for (let i = 0; i < a.length; i++) {
      const x = a[i]!
      const y = b[i]!
      if (typeof x === 'bigint' && typeof y === 'bigint') {
        this.#addElement(x === y, Math.abs(Number(x - y)), Math.abs(Number(x)))
      } else this.#addOne(Number(x), Number(y))
    }
  }
}

function isBig(numbers: Numbers): numbers is BigInt64Array | BigUint64Array {
  return typeof numbers[0] === 'bigint'
}

/** The two kinds of arrays in the loops below; engines compile loops over few kinds well. */
function asFloats(numbers: Exclude<Numbers, BigInt64Array | BigUint64Array>) {
  const kind = kindOf(numbers)
  return kind === 'Float32Array' || kind === 'Float64Array'
    ? (numbers as Float32Array | Float64Array)
    : new Float64Array(numbers)
}

function sameNumber(x: number, y: number): boolean {
  return x === y || (Number.isNaN(x) && Number.isNaN(y))
}

/**
 * Compares elements from `start` to `end`, with the result of Kernel.compare: the number of equal elements, the largest
 * difference, and the sums of the differences, of their squares, and of the squares of `a`. If a number is not finite,
 * at least one sum is not finite.
 */
function sumBlock(
  a: Float32Array | Float64Array,
  b: Float32Array | Float64Array,
  start: number,
  end: number,
  result: Float64Array,
): void {
  let equal = 0
  let largest = 0
  let sum = 0
  let squares = 0
  let base = 0
  for (let i = start; i < end; i++) {
    const x = a[i]!
    const d = Math.abs(x - b[i]!)
    if (d === 0) equal++
    if (d > largest) largest = d
    sum += d
    squares += d * d
    base += x * x
  }
  result[0] = equal
  result[1] = largest
  result[2] = sum
  result[3] = squares
  result[4] = base
}
