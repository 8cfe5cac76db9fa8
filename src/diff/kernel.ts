/**
 * Compares float32 in WebAssembly, four elements at once. Without WebAssembly, or where a page's policy forbids it, the
 * same loop runs in JavaScript, which is slower.
 */

import {
  ADD_I32,
  compile,
  constant,
  get,
  load,
  repeat,
  set,
  simd,
  store,
  tee,
  V128,
} from '../format/webassembly.js'

/** Comparisons over the kernel's own memory. */
export interface Kernel {
  /** The numbers to compare must lie here. It is never resized. */
  readonly memory: ArrayBuffer
  /**
   * Compares `count` float32, a multiple of UNROLLED, at two places in the memory (in bytes, multiples of 4). Returns the
   * number of equal elements, the largest absolute difference, and the sums of the differences, of their squares, and
   * of the squares of the first numbers. If a number is NaN or infinite, at least one sum is not finite.
   */
  compare(a: number, b: number, count: number, result: Float64Array): void
}

/** Elements of one turn of the loop: four vectors, so that the loop itself costs little. */
export const UNROLLED = 16

// Position of the results: five vectors of two lanes at the start of the memory.
const RESULTS = 128

/** Start of the caller's part of the memory, in bytes. */
export const KERNEL_START = RESULTS

/** A kernel with memory for `length` bytes from KERNEL_START on; undefined if WebAssembly is not available. */
export function makeKernel(length: number): Kernel | undefined {
  const compiled = compile({
    memory: KERNEL_START + length,
    parameters: 3,
    locals: [[VECTORS, V128]],
    body: BODY,
  })
  if (compiled === undefined) return undefined
  const { run, memory } = compiled
  const lanes = new Float64Array(memory, 0, 8)
  const counts = new Int32Array(memory, 64, 4)
  return {
    memory,
    compare(a, b, count, result) {
      run(a, b, a + count * 4)
      const [sum, sum2, squares, squares2, base, base2, most, most2] = lanes as unknown as number[]
      result[0] = counts[0]! + counts[1]! + counts[2]! + counts[3]!
      result[1] = Math.max(most!, most2!)
      result[2] = sum! + sum2!
      result[3] = squares! + squares2!
      result[4] = base! + base2!
    },
  }
}

const PROMOTE_LOW = simd(0x5f)
const EQUAL = simd(0x41)
const ABS = simd(0xec)
const ADD = simd(0xf0)
const SUBTRACT = simd(0xf1)
const MULTIPLY = simd(0xf2)
const LARGER = simd(0xf7)
const SUBTRACT_I32 = simd(0xb1)
/** The upper two of four float32, in both halves. */
const UPPER_HALF = [
  ...simd(0x0d),
  ...[8, 9, 10, 11, 12, 13, 14, 15],
  ...[8, 9, 10, 11, 12, 13, 14, 15],
]

// Parameters: two addresses and the end of the first. Then the vectors.
const [A, B, END] = [0, 1, 2] as const
const [LEFT, RIGHT, X, D] = [3, 4, 5, 6] as const
// Each half of a vector has its own sums, so that an addition does not wait for the one before it.
const SUM = [7, 8] as const
const SQUARES = [9, 10] as const
const BASE = [11, 12] as const
const MOST = [13, 14] as const
const SAME = 15
const VECTORS = 13

/** What to do with the lower two elements of LEFT and RIGHT. */
function half(i: 0 | 1): number[] {
  return [
    ...[...get(LEFT), ...PROMOTE_LOW, ...tee(X)],
    ...[...get(RIGHT), ...PROMOTE_LOW, ...SUBTRACT, ...ABS, ...set(D)],
    ...[...get(SUM[i]), ...get(D), ...ADD, ...set(SUM[i])],
    ...[...get(SQUARES[i]), ...get(D), ...get(D), ...MULTIPLY, ...ADD, ...set(SQUARES[i])],
    ...[...get(BASE[i]), ...get(X), ...get(X), ...MULTIPLY, ...ADD, ...set(BASE[i])],
    ...[...get(MOST[i]), ...get(D), ...LARGER, ...set(MOST[i])],
  ]
}

/** What to do with the four elements of both sides at an offset, in bytes. */
function vector(offset: number): number[] {
  return [
    ...[...get(A), ...load(offset), ...set(LEFT), ...get(B), ...load(offset), ...set(RIGHT)],
    // Equal lanes have all bits set: -1.
    ...[...get(SAME), ...get(LEFT), ...get(RIGHT), ...EQUAL, ...SUBTRACT_I32, ...set(SAME)],
    ...half(0),
    ...[...get(LEFT), ...get(LEFT), ...UPPER_HALF, ...set(LEFT)],
    ...[...get(RIGHT), ...get(RIGHT), ...UPPER_HALF, ...set(RIGHT)],
    ...half(1),
  ]
}

const total = (pair: readonly [number, number], add: number[], offset: number): number[] => [
  ...[...constant(0), ...get(pair[0]), ...get(pair[1]), ...add, ...store(offset)],
]

const TURN = UNROLLED * 4

const BODY = [
  ...repeat(
    ...([A, END, TURN] as const),
    ...[0, 16, 32, 48].flatMap(vector),
    ...[...get(B), ...constant(TURN), ...ADD_I32, ...set(B)],
  ),
  ...total(SUM, ADD, 0),
  ...total(SQUARES, ADD, 16),
  ...total(BASE, ADD, 32),
  ...total(MOST, LARGER, 48),
  ...[...constant(0), ...get(SAME), ...store(64)],
]
