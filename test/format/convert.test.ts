import test from 'ava'
import {
  type ConvertibleDType,
  convertElements,
  convertibleDTypes,
  isConvertible,
} from '../../src/format/convert.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'

const WIDTH = { float64: 8, float32: 4, float16: 2, bfloat16: 2 }

/** Elements as numbers, by their definition: sign, exponent, fraction. */
function numberOf(bits: number, exponentBits: number, fractionBits: number): number {
  const sign = bits >>> (exponentBits + fractionBits) ? -1 : 1
  const top = 2 ** exponentBits - 1
  const bias = (top - 1) / 2
  const exponent = (bits >>> fractionBits) & top
  const fraction = bits & (2 ** fractionBits - 1)
  if (exponent === top) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return exponent === 0
    ? sign * fraction * 2 ** (1 - bias - fractionBits)
    : sign * (1 + fraction / 2 ** fractionBits) * 2 ** (exponent - bias)
}

const half = (bits: number): number => numberOf(bits, 5, 10)
const brain = (bits: number): number => numberOf(bits, 8, 7)

/** The nearest of the finite values, ties to the even one, by a look at all of them; too large is infinite. */
function nearest(value: number, of: (bits: number) => number, infinity: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0
  const target = Math.abs(value)
  let low = 0
  let high = infinity
  while (low < high) {
    const middle = (low + high) >>> 1
    if (of(middle) < target) low = middle + 1
    else high = middle
  }
  if (low === 0) return sign
  // What would stand in the place of infinity decides from where on it is the nearest.
  const above = low === infinity ? 2 * of(infinity - 1) - of(infinity - 2) : of(low)
  const below = of(low - 1)
  if (low === infinity && target >= above) return sign | infinity
  const [up, down] = [above - target, target - below]
  if (up < down || (up === down && low % 2 === 0)) return sign | low
  return sign | (low - 1)
}

function converted(bytes: Uint8Array, from: ConvertibleDType, to: ConvertibleDType): Uint8Array {
  const target = new Uint8Array((bytes.length / WIDTH[from]) * WIDTH[to])
  convertElements(bytes, from, target, to)
  return target
}

const bytesOf = (array: ArrayBufferView): Uint8Array => new Uint8Array(array.buffer)
const halves = (bytes: Uint8Array): Uint16Array => new Uint16Array(bytes.buffer)

const all16 = Uint16Array.from({ length: 65536 }, (_, i) => i)

test('every float16 and bfloat16 has its value as float32 and as float64', (t) => {
  for (const [dtype, of] of [
    ['float16', half],
    ['bfloat16', brain],
  ] as const) {
    const as32 = new Float32Array(converted(bytesOf(all16), dtype, 'float32').buffer)
    const as64 = new Float64Array(converted(bytesOf(all16), dtype, 'float64').buffer)
    const wrong = [...all16].filter(
      (bits) => !Object.is(as32[bits], of(bits)) || !Object.is(as64[bits], of(bits)),
    )
    t.deepEqual(wrong, [], dtype)
  }
})

test('what was widened is narrowed to the same bits, quiet NaNs and their payloads among them', (t) => {
  for (const dtype of ['float16', 'bfloat16'] as const) {
    for (const wide of ['float32', 'float64'] as const) {
      const back = halves(converted(converted(bytesOf(all16), dtype, wide), wide, dtype))
      const quiet = dtype === 'float16' ? 0x200 : 0x40
      const of = dtype === 'float16' ? half : brain
      const wrong = [...all16].filter(
        (bits) => back[bits] !== (Number.isNaN(of(bits)) ? bits | quiet : bits),
      )
      t.deepEqual(wrong, [], `${dtype} ${wide}`)
    }
  }
})

// Every exponent, and fractions next to the ties.
const float32s = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  fc
    .tuple(fc.integer({ min: 0, max: 0xffff }), fc.constantFrom(0, 1, 0x7fff, 0x8000, 0x8001))
    .map(([high, low]) => high * 65536 + low),
  fc
    .tuple(fc.integer({ min: 0, max: 0x7ffff }), fc.constantFrom(0, 1, 0xfff, 0x1000, 0x1001))
    .map(([high, low]) => high * 8192 + low),
)

for (const [dtype, of, infinity] of [
  ['float16', half, 0x7c00],
  ['bfloat16', brain, 0x7f80],
] as const) {
  test(`float32 is rounded to the nearest ${dtype}, ties to even`, (t) => {
    fc.assert(
      fc.property(float32s, (bits) => {
        const source = Uint32Array.of(bits)
        const value = new Float32Array(source.buffer)[0]!
        const actual = halves(converted(bytesOf(source), 'float32', dtype))[0]!
        if (Number.isNaN(value)) return Number.isNaN(of(actual)) && actual >>> 15 === bits >>> 31
        return actual === nearest(value, of, infinity)
      }),
      { numRuns: times(5000) },
    )
    t.pass()
  })

  test(`float64 is rounded to the nearest ${dtype} once, and not by way of float32`, (t) => {
    // A little more than a tie: rounded to float32 first it would be one.
    const nearTie = fc
      .tuple(fc.integer({ min: 1, max: infinity - 2 }), fc.constantFrom(-1, 0, 1))
      .map(([bits, side]) => {
        const middle = (of(bits) + of(bits + 1)) / 2
        return middle + side * Math.abs(middle) * 2 ** -45
      })
    fc.assert(
      fc.property(fc.oneof(nearTie, fc.double()), (value) => {
        const actual = halves(converted(bytesOf(Float64Array.of(value)), 'float64', dtype))[0]!
        return Number.isNaN(value)
          ? Number.isNaN(of(actual))
          : actual === nearest(value, of, infinity)
      }),
      { numRuns: times(5000) },
    )
    t.pass()
  })
}

test('float64 becomes the nearest float32, and a NaN keeps its sign and the upper bits of its payload', (t) => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      const actual = new Float32Array(
        converted(bytesOf(Float64Array.of(value)), 'float64', 'float32').buffer,
      )
      return Object.is(actual[0], Math.fround(value))
    }),
    { numRuns: times(2000) },
  )
  const nan = BigUint64Array.of(0xfff4_5678_9abc_def0n)
  const bits = new Uint32Array(converted(bytesOf(nan), 'float64', 'float32').buffer)
  t.is(bits[0], Number((0xffc0_0000n | (0x4_5678_9abc_def0n >> 29n)) & 0xffffffffn))
})

test('bytes that lie on no boundary of an element are converted all the same, and nothing beside them', (t) => {
  const values = Float32Array.of(1, -2.5, 65504, Number.NaN)
  for (const to of convertibleDTypes) {
    const expected = converted(bytesOf(values), 'float32', to)
    const source = new Uint8Array(17)
    source.set(bytesOf(values), 1)
    const target = new Uint8Array(expected.length + 2).fill(7)
    convertElements(source.subarray(1), 'float32', target.subarray(1, -1), to)
    t.deepEqual(target, Uint8Array.of(7, ...expected, 7), to)
  }
})

test('bytes that are not as many elements are a RangeError, and integers do not convert', (t) => {
  t.throws(() => convertElements(new Uint8Array(5), 'float32', new Uint8Array(2), 'bfloat16'), {
    instanceOf: RangeError,
  })
  t.throws(() => convertElements(new Uint8Array(8), 'float32', new Uint8Array(2), 'bfloat16'), {
    instanceOf: RangeError,
  })
  t.true(isConvertible('bfloat16'))
  t.false(isConvertible('int32'))
})
