/** The inner loop of statistics in WebAssembly, four float32 at once. */

import {
  ADD_I32,
  compile,
  constant,
  get,
  I32,
  load,
  loadI32,
  repeat,
  set,
  simd,
  store,
  storeI32,
  tee,
  V128,
  vector,
} from '../../../src/format/webassembly.js'
import { SHIFT } from './histogram.js'

/** Elements of a block. */
export const BLOCK = 4096

/** Sums and counts of blocks of float32. */
export interface StatisticsKernel {
  /**
   * Adds a block. The result is its sum, the sum of the squares, the least and the most; a sum is not finite if an
   * element is not.
   */
  add(values: Float32Array, result: Float64Array): void
  /** How many elements there were in a bin since `take`. */
  countOf(bin: number): number
  /** Adds the counts to `bins`, by the upper bits of an element, and forgets them. */
  take(bins: Uint32Array): void
}

const VECTOR = 16
const UNROLLED = 2

// Each lane has a table of its own: a count does not wait for that of its neighbour, which is often in the same bin.
const LANES = 4
const BINS = 2 ** (32 - SHIFT)
const RESULTS = 64
const TABLE = BINS * 4
const DATA = RESULTS + LANES * TABLE

const PROMOTE_LOW = simd(0x5f)
const ADD = simd(0xf0)
const MULTIPLY = simd(0xf2)
// The second operand if it is less (more), otherwise the first: NaN is neither.
const LESS = simd(0xea)
const MORE = simd(0xeb)
const AND = simd(0x4e)
const SHIFT_RIGHT = simd(0xad)
const LANE = (lane: number): number[] => [...simd(0x1b), lane]
/** The upper two of four float32, in both halves. */
const UPPER_HALF = [
  ...simd(0x0d),
  ...[8, 9, 10, 11, 12, 13, 14, 15],
  ...[8, 9, 10, 11, 12, 13, 14, 15],
]

const [AT, END] = [0, 1] as const
const COUNTED = 2
const [VALUES, HALF, PLACES, MASK, MIN, MAX] = [3, 4, 5, 6, 7, 8] as const
// Each half of a vector has its own sums, so that an addition does not wait for the one before it.
const SUM = [9, 10] as const
const SQUARES = [11, 12] as const

/** Adds the lower two elements on the stack, as float64, to the sums of a half. */
function sums(half: 0 | 1): number[] {
  return [
    ...[...PROMOTE_LOW, ...tee(HALF), ...get(SUM[half]), ...ADD, ...set(SUM[half])],
    ...[...get(HALF), ...get(HALF), ...MULTIPLY],
    ...[...get(SQUARES[half]), ...ADD, ...set(SQUARES[half])],
  ]
}

/** Counts the element of a lane. */
function count(lane: number): number[] {
  const table = RESULTS + lane * TABLE
  return [
    ...[...get(PLACES), ...LANE(lane), ...tee(COUNTED)],
    ...[...get(COUNTED), ...loadI32(table), ...constant(1), ...ADD_I32, ...storeI32(table)],
  ]
}

function step(i: number): number[] {
  return [
    ...[...get(AT), ...load(i * VECTOR), ...set(VALUES)],
    ...[...get(MIN), ...get(VALUES), ...LESS, ...set(MIN)],
    ...[...get(MAX), ...get(VALUES), ...MORE, ...set(MAX)],
    ...[...get(VALUES), ...sums(0)],
    ...[...get(VALUES), ...get(VALUES), ...UPPER_HALF, ...sums(1)],
    // The upper bits, times the four bytes of a count.
    ...[...get(VALUES), ...constant(SHIFT - 2), ...SHIFT_RIGHT, ...get(MASK), ...AND],
    ...set(PLACES),
    ...Array.from({ length: LANES }, (_, lane) => count(lane)).flat(),
  ]
}

const address = constant(0)
const BODY = [
  ...[...vector(0, 0, 0x80, 0x7f), ...set(MIN), ...vector(0, 0, 0x80, 0xff), ...set(MAX)],
  ...[...vector(0xfc, 0x7f, 0, 0), ...set(MASK)],
  ...repeat(AT, END, UNROLLED * VECTOR, ...step(0), ...step(1)),
  ...[...address, ...get(SUM[0]), ...get(SUM[1]), ...ADD, ...store(0)],
  ...[...address, ...get(SQUARES[0]), ...get(SQUARES[1]), ...ADD, ...store(16)],
  ...[...address, ...get(MIN), ...store(32)],
  ...[...address, ...get(MAX), ...store(48)],
]

/** A kernel; undefined without WebAssembly. */
export function makeStatisticsKernel(): StatisticsKernel | undefined {
  const compiled = compile({
    memory: DATA + BLOCK * 4,
    parameters: 2,
    locals: [
      [1, I32],
      [10, V128],
    ],
    body: BODY,
  })
  if (compiled === undefined) return undefined
  const { run, memory } = compiled
  const doubles = new Float64Array(memory, 0, 4)
  const extremes = new Float32Array(memory, 32, 8)
  const data = new Float32Array(memory, DATA, BLOCK)
  const tables = Array.from(
    { length: LANES },
    (_, lane) => new Uint32Array(memory, RESULTS + lane * TABLE, BINS),
  ) as [Uint32Array, Uint32Array, Uint32Array, Uint32Array]
  const [a, b, c, d] = tables
  return {
    add(values, result) {
      data.set(values)
      run(DATA, DATA + BLOCK * 4)
      result[0] = doubles[0]! + doubles[1]!
      result[1] = doubles[2]! + doubles[3]!
      result[2] = Math.min(extremes[0]!, extremes[1]!, extremes[2]!, extremes[3]!)
      result[3] = Math.max(extremes[4]!, extremes[5]!, extremes[6]!, extremes[7]!)
    },
    countOf: (bin) => a[bin]! + b[bin]! + c[bin]! + d[bin]!,
    take(bins) {
      for (let i = 0; i < BINS; i++) bins[i]! += a[i]! + b[i]! + c[i]! + d[i]!
      for (const table of tables) table.fill(0)
    },
  }
}
