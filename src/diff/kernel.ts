/**
 * Compares float32 in WebAssembly, four elements at once. Without WebAssembly, or where a page's policy forbids it, the
 * same loop runs in JavaScript, which is slower.
 */

/** Comparisons over the kernel's own memory. */
export interface Kernel {
  /** The numbers to compare must lie here. It is never resized. */
  readonly memory: ArrayBuffer
  /**
   * Compares `count` float32, a multiple of 4, at two places in the memory (in bytes, multiples of 4). Returns the
   * number of equal elements, the largest absolute difference, and the sums of the differences, of their squares, and
   * of the squares of the first numbers. If a number is NaN or infinite, at least one sum is not finite.
   */
  compare(a: number, b: number, count: number, result: Float64Array): void
}

const PAGE = 64 * 1024

// Position of the results: five vectors of two lanes at the start of the memory.
const RESULTS = 128

/** Start of the caller's part of the memory, in bytes. */
export const KERNEL_START = RESULTS

/** A kernel with memory for `length` bytes from KERNEL_START on; undefined if WebAssembly is not available. */
export function makeKernel(length: number): Kernel | undefined {
  const pages = Math.ceil((KERNEL_START + length) / PAGE)
  try {
    const module = new WebAssembly.Module(moduleBytes(pages))
    const { memory, compare } = new WebAssembly.Instance(module).exports as unknown as {
      readonly memory: { readonly buffer: ArrayBuffer }
      readonly compare: (a: number, b: number, end: number) => void
    }
    const { buffer } = memory
    const lanes = new Float64Array(buffer, 0, 8)
    const counts = new BigInt64Array(buffer, 64, 2)
    return {
      memory: buffer,
      compare(a, b, count, result) {
        compare(a, b, a + count * 4)
        const [sum, sum2, squares, squares2, base, base2, most, most2] =
          lanes as unknown as number[]
        result[0] = Number(counts[0]! + counts[1]!)
        result[1] = Math.max(most!, most2!)
        result[2] = sum! + sum2!
        result[3] = squares! + squares2!
        result[4] = base! + base2!
      },
    }
  } catch {
    return undefined
  }
}

// The module in the binary format: https://webassembly.github.io/spec/core/binary/

const I32 = 0x7f
const V128 = 0x7b

/** A number as LEB128. */
function leb(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...leb(value >> 7)]
}

const counted = (...bytes: number[]): number[] => [...leb(bytes.length), ...bytes]
const section = (id: number, ...bytes: number[]): number[] => [id, ...counted(...bytes)]
const named = (name: string): number[] => counted(...Array.from(name, (c) => c.charCodeAt(0)))

const get = (local: number): number[] => [0x20, local]
const set = (local: number): number[] => [0x21, local]
const tee = (local: number): number[] => [0x22, local]
const simd = (opcode: number): number[] => [0xfd, ...leb(opcode)]

/** A load with the alignment of float32, from the address on the stack. */
const LOAD = [...simd(0x00), 2, 0]
const store = (offset: number): number[] => [...simd(0x0b), 3, ...leb(offset)]
const PROMOTE_LOW = simd(0x5f)
const EQUAL = simd(0x47)
const ABS = simd(0xec)
const ADD = simd(0xf0)
const SUBTRACT = simd(0xf1)
const MULTIPLY = simd(0xf2)
const LARGER = simd(0xf7)
const SUBTRACT_I64 = simd(0xd1)
const ADD_I64 = simd(0xce)
const ZERO = [...simd(0x0c), ...new Array<number>(16).fill(0)]
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
const SAME = [15, 16] as const
const VECTORS = 14

/** What to do with the lower two elements of LEFT and RIGHT. */
function half(i: 0 | 1): number[] {
  return [
    ...[...get(LEFT), ...PROMOTE_LOW, ...tee(X)],
    ...[...get(RIGHT), ...PROMOTE_LOW, ...SUBTRACT, ...ABS, ...set(D)],
    ...[...get(SUM[i]), ...get(D), ...ADD, ...set(SUM[i])],
    ...[...get(SQUARES[i]), ...get(D), ...get(D), ...MULTIPLY, ...ADD, ...set(SQUARES[i])],
    ...[...get(BASE[i]), ...get(X), ...get(X), ...MULTIPLY, ...ADD, ...set(BASE[i])],
    ...[...get(MOST[i]), ...get(D), ...LARGER, ...set(MOST[i])],
    // Equal lanes have all bits set: -1.
    ...[...get(SAME[i]), ...get(D), ...ZERO, ...EQUAL, ...SUBTRACT_I64, ...set(SAME[i])],
  ]
}

const next = (address: number): number[] => [...get(address), 0x41, 16, 0x6a, ...set(address)]

function moduleBytes(pages: number): Uint8Array<ArrayBuffer> {
  const address = [0x41, 0]
  const total = (pair: readonly [number, number], add: number[], offset: number): number[] => [
    ...[...address, ...get(pair[0]), ...get(pair[1]), ...add, ...store(offset)],
  ]
  const body = [
    ...[1, VECTORS, V128],
    ...[0x03, 0x40], // loop
    ...[...get(A), ...LOAD, ...set(LEFT), ...get(B), ...LOAD, ...set(RIGHT)],
    ...half(0),
    ...[...get(LEFT), ...get(LEFT), ...UPPER_HALF, ...set(LEFT)],
    ...[...get(RIGHT), ...get(RIGHT), ...UPPER_HALF, ...set(RIGHT)],
    ...half(1),
    ...[...next(A), ...next(B), ...get(A), ...get(END), 0x49, 0x0d, 0, 0x0b], // again while A < END
    ...total(SUM, ADD, 0),
    ...total(SQUARES, ADD, 16),
    ...total(BASE, ADD, 32),
    ...total(MOST, LARGER, 48),
    ...total(SAME, ADD_I64, 64),
    0x0b,
  ]
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, 1, 0x60, 3, I32, I32, I32, 0),
    ...section(3, 1, 0),
    ...section(5, 1, 1, ...leb(pages), ...leb(pages)),
    ...section(7, 2, ...named('memory'), 2, 0, ...named('compare'), 0, 0),
    ...section(10, 1, ...counted(...body)),
  ])
}
