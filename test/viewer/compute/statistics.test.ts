import test from 'ava'
import { DTYPES } from '../../../generated/dtypes.js'
import { dtypes } from '../../../src/format/dtype.js'
import { numbersOf } from '../../../src/format/numbers.js'
import { binOf } from '../../../viewer/src/compute/histogram.js'
import { StatisticsSums } from '../../../viewer/src/compute/statistics.js'
import { times } from '../../support/effort.js'
import fc from '../../support/fast-check.js'

/** The statistics as their definitions have them. */
function plainly(numbers: readonly number[]) {
  const finite = numbers.filter(Number.isFinite)
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
  return {
    elements: numbers.length,
    nan: numbers.filter(Number.isNaN).length,
    infinite: numbers.length - finite.length - numbers.filter(Number.isNaN).length,
    zeros: numbers.filter((x) => x === 0).length,
    min: finite.length === 0 ? Number.NaN : Math.min(...finite),
    max: finite.length === 0 ? Number.NaN : Math.max(...finite),
    mean: sum(finite) / finite.length,
    norm: Math.sqrt(sum(finite.map((x) => x * x))),
  }
}

const isClose = (a: number, b: number): boolean =>
  Object.is(a, b) || Math.abs(a - b) <= 1e-9 * Math.max(Math.abs(a), Math.abs(b)) || a === b

test('float32: the statistics of blocks of numbers are the same as of fewer of them', (t) => {
  const values = Float32Array.from(
    { length: 3 * 4096 + 5 },
    (_, i) => Math.sin(i * 1.7) * 2 ** (i % 40),
  )
  values.set([Number.NaN, -0, 0], 10)
  values.set([Number.NEGATIVE_INFINITY, 0, 1e-45], 5000)
  values[3 * 4096 + 1] = -0
  const total = (pieces: readonly number[]) => {
    const sums = new StatisticsSums('float32')
    let at = 0
    for (const length of pieces) {
      sums.add(new Uint8Array(values.buffer, 4 * at, 4 * length))
      at += length
    }
    t.is(at, values.length)
    return sums.total
  }
  const whole = total([values.length])
  const parts = total(Array.from({ length: 1 + (3 * 4096) / 64 }, (_, i) => (i === 0 ? 5 : 64)))
  const { mean, norm, deviation, ...exact } = whole
  t.like(parts, exact)
  t.deepEqual(parts.histogram, whole.histogram)
  t.is(exact.nan + exact.infinite, 2)
  t.is(exact.zeros, 5)
  t.true(
    isClose(parts.norm, norm) && isClose(parts.mean, mean) && isClose(parts.deviation, deviation),
  )
})

for (const dtype of dtypes) {
  test(`${dtype}: the statistics of any bytes, in any pieces, are those of their numbers`, (t) => {
    const unit = 48
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: unit, maxLength: 40 * unit }),
        fc.nat(39),
        (bytes, cut) => {
          const whole = bytes.slice(0, Math.floor(bytes.length / unit) * unit)
          const sums = new StatisticsSums(dtype)
          sums.add(whole.subarray(0, cut * unit))
          sums.add(whole.subarray(cut * unit))
          const found = sums.total
          const expected = plainly(Array.from(numbersOf(dtype, whole) as ArrayLike<number>, Number))
          for (const key of ['elements', 'nan', 'infinite', 'zeros', 'min', 'max'] as const) {
            if (!Object.is(found[key], expected[key]) && found[key] !== expected[key]) return false
          }
          // Sums of numbers that nearly cancel depend on their order.
          const scale = expected.norm
          return (
            isClose(found.norm, expected.norm) &&
            (isClose(found.mean, expected.mean) ||
              !Number.isFinite(scale) ||
              Math.abs(found.mean - expected.mean) <= 1e-9 * scale)
          )
        },
      ),
      { numRuns: times(30) },
    )
    t.pass()
  })

  test(`${dtype}: every finite number but zero is in the bin of its size and sign, once`, (t) => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 48, maxLength: 960 }), (bytes) => {
        const whole = bytes.slice(0, Math.floor(bytes.length / 48) * 48)
        const sums = new StatisticsSums(dtype)
        sums.add(whole)
        const { histogram } = sums.total
        const counts = new Map<string, number>()
        for (const number of numbersOf(dtype, whole) as unknown as Iterable<number | bigint>) {
          const value = Number(number)
          if (!Number.isFinite(value) || value === 0) continue
          const key = `${value < 0 ? '-' : '+'}${binOf(value)}`
          counts.set(key, (counts.get(key) ?? 0) + 1)
        }
        for (const [sign, { first, counts: bins }] of [
          ['-', histogram.negative],
          ['+', histogram.positive],
        ] as const) {
          for (const [i, count] of bins.entries()) {
            if ((counts.get(`${sign}${first + i}`) ?? 0) !== count) return false
            counts.delete(`${sign}${first + i}`)
          }
        }
        return counts.size === 0
      }),
      { numRuns: times(20) },
    )
    t.pass()
  })
}

test('blocks without and with NaN and infinities add up', (t) => {
  const values = Float32Array.from({ length: 20_000 }, (_, i) => Math.sin(i))
  values[5_000] = Number.NaN
  values[15_000] = Number.POSITIVE_INFINITY
  values[15_001] = 0
  const sums = new StatisticsSums('float32')
  sums.add(new Uint8Array(values.buffer))
  const found = sums.total
  const expected = plainly([...values])
  t.is(found.nan, 1)
  t.is(found.infinite, 1)
  t.is(found.zeros, expected.zeros)
  t.true(isClose(found.norm, expected.norm))
  const { negative, positive } = found.histogram
  const binned = [...negative.counts, ...positive.counts].reduce((a, b) => a + b, 0)
  t.is(binned + found.zeros + found.nan + found.infinite, values.length)
})

test('a tensor without elements has no least and no largest one', (t) => {
  for (const dtype of ['float32', 'bfloat16', 'int64'] as const) {
    const { elements, min, max, norm } = new StatisticsSums(dtype).total
    t.deepEqual([elements, norm], [0, 0])
    t.true(Number.isNaN(min) && Number.isNaN(max))
  }
  t.true(Object.keys(DTYPES).length > 20)
})
