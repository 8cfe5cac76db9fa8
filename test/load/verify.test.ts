import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { crc32 } from '../../src/format/checksum.js'
import { nextTurn } from '../../src/io/concurrency.js'
import type { SourceHelper } from '../../src/io/source.js'
import { SegmentReader } from '../../src/load/segment.js'
import { checkSegments } from '../../src/load/verify.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'
import { damage, damagedOf, damages, segmentsOf, WAYS } from '../support/segments.js'

const MIB = 2 ** 20

// A second such change of this byte undoes the first.
const CHANGED_BACK = { segment: 0, inGap: false, where: 0.5 }

for (const [way, abilities] of Object.entries(WAYS)) {
  test(`exactly the damaged segments are found: ${way}`, async (t) => {
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
      { numRuns: times(15), examples: [[[2], [CHANGED_BACK, CHANGED_BACK], 1]] },
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

test('a consumer that stops early leaves no read under way', async (t) => {
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
    for await (const _ of checkSegments(readers, {
      tick: () => {
        throw enough
      },
    }));
  })()
  t.is(await t.throwsAsync(checking), enough)
  t.is(source.underWay, 0)
})

test('every byte of a segment is reported once', async (t) => {
  for (const abilities of Object.values(WAYS)) {
    const lengths = [3, 9 * MIB, 0, 100]
    const { bytes, readers, segments } = segmentsOf(lengths, abilities)
    bytes[segments[1]!.offset - 1]!++
    let told = 0
    const found: unknown[] = []
    for await (const fault of checkSegments(readers, {
      tick: (n) => {
        t.true(n > 0)
        told += n
      },
    })) {
      found.push(fault.rule)
    }
    t.deepEqual(found, ['gap'])
    t.is(told, 9 * MIB + 103)
  }
})

test('a segment without a byte, where there is nothing else, is checked all the same', async (t) => {
  const { source } = segmentsOf([], { views: true })
  const empty = { gapStart: 1024, offset: 1024, byteLength: 0 }
  const options = { plain: false, verify: true, state: 'model' }
  const readers = [0, 1, 0].map(
    (crc32, i) => new SegmentReader(source, { ...empty, crc32 }, { ...options, tensor: `${i}` }),
  )
  t.deepEqual(await damagedOf(readers), ['1 CKPT_TENSOR_CHECKSUM'])
})

/** Helpers over bytes, and what has been asked of them. */
class Helpers {
  /** How long a job takes. */
  milliseconds = 0
  asked = 0
  bytes = 0
  closed = 0

  /** One that does its first `able` jobs, each in a turn of its own, and can do no more. */
  helper(bytes: Uint8Array, able = Number.POSITIVE_INFINITY): SourceHelper {
    let jobs = 0
    return {
      checksums: async (ranges) => {
        this.asked++
        const can = ++jobs <= able
        await (this.milliseconds === 0 ? nextTurn() : setTimeout(this.milliseconds))
        if (!can) return undefined
        return ranges.map(({ start, end }) => {
          this.bytes += end - start
          return crc32(bytes.subarray(start, end))
        })
      },
      close: async () => {
        this.closed++
      },
    }
  }
}

type Crew = (
  helpers: Helpers,
) => (bytes: Uint8Array) => readonly Promise<SourceHelper | undefined>[]

const CREWS: Readonly<Record<string, Crew>> = {
  'two that are ready': (helpers) => (bytes) => [
    Promise.resolve(helpers.helper(bytes)),
    Promise.resolve(helpers.helper(bytes)),
  ],
  'one that takes a while to come': (helpers) => (bytes) => [
    setTimeout(2).then(() => helpers.helper(bytes)),
  ],
  'one that fails at its second job': (helpers) => (bytes) => [
    Promise.resolve(helpers.helper(bytes, 1)),
  ],
  'one that can do nothing, and one that is ready': (helpers) => (bytes) => [
    Promise.resolve(helpers.helper(bytes, 0)),
    Promise.resolve(helpers.helper(bytes)),
  ],
  'one that cannot be had': () => () => [Promise.resolve(undefined)],
  'one that never comes': () => () => [new Promise(() => {})],
  none: () => () => [],
}

for (const [who, crew] of Object.entries(CREWS)) {
  test(`damaged segments are found, and every byte is reported once: ${who}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.nat(300),
            fc.integer({ min: 2 ** 18 - 1, max: 2 ** 18 + 1 }),
            fc.integer({ min: 0, max: 40 * MIB }),
          ),
          { minLength: 1, maxLength: 4 },
        ),
        fc.array(damages(6)),
        async (lengths, damaged) => {
          const helpers = crew(new Helpers())
          const saved = segmentsOf(lengths, { views: true, readsAtOnce: 4, helpers })
          const expected = damage(saved, damaged)
          let told = 0
          const found: string[] = []
          const faults = checkSegments(saved.readers, {
            tick: (bytes) => {
              told += bytes
            },
          })
          for await (const { tensor, rule, code } of faults) found.push(`${tensor} ${rule ?? code}`)
          t.deepEqual(found, expected)
          t.is(
            told,
            lengths.reduce((sum, length) => sum + length),
          )
        },
      ),
      { numRuns: times(3) },
    )
  })
}

test('long segments are the helpers’, and this thread reads what lies between them', async (t) => {
  const helpers = new Helpers()
  const lengths = [100 * MIB, 5, 70 * MIB, 2 ** 18, 3]
  const { source, readers } = segmentsOf(lengths, {
    views: true,
    readsAtOnce: 4,
    helpers: CREWS['two that are ready']!(helpers),
  })
  for await (const fault of checkSegments(readers)) throw fault
  t.is(helpers.bytes, 170 * MIB + 2 ** 18)
  // In jobs of 32 MiB, whosever bytes they are.
  t.is(helpers.asked, 6)
  // Before each of the long ones, and behind them.
  t.is(source.reads, 4)
  t.is(helpers.closed, 2)
})

test('after a consumer stops early no more work is done, and the helpers release the file', async (t) => {
  const helpers = new Helpers()
  helpers.milliseconds = 50
  const { readers } = segmentsOf([320 * MIB], {
    views: true,
    readsAtOnce: 4,
    helpers: CREWS['two that are ready']!(helpers),
  })
  const enough = new Error('enough')
  const checking = (async () => {
    for await (const _ of checkSegments(readers, {
      tick: () => {
        throw enough
      },
    }));
  })()
  t.is(await t.throwsAsync(checking), enough)
  // Those that were under way, and for each the one that may have been asked for just before.
  for (let tries = 0; tries < 500 && helpers.closed < 2; tries++) await setTimeout(20)
  t.true(helpers.asked <= 8)
  t.is(helpers.closed, 2)
})

test('this thread works until a helper comes, and nothing is done twice', async (t) => {
  const helpers = new Helpers()
  let come = (): void => {}
  const { source, readers, segments } = segmentsOf([200 * MIB], {
    views: true,
    readsAtOnce: 1,
    helpers: (bytes) => [
      new Promise((resolve) => {
        come = () => resolve(helpers.helper(bytes))
      }),
    ],
  })
  for await (const fault of checkSegments(readers, { tick: () => come() })) throw fault
  const { gapStart, offset, byteLength } = segments[0]!
  t.is(source.bytesRead + helpers.bytes, offset - gapStart + byteLength)
  t.true(source.bytesRead > 32 * MIB && source.bytesRead < 70 * MIB, `${source.bytesRead}`)
})

test('work that a helper failed at is done by this thread, once', async (t) => {
  for (const able of [0, 1, 3]) {
    const helpers = new Helpers()
    const { source, readers, segments } = segmentsOf([160 * MIB], {
      views: true,
      readsAtOnce: 4,
      helpers: (bytes) => [Promise.resolve(helpers.helper(bytes, able))],
    })
    for await (const fault of checkSegments(readers)) throw fault
    const { gapStart, offset, byteLength } = segments[0]!
    t.is(helpers.bytes, able * 32 * MIB)
    t.is(source.bytesRead, offset - gapStart + byteLength - helpers.bytes)
  }
})

test('what this thread verifies beside helpers takes the memory of two pieces, however long it is', async (t) => {
  const { source, readers } = segmentsOf([300 * MIB], {
    views: true,
    readsAtOnce: 4,
    helpers: () => [new Promise(() => {})],
  })
  const buffers = new Set<unknown>()
  const read = source.read.bind(source)
  source.read = (target, position) => {
    if (target.byteLength > 64) buffers.add(target.buffer)
    return read(target, position)
  }
  for await (const fault of checkSegments(readers)) throw fault
  t.is(buffers.size, 2)
})

test('short segments are taken apart wherever a piece of the file ends', async (t) => {
  const lengths = Array.from({ length: 60 }, (_, i) => 200_000 + i)
  const saved = segmentsOf(lengths, {
    views: true,
    readsAtOnce: 4,
    helpers: CREWS['two that are ready']!(new Helpers()),
  })
  const expected = damage(saved, [
    { segment: 21, inGap: false, where: 0.9 },
    { segment: 59, inGap: true, where: 0 },
  ])
  t.is(expected.length, 2)
  const found: string[] = []
  for await (const { tensor, rule, code } of checkSegments(saved.readers, {
    tick: (bytes) => {
      t.true(bytes > 0)
    },
  })) {
    found.push(`${tensor} ${rule ?? code}`)
  }
  t.deepEqual(found, expected)
})
