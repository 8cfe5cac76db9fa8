import test from 'ava'
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  formatShare,
  formatThings,
} from '../../src/cli/quantity.js'

test('bytes are in the unit that suits them', (t) => {
  for (const [bytes, text] of [
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [1536, '1.5 KiB'],
    // Not 1024.0 KiB.
    [2 ** 20 - 1, '1.0 MiB'],
    [2 ** 20, '1.0 MiB'],
    [2.1 * 2 ** 30, '2.1 GiB'],
    [2 ** 40, '1.0 TiB'],
    [Number.MAX_SAFE_INTEGER, '8.0 PiB'],
    [2 ** 62, '4096.0 PiB'],
  ] as const) {
    t.is(formatBytes(bytes), text)
  }
})

test('counts are in groups of three', (t) => {
  t.deepEqual([0, 999, 1000, 124439808].map(formatCount), ['0', '999', '1,000', '124,439,808'])
  t.deepEqual(
    [0, 1, 2000].map((count) => formatThings(count, 'tensor')),
    ['0 tensors', '1 tensor', '2,000 tensors'],
  )
})

test('a share that is not zero does not look like it', (t) => {
  t.is(formatShare(0, 10), '0.00 %')
  t.is(formatShare(1, 1e9), '< 0.01 %')
  t.is(formatShare(1, 200), '0.50 %')
  t.is(formatShare(1, 3), '33.3 %')
  t.is(formatShare(0, 0), '0.00 %')
})

test('durations are in the units that suit them', (t) => {
  t.deepEqual([0, 0.44, 9.94, 9.96, 59.4, 59.6, 200, 3599, 3600, 7499].map(formatSeconds), [
    '0.0 s',
    '0.4 s',
    '9.9 s',
    '10 s',
    '59 s',
    '1 min 0 s',
    '3 min 20 s',
    '59 min 59 s',
    '1 h 0 min',
    '2 h 5 min',
  ])
})

test('numbers keep their sign and their kind', (t) => {
  t.deepEqual([0, -0, Number.NaN, Number.NEGATIVE_INFINITY, 1e300, 0.1].map(formatNumber), [
    '0',
    '-0',
    'NaN',
    '-Infinity',
    '1e+300',
    '0.1',
  ])
})
