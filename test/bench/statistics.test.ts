import test from 'ava'
import { fastest, median, ratios, spread } from '../../bench/statistics.js'

test('the median is the middle one, or the mean of the two in the middle', (t) => {
  t.is(median([3, 1, 2]), 2)
  t.is(median([10, 1, 3, 2]), 2.5)
  t.is(median([7]), 7)
  t.is(median([]), Number.NaN)
})

test('the median leaves its argument alone, and sorts by value and not by text', (t) => {
  const values = [10, 9, 100]
  t.is(median(values), 10)
  t.deepEqual(values, [10, 9, 100])
})

test('a spread has the median, the least and the most', (t) => {
  t.deepEqual(spread([4, 1, 2]), { median: 2, min: 1, max: 4 })
})

test('ratios are those of the rounds, pair by pair', (t) => {
  t.deepEqual(ratios([2, 9], [1, 3]), [2, 3])
})

test('rounds that one of the two has not run do not count as pairs', (t) => {
  t.throws(() => ratios([1, 2], [1]), { instanceOf: RangeError })
})

test('the fastest has the smallest median, whatever its best round', (t) => {
  const rows: [string, number[]][] = [
    ['lucky once', [1, 9, 9]],
    ['steady', [5, 5, 5]],
  ]
  t.is(fastest(rows), 'steady')
  t.is(fastest([]), undefined)
})
