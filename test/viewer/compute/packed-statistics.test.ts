import test from 'ava'
import type { Part } from '../../../viewer/src/compute/jobs.js'
import { packStatistics, unpackStatistics } from '../../../viewer/src/compute/packed-statistics.js'
import { StatisticsSums, type TensorStatistics } from '../../../viewer/src/compute/statistics.js'
import fc from '../../support/fast-check.js'

/** The statistics of some numbers, as a worker computes them. */
function statisticsOf(values: Float32Array): TensorStatistics {
  const sums = new StatisticsSums('float32')
  sums.add(new Uint8Array(values.slice().buffer))
  return sums.total
}

const part: fc.Arbitrary<Part<TensorStatistics>> = fc.oneof(
  fc.record({
    at: fc.nat().map((i) => [i] as const),
    outcome: fc.float32Array().map((values) => ({ value: statisticsOf(values) })),
  }),
  fc.record({
    at: fc.nat().map((i) => [i] as const),
    outcome: fc.string().map((message) => ({ error: { message } })),
  }),
)

test('statistics and failures come back from their columns as they were, also in a copy', (t) => {
  fc.assert(
    fc.property(fc.array(part), (parts) => {
      const unpacked = unpackStatistics(structuredClone(packStatistics(parts)))
      // A copy is what the browser's database keeps.
      t.deepEqual(structuredClone(unpacked) as unknown, parts)
    }),
  )
})
