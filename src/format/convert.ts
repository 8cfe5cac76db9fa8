/**
 * Elements of one float dtype as those of another: float64, float32, float16 and bfloat16, each to each.
 * Rounded once, to the nearest, ties to even. Infinities stay, what is too large becomes one, and a NaN stays
 * a NaN of the same sign, with the upper bits of its payload.
 */

import type { DType } from './dtype.js'

/** A dtype that converts to the others of its kind. */
export type ConvertibleDType = 'float64' | 'float32' | 'float16' | 'bfloat16'

/** The dtypes that convert to one another. */
export const convertibleDTypes: readonly ConvertibleDType[] = [
  'float64',
  'float32',
  'float16',
  'bfloat16',
]

/** Whether elements of `dtype` can be converted. */
export function isConvertible(dtype: DType): dtype is ConvertibleDType {
  return (convertibleDTypes as readonly DType[]).includes(dtype)
}

// Bytes of an element.
const WIDTH = { float64: 8, float32: 4, float16: 2, bfloat16: 2 } as const

// Elements that are converted at once, on their way through float32.
const BLOCK = 4096

/** Elements as the words of their bits; those of float64 as pairs, the lower half first. */
type Words = Uint32Array | Uint16Array

/**
 * Fills `target` with the elements of `source`, both bytes, as elements of `to`. They may lie anywhere, but must
 * not overlap. Throws a RangeError if they do not hold the same whole number of elements.
 */
export function convertElements(
  source: Uint8Array,
  from: ConvertibleDType,
  target: Uint8Array,
  to: ConvertibleDType,
): void {
  const count = source.byteLength / WIDTH[from]
  if (!Number.isInteger(count) || target.byteLength !== count * WIDTH[to]) {
    throw new RangeError(
      `${source.byteLength} bytes of ${from} are not as many elements as ${target.byteLength} bytes of ${to}`,
    )
  }
  if (from === to) {
    target.set(source)
    return
  }
  // Typed arrays need their elements aligned.
  const input = wordsOf(isAligned(source, from) ? source : source.slice(), from)
  const output = isAligned(target, to) ? target : new Uint8Array(target.byteLength)
  const words = wordsOf(output, to)
  if (from === 'float32') FROM_FLOAT32[to](input, words)
  else if (to === 'float32') TO_FLOAT32[from](input, words, false)
  else {
    const block = new Uint32Array(Math.min(BLOCK, count))
    const [read, write] = [input.length / count, words.length / count]
    for (let start = 0; start < count; start += BLOCK) {
      const end = Math.min(start + BLOCK, count)
      const middle = block.subarray(0, end - start)
      TO_FLOAT32[from](input.subarray(start * read, end * read), middle, true)
      FROM_FLOAT32[to](middle, words.subarray(start * write, end * write))
    }
  }
  if (output !== target) target.set(output)
}

function isAligned({ byteOffset }: Uint8Array, dtype: ConvertibleDType): boolean {
  return byteOffset % Math.min(4, WIDTH[dtype]) === 0
}

function wordsOf({ buffer, byteOffset, byteLength }: Uint8Array, dtype: ConvertibleDType): Words {
  return WIDTH[dtype] === 2
    ? new Uint16Array(buffer, byteOffset, byteLength / 2)
    : new Uint32Array(buffer, byteOffset, byteLength / 4)
}

/** `toOdd`: what float32 does not hold is marked in the last bit, so that one more rounding is the only one. */
const TO_FLOAT32 = {
  float64: fromFloat64,
  float32: (source: Words, target: Words) => target.set(source),
  float16: (source: Words, target: Words) => {
    for (let i = 0; i < source.length; i++) target[i] = widened(source[i]!)
  },
  bfloat16: (source: Words, target: Words) => {
    for (let i = 0; i < source.length; i++) target[i] = source[i]! << 16
  },
} satisfies Record<ConvertibleDType, (source: Words, target: Words, toOdd: boolean) => void>

const FROM_FLOAT32 = {
  float64: toFloat64,
  float32: (source: Words, target: Words) => target.set(source),
  float16: (source: Words, target: Words) => {
    for (let i = 0; i < source.length; i++) target[i] = halfOf(source[i]!)
  },
  bfloat16: (source: Words, target: Words) => {
    for (let i = 0; i < source.length; i++) {
      const bits = source[i]!
      target[i] =
        (bits & 0x7fffffff) > 0x7f800000
          ? (bits >>> 16) | 0x40
          : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16
    }
  },
} satisfies Record<ConvertibleDType, (source: Words, target: Words) => void>

const float64 = new Float64Array(1)
const halves = new Uint32Array(float64.buffer)
const float32 = new Float32Array(1)
const word = new Uint32Array(float32.buffer)

function fromFloat64(source: Words, target: Words, toOdd: boolean): void {
  for (let i = 0; i < target.length; i++) {
    const low = source[2 * i]!
    const high = source[2 * i + 1]!
    if ((high & 0x7ff00000) === 0x7ff00000 && ((high & 0xfffff) | low) !== 0) {
      // By its bits: an engine may have one NaN for all.
      target[i] = (high & 0x80000000) | 0x7fc00000 | ((high & 0xfffff) << 3) | (low >>> 29)
      continue
    }
    halves[0] = low
    halves[1] = high
    const value = float64[0]!
    float32[0] = value
    const rounded = float32[0]!
    target[i] =
      toOdd && rounded !== value
        ? (Math.abs(rounded) > Math.abs(value) ? word[0]! - 1 : word[0]!) | 1
        : word[0]!
  }
}

function toFloat64(source: Words, target: Words): void {
  for (let i = 0; i < source.length; i++) {
    const bits = source[i]!
    if ((bits & 0x7fffffff) > 0x7f800000) {
      halves[0] = bits << 29
      halves[1] = (bits & 0x80000000) | 0x7ff80000 | ((bits & 0x7fffff) >>> 3)
    } else {
      word[0] = bits
      float64[0] = float32[0]!
    }
    target[2 * i] = halves[0]!
    target[2 * i + 1] = halves[1]!
  }
}

/** A float16 as float32: exact. */
function widened(half: number): number {
  const sign = (half & 0x8000) << 16
  const rest = half & 0x7fff
  if (rest >= 0x7c00) return sign | 0x7f800000 | ((rest & 0x3ff) << 13)
  if (rest >= 0x400) return sign | ((rest << 13) + 0x38000000)
  if (rest === 0) return sign
  // Subnormal: its highest bit becomes the one that is not written.
  const shift = Math.clz32(rest) - 21
  return sign | ((113 - shift) << 23) | ((rest << (shift + 13)) & 0x7fffff)
}

/** A float32 as float16, rounded to the nearest, ties to even. */
function halfOf(bits: number): number {
  const sign = (bits >>> 16) & 0x8000
  const rest = bits & 0x7fffffff
  if (rest > 0x7f800000) return sign | 0x7e00 | ((rest >>> 13) & 0x3ff)
  if (rest >= 0x477ff000) return sign | 0x7c00
  if (rest >= 0x38800000) return sign | ((rest - 0x38000000 + 0xfff + ((rest >>> 13) & 1)) >>> 13)
  const exponent = rest >>> 23
  // Less than half of the smallest one.
  if (exponent < 102) return sign
  const mantissa = (rest & 0x7fffff) | 0x800000
  const shift = 126 - exponent
  const kept = mantissa >>> shift
  const dropped = mantissa & ((1 << shift) - 1)
  const half = 1 << (shift - 1)
  return sign | (dropped > half || (dropped === half && (kept & 1) === 1) ? kept + 1 : kept)
}
