import test from 'ava'
import { countText, timeText } from '../../../viewer/src/ui/text.js'
import { times } from '../../support/effort.js'
import fc from '../../support/fast-check.js'

test('a count is what the platform makes of it in English', (t) => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), (count) => countText(count) === count.toLocaleString('en')),
    { numRuns: times(100) },
  )
  t.is(countText(1_234_567), '1,234,567')
})

test('a time is that of the clock of this machine', (t) => {
  t.is(timeText(new Date(2026, 0, 2, 3, 4, 5)), '2026-01-02 03:04:05')
})
