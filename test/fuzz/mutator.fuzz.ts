import test from 'ava'
import type { CheckpointError } from '../../src/errors.js'
import { verifyFlatBuffer } from '../../src/format/flatbuffer-verifier.js'
import { schema } from '../../src/format/schema.js'
import { dissect } from '../support/fuzz/anatomy.js'
import { HostileFiles } from '../support/fuzz/hostile-files.js'
import { Mutator } from '../support/fuzz/mutator.js'
import { fileSeeds, metadataSeeds } from '../support/fuzz/seeds.js'
import { training } from '../support/hostile/goldens.js'
import { Random } from '../support/random.js'

const metadata = training.bytes.subarray(0, training.metadataLength)

test('random numbers are the same for the same seed and index, and others for any other', (t) => {
  const draw = (seed: number, index: number) => {
    const random = new Random(seed, index)
    return Array.from({ length: 8 }, () => random.uint32()).join()
  }
  t.is(draw(1, 2), draw(1, 2))
  const streams = [draw(1, 2), draw(2, 1), draw(1, 3), draw(1, 2 + 2 ** 32), draw(3, 2), draw(0, 0)]
  t.is(new Set(streams).size, streams.length)
})

test('random numbers below a limit are all met, about as often as each other', (t) => {
  const random = new Random(7, 0)
  const counts = new Array(10).fill(0)
  for (let i = 0; i < 100_000; i++) counts[random.below(10)]++
  for (const count of counts) t.true(Math.abs(count - 10_000) < 500, `${counts}`)
})

test('every byte of a table and its vtable, and of all that it leads to, is found by dissection', (t) => {
  const { sites, places } = dissect(metadata, schema)
  const covered = new Uint8Array(metadata.length)
  for (const { at, size } of sites) covered.fill(1, at, at + size)
  // The identifier, and what aligns the rest, means nothing to a reader.
  let uncovered = 0
  for (const [at, found] of covered.entries()) {
    if (found === 0 && metadata[at] !== 0 && !(at >= 4 && at < 8)) uncovered++
  }
  t.is(uncovered, 0)
  t.is(places.get('table Tensor')?.length, 3)
  t.is(places.get('table State')?.length, 2)
  t.is(places.get('table Checkpoint')?.length, 1)
})

test('a mutation is the same for the same seed and index, whatever was made before it', (t) => {
  const inOrder = new HostileFiles(fileSeeds())
  const made = Array.from({ length: 300 }, (_, i) => inOrder.make(new Random(5, i)).slice())
  const backwards = new HostileFiles(fileSeeds())
  for (let i = 299; i >= 0; i--) t.deepEqual(backwards.make(new Random(5, i)), made[i])
})

test('most mutations change something, and leave enough to get past the first look', (t) => {
  const mutator = new Mutator(metadataSeeds())
  let unchanged = 0
  const rules = new Map<string, number>()
  for (let i = 0; i < 5_000; i++) {
    const mutated = mutator.mutate(new Random(9, i))
    if (Buffer.compare(mutated, mutator.seed.bytes) === 0) unchanged++
    let rule = 'sound'
    try {
      verifyFlatBuffer(mutated, schema)
    } catch (error) {
      rule = (error as CheckpointError).rule!
    }
    rules.set(rule, (rules.get(rule) ?? 0) + 1)
  }
  t.true(unchanged < 500)
  t.true(rules.get('sound')! > 1_000)
  // All rules but those about sharing and depth, which take more than a change or two.
  for (const rule of ['alignment', 'bool', 'field', 'identifier', 'length', 'offset', 'range']) {
    t.true(rules.get(`flatbuffer.${rule}`)! > 5, rule)
  }
  for (const rule of ['required', 'string', 'table', 'vtable']) {
    t.true(rules.get(`flatbuffer.${rule}`)! > 5, rule)
  }
})

test('a mutation in place changes no length, and nothing after the metadata', (t) => {
  const mutator = new Mutator(fileSeeds())
  for (let i = 0; i < 2_000; i++) {
    const mutated = mutator.mutate(new Random(11, i), 'structure', true)
    const { bytes, metadataLength } = mutator.seed
    t.is(mutated.byteLength, bytes.byteLength)
    const same = Buffer.compare(mutated.subarray(metadataLength), bytes.subarray(metadataLength))
    if (same !== 0) t.fail(`input ${i}`)
  }
})
