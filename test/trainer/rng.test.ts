import test from 'ava'
import { Rng } from '../support/trainer/rng.js'

test('the generator gives the reference output of PCG32', (t) => {
  // From the demonstration program of the reference implementation: seed 42, stream 54.
  const rng = new Rng(42, 54)
  t.deepEqual(
    Array.from({ length: 6 }, () => rng.uint32()),
    [0xa15c02b7, 0x7b47f409, 0xba1d3330, 0x83d2f293, 0xbfa4784b, 0xcbed606e],
  )
})

test('seeds and streams give different draws', (t) => {
  const draws = (rng: Rng) => Array.from({ length: 4 }, () => rng.uint32())
  t.deepEqual(draws(new Rng(1, 2)), draws(new Rng(1n, 2n)))
  t.notDeepEqual(draws(new Rng(1, 2)), draws(new Rng(2, 2)))
  t.notDeepEqual(draws(new Rng(1, 2)), draws(new Rng(1, 3)))
})

test('uniform draws fill the interval from 0 to 1 evenly', (t) => {
  const rng = new Rng(1)
  const counts = new Array<number>(10).fill(0)
  for (let i = 0; i < 10_000; i++) counts[Math.floor(rng.uniform() * 10)]! += 1
  // Ten bins, and a standard deviation of 30 each.
  t.true(
    counts.every((count) => Math.abs(count - 1000) < 150),
    String(counts),
  )
})

test('normal draws have a mean of 0, a variance of 1 and the tails of a Gaussian', (t) => {
  const rng = new Rng(2)
  const draws = Array.from({ length: 10_000 }, () => rng.normal())
  const mean = draws.reduce((sum, x) => sum + x, 0) / draws.length
  const variance = draws.reduce((sum, x) => sum + (x - mean) ** 2, 0) / draws.length
  const tail = draws.filter((x) => Math.abs(x) > 1.96).length / draws.length
  t.true(Math.abs(mean) < 0.05, `mean ${mean}`)
  t.true(Math.abs(variance - 1) < 0.08, `variance ${variance}`)
  t.true(Math.abs(tail - 0.05) < 0.012, `tail ${tail}`)
})

test('bounded draws reach every integer below the bound and no other', (t) => {
  const rng = new Rng(3)
  const seen = new Set(Array.from({ length: 200 }, () => rng.below(7)))
  t.deepEqual(
    [...seen].sort((a, b) => a - b),
    [0, 1, 2, 3, 4, 5, 6],
  )
})

test('a generator continues from saved attributes, even between the two draws of a pair', (t) => {
  const rng = new Rng(4)
  rng.normal()
  const { attributes } = rng.stateDict()
  t.is(typeof attributes.spare, 'number')
  const resumed = new Rng(0, 9)
  resumed.loadAttributes(attributes)
  for (let i = 0; i < 5; i++) t.is(resumed.normal(), rng.normal())
  t.deepEqual(resumed.stateDict(), rng.stateDict())
})

test('attributes that do not fit are refused as a whole', (t) => {
  const rng = new Rng(5)
  const before = rng.stateDict().attributes
  for (const attributes of [
    { ...before, state: 1 },
    { ...before, state: 2n ** 64n },
    { ...before, state: 1n, increment: 2n },
    { ...before, state: 1n, spare: Number.NaN },
    { state: 1n, increment: 1n },
  ]) {
    t.throws(() => rng.loadAttributes(attributes), { instanceOf: TypeError })
    t.deepEqual(rng.stateDict().attributes, before)
  }
})
