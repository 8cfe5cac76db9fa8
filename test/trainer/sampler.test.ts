import test from 'ava'
import { ShuffledSampler } from '../support/trainer/sampler.js'

const OPTIONS = { length: 10, batchSize: 4, seed: 1 }

/** The indices of the epoch that the sampler is in, up to its end. */
function restOfEpoch(sampler: ShuffledSampler): number[] {
  const { epoch } = sampler
  const indices: number[] = []
  while (sampler.epoch === epoch) indices.push(...sampler.next())
  return indices
}

test('every index is visited exactly once an epoch', (t) => {
  const sampler = new ShuffledSampler(OPTIONS)
  for (let epoch = 0; epoch < 5; epoch++) {
    const visited = restOfEpoch(sampler).sort((a, b) => a - b)
    t.deepEqual(visited, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  }
  t.is(sampler.epoch, 5)
})

test('the last batch of an epoch is shorter rather than reaching into the next', (t) => {
  const sampler = new ShuffledSampler(OPTIONS)
  const sizes = Array.from({ length: 6 }, () => sampler.next().length)
  t.deepEqual(sizes, [4, 4, 2, 4, 4, 2])
})

test('each epoch has an order of its own, and so has each seed', (t) => {
  const sampler = new ShuffledSampler(OPTIONS)
  const first = restOfEpoch(sampler)
  t.notDeepEqual(restOfEpoch(sampler), first)
  t.deepEqual(restOfEpoch(new ShuffledSampler(OPTIONS)), first)
  t.notDeepEqual(restOfEpoch(new ShuffledSampler({ ...OPTIONS, seed: 2 })), first)
})

test('every index comes first in as many epochs', (t) => {
  const sampler = new ShuffledSampler({ ...OPTIONS, batchSize: 10 })
  const counts = new Array<number>(10).fill(0)
  for (let epoch = 0; epoch < 1000; epoch++) counts[sampler.next()[0]!]! += 1
  // A standard deviation of 9.5 each.
  t.true(
    counts.every((count) => Math.abs(count - 100) < 40),
    String(counts),
  )
})

test('a sampler resumes from any position, in the middle of an epoch or at its end', (t) => {
  for (let batches = 0; batches < 7; batches++) {
    const sampler = new ShuffledSampler(OPTIONS)
    for (let i = 0; i < batches; i++) sampler.next()
    // Another seed, and an order that is already made: both have to give way.
    const resumed = new ShuffledSampler({ ...OPTIONS, seed: 99 })
    resumed.next()
    resumed.loadAttributes(sampler.stateDict().attributes)
    t.deepEqual([resumed.epoch, resumed.index], [sampler.epoch, sampler.index])
    for (let i = 0; i < 7; i++) t.deepEqual(resumed.next(), sampler.next())
  }
})

test('a position that does not fit the data set is refused as a whole', (t) => {
  const sampler = new ShuffledSampler(OPTIONS)
  sampler.next()
  const before = sampler.stateDict().attributes
  for (const attributes of [
    { ...before, length: 11 },
    { ...before, epoch: 3, index: 10 },
    { ...before, epoch: 3, index: -1 },
    { ...before, epoch: 3, seed: 1 },
    {},
  ]) {
    t.throws(() => sampler.loadAttributes(attributes), { instanceOf: TypeError })
    t.deepEqual(sampler.stateDict().attributes, before)
  }
})

test('a sampler of nothing, or in batches of nothing, is refused', (t) => {
  t.throws(() => new ShuffledSampler({ ...OPTIONS, length: 0 }), { instanceOf: RangeError })
  t.throws(() => new ShuffledSampler({ ...OPTIONS, batchSize: 0.5 }), { instanceOf: RangeError })
})
