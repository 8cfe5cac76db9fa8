import test from 'ava'
import {
  BINS,
  binOf,
  edgeOf,
  linearBars,
  powerBars,
  sizeBelow,
} from '../../../viewer/src/compute/histogram.js'
import { StatisticsSums } from '../../../viewer/src/compute/statistics.js'
import { times } from '../../support/effort.js'
import fc from '../../support/fast-check.js'

const statisticsOf = (values: readonly number[]) => {
  const sums = new StatisticsSums('float32')
  sums.add(new Uint8Array(Float32Array.from(values).buffer))
  return sums.total
}

const finite = fc.float({ noNaN: true, noDefaultInfinity: true })
const total = (counts: Iterable<number>) => [...counts].reduce((a, b) => a + b, 0)

test('a number lies between the edges of its bin', (t) => {
  fc.assert(
    fc.property(finite, (x) => {
      const bin = binOf(x)
      return edgeOf(bin) <= Math.abs(x) && Math.abs(x) < edgeOf(bin + 1)
    }),
    { numRuns: times(300) },
  )
  t.is(binOf(3.4e38), BINS - 1)
  t.is(binOf(1e300), BINS - 1)
  t.is(edgeOf(BINS), 2 ** 128)
})

test('the bars of a linear axis hold every finite element', (t) => {
  fc.assert(
    fc.property(
      fc.array(finite, { minLength: 1, maxLength: 50 }),
      fc.integer({ min: 1, max: 80 }),
      (values, bars) => {
        const { histogram, zeros, min, max } = statisticsOf(values)
        const sum = total(linearBars(histogram, zeros, min, max, bars))
        return Math.abs(sum - values.length) < 1e-6
      },
    ),
    { numRuns: times(200) },
  )
  t.pass()
})

test('an even spread has bars of about equal height', (t) => {
  const values = Array.from({ length: 100_000 }, (_, i) => -1 + (2 * (i + 0.5)) / 100_000)
  const { histogram, zeros } = statisticsOf(values)
  const bars = linearBars(histogram, zeros, -1, 1, 40)
  for (const count of bars) t.true(count > 2_000 && count < 3_000, `${count}`)
})

test('the bars by powers of two are counted by sign, with the empty ones between', (t) => {
  const { histogram } = statisticsOf([1, 1.5, -1.9, 4, 0, 0])
  t.deepEqual(powerBars(histogram), [
    { exponent: 0, negative: 1, positive: 2 },
    { exponent: 1, negative: 0, positive: 0 },
    { exponent: 2, negative: 0, positive: 1 },
  ])
  t.deepEqual(powerBars(statisticsOf([0]).histogram), [])
})

test('the size below which a share of the elements lies is known to a sixteenth', (t) => {
  const values = Array.from({ length: 1_000 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i + 1))
  const { histogram, zeros } = statisticsOf(values)
  const median = sizeBelow(histogram, zeros, 0.5)
  t.true(median >= 500 && median <= 500 * (1 + 1 / 16) + 32, `${median}`)
  t.is(sizeBelow(statisticsOf([0, 0, 1]).histogram, 2, 0.5), 0)
})
