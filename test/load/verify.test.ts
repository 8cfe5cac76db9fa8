import test from 'ava'
import fc from 'fast-check'
import { CheckpointError } from '../../src/errors.js'
import { crc32 } from '../../src/format/checksum.js'
import type { ChecksumHelper } from '../../src/io/source.js'
import { SegmentReader } from '../../src/load/segment.js'
import { checkSegments } from '../../src/load/verify.js'
import { type Abilities, damage, damagedOf, damages, segmentsOf } from '../support/segments.js'

const MIB = 2 ** 20

const WAYS: Readonly<Record<string, Abilities>> = {
  'memory, looked at in place': { peeks: true },
  'a Blob, read piece by piece': { peeks: false },
  'a file, with several reads on their way': { peeks: false, readsAtOnce: 4 },
  'a map, and read': { peeks: true, readsAtOnce: 4 },
}

for (const [way, abilities] of Object.entries(WAYS)) {
  test(`what is damaged is found, and nothing else: ${way}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 9 * MIB })), { maxLength: 5 }),
        fc.array(damages(5)),
        fc.nat(5),
        async (lengths, damaged, left) => {
          const saved = segmentsOf(lengths, abilities)
          const expected = damage(
            saved,
            damaged.filter(({ segment }) => segment !== left),
          )
          // One of them is not asked for, so that those around it do not lie side by side.
          const found = await damagedOf(saved.readers.filter((_, i) => i !== left))
          return JSON.stringify(found) === JSON.stringify(expected)
        },
      ),
      { numRuns: 40 },
    )
    t.pass()
  })
}

test('a file is read once, in long pieces, several at once', async (t) => {
  const { source, readers } = segmentsOf(
    [20 * MIB, 10, 0, 5 * MIB],
    WAYS['a file, with several reads on their way']!,
  )
  t.deepEqual(await damagedOf(readers), [])
  t.is(source.reads, 7)
  t.is(source.most, 4)
})

test('a read that fails is thrown, and no read is under way any more', async (t) => {
  const { source, readers } = segmentsOf(
    [40 * MIB],
    WAYS['a file, with several reads on their way']!,
  )
  source.fail = (position) => {
    if (position > 6 * MIB) throw new CheckpointError('CKPT_READ', 'the disk is gone')
  }
  await t.throwsAsync(damagedOf(readers), { code: 'CKPT_READ' })
  t.is(source.underWay, 0)
})

test('whoever asks no further leaves no read under way', async (t) => {
  const { bytes, source, readers, segments } = segmentsOf(
    [1 * MIB, 40 * MIB],
    WAYS['a file, with several reads on their way']!,
  )
  bytes[segments[0]!.offset]!++
  for await (const fault of checkSegments(readers)) {
    t.is(fault.tensor, '0')
    break
  }
  t.is(source.underWay, 0)
  const enough = new Error('enough')
  const checking = (async () => {
    for await (const _ of checkSegments(readers, () => {
      throw enough
    }));
  })()
  t.is(await t.throwsAsync(checking), enough)
  t.is(source.underWay, 0)
})

test('every byte of a segment is told of once', async (t) => {
  for (const abilities of Object.values(WAYS)) {
    const lengths = [3, 9 * MIB, 0, 100]
    const { bytes, readers, segments } = segmentsOf(lengths, abilities)
    bytes[segments[1]!.offset - 1]!++
    let told = 0
    const found: unknown[] = []
    for await (const fault of checkSegments(readers, (n) => {
      t.true(n > 0)
      told += n
    })) {
      found.push(fault.rule)
    }
    t.deepEqual(found, ['gap'])
    t.is(told, 9 * MIB + 103)
  }
})

test('a segment without a byte, where there is nothing else, is checked all the same', async (t) => {
  const { source } = segmentsOf([], { peeks: true })
  const empty = { gapStart: 1024, offset: 1024, byteLength: 0 }
  const options = { plain: false, verify: true, state: 'model' }
  const readers = [0, 1, 0].map(
    (crc32, i) => new SegmentReader(source, { ...empty, crc32 }, { ...options, tensor: `${i}` }),
  )
  t.deepEqual(await damagedOf(readers), ['1 CKPT_TENSOR_CHECKSUM'])
})

/** A crew of one, and how many have been called for and what it was asked. */
function crew() {
  const counts = { called: 0, asked: 0 }
  const helpers = (bytes: Uint8Array): Promise<ChecksumHelper>[] => {
    counts.called++
    return [
      Promise.resolve({
        async checksums(ranges) {
          counts.asked++
          return ranges.map(({ start, end }) => crc32(bytes.subarray(start, end)))
        },
        async close() {},
      }),
    ]
  }
  return { counts, helpers }
}

test('helpers are called for from 256 MiB on, with the gap before', async (t) => {
  const [{ gapStart, offset } = { gapStart: 0, offset: 0 }] = segmentsOf([1], {
    peeks: true,
  }).segments
  const enough = 256 * MIB - (offset - gapStart)
  for (const [length, called] of [
    [enough - 1, 0],
    [enough, 1],
  ] as const) {
    const { counts, helpers } = crew()
    const { readers } = segmentsOf([length], { peeks: true, readsAtOnce: 4, helpers })
    t.deepEqual(await damagedOf(readers), [])
    t.is(counts.called, called)
    t.is(counts.asked > 0, called > 0)
  }
})

test('where there are none to be had, a long file is read several pieces at once', async (t) => {
  for (const none of [{ helpers: () => [] }, {}]) {
    const { source, readers } = segmentsOf([256 * MIB], { peeks: true, readsAtOnce: 4, ...none })
    t.deepEqual(await damagedOf(readers), [])
    t.is(source.most, 4)
  }
})
