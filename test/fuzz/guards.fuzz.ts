import test from 'ava'
import { decode } from '../../src/format/decode.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { examine, refusal } from '../support/fuzz/examine.js'
import {
  allocation,
  checkPrototypes,
  Violation,
  watchAllocations,
  watchRuntime,
} from '../support/fuzz/guards.js'
import { Mutator } from '../support/fuzz/mutator.js'
import { metadataSeeds } from '../support/fuzz/seeds.js'
import { plainModel } from '../support/hostile/goldens.js'
import { Random } from '../support/random.js'

watchRuntime()
watchAllocations()

test('a read outside a buffer is noticed, which the runtime itself does not notice', (t) => {
  // Decoded without having been verified, as no reader should.
  const mutator = new Mutator(metadataSeeds())
  let noticed = 0
  for (let i = 0; i < 2_000; i++) {
    try {
      decode(mutator.mutate(new Random(1, i), 'structure'))
    } catch (error) {
      if (error instanceof Violation) noticed++
    }
  }
  t.true(noticed > 200, `${noticed}`)
})

test('a valid buffer is decoded as if nothing watched', (t) => {
  for (const { bytes } of metadataSeeds()) t.notThrows(() => decode(bytes))
})

test.serial(
  'an allocation beyond the limit is noticed, and views of memory are not allocations',
  (t) => {
    const memory = new ArrayBuffer(100)
    allocation.limit = 10
    t.throws(() => new Uint8Array(11), { instanceOf: Violation })
    t.throws(() => new ArrayBuffer(11), { instanceOf: Violation })
    t.is(new Uint8Array(10).length, 10)
    t.is(new Uint8Array(memory).length, 100)
    allocation.limit = Number.POSITIVE_INFINITY
    t.true(new Uint8Array(11) instanceof Uint8Array)
    t.true(Buffer.alloc(1) instanceof Uint8Array)
  },
)

test.serial('a prototype that was added to is noticed', (t) => {
  checkPrototypes()
  Object.defineProperty(Object.prototype, 'polluted', { value: 1, configurable: true })
  t.throws(checkPrototypes, { instanceOf: Violation })
  Reflect.deleteProperty(Object.prototype, 'polluted')
  t.notThrows(checkPrototypes)
})

test('an error that is not a CheckpointError, or that cannot be printed, is a violation', (t) => {
  for (const foreign of [new TypeError('x'), new RangeError('x'), 'x', undefined]) {
    t.throws(() => refusal(foreign), { instanceOf: Violation })
  }
})

test('a file whose values are not in it is noticed', async (t) => {
  const { bytes } = plainModel
  const sound = { file: bytes, memory: bytes }
  t.is(await examine(await loadCheckpoint(bytes), sound), 'read')
  const other = bytes.slice()
  other[other.length - 1]! ^= 1
  await t.throwsAsync(examine(await loadCheckpoint(bytes), { ...sound, file: other }), {
    instanceOf: Violation,
  })
  // Nor does a tensor whose checksum was not looked at pass for one that was.
  const unchecked = await loadCheckpoint(other, { verify: false })
  await t.throwsAsync(examine(unchecked, { file: other, memory: other }), { instanceOf: Violation })
})
