import { setTimeout } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { crc32 } from '../../src/format/checksum.js'
import { nextTurn } from '../../src/io/concurrency.js'
import type { ChecksumHelper } from '../../src/io/source.js'
import { checkTogether } from '../../src/load/verify-together.js'
import { damage, damages, segmentsOf } from '../support/segments.js'

const MIB = 2 ** 20

/** Helpers over bytes, and what has been asked of them. */
class Helpers {
  /** How long a job takes. */
  milliseconds = 0
  asked = 0
  bytes = 0
  closed = 0

  /** One that does its first `able` jobs, each in a turn of its own, and can do no more. */
  helper(bytes: Uint8Array, able = Number.POSITIVE_INFINITY): ChecksumHelper {
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
) => (bytes: Uint8Array) => readonly Promise<ChecksumHelper | undefined>[]

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
  test(`what is damaged is found, and every byte told of once: ${who}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.oneof(
            fc.nat(300),
            fc.integer({ min: 2 ** 18 - 1, max: 2 ** 18 + 1 }),
            fc.integer({ min: 0, max: 50 * MIB }),
          ),
          { minLength: 1, maxLength: 6 },
        ),
        fc.array(damages(6)),
        async (lengths, damaged) => {
          const helpers = crew(new Helpers())
          const saved = segmentsOf(lengths, { peeks: true, readsAtOnce: 4, helpers })
          const expected = damage(saved, damaged)
          let told = 0
          const found: string[] = []
          const faults = checkTogether(
            saved.source,
            saved.source.helpers!(),
            saved.readers,
            (bytes) => {
              told += bytes
            },
          )
          for await (const { tensor, rule, code } of faults) found.push(`${tensor} ${rule ?? code}`)
          t.deepEqual(found, expected)
          t.is(
            told,
            lengths.reduce((sum, length) => sum + length),
          )
        },
      ),
      { numRuns: 8 },
    )
  })
}

test('long segments are the helpers’, and this thread reads what lies between them', async (t) => {
  const helpers = new Helpers()
  const lengths = [100 * MIB, 5, 70 * MIB, 2 ** 18, 3]
  const { source, readers } = segmentsOf(lengths, {
    peeks: true,
    readsAtOnce: 4,
    helpers: CREWS['two that are ready']!(helpers),
  })
  for await (const fault of checkTogether(source, source.helpers!(), readers, undefined))
    throw fault
  t.is(helpers.bytes, 170 * MIB + 2 ** 18)
  // In jobs of 32 MiB, whosever bytes they are.
  t.is(helpers.asked, 6)
  // Before each of the long ones, and behind them.
  t.is(source.reads, 4)
  t.is(helpers.closed, 2)
})

test('whoever asks no further has nothing more done, and the helpers let go', async (t) => {
  const helpers = new Helpers()
  helpers.milliseconds = 50
  const { source, readers } = segmentsOf([600 * MIB], {
    peeks: true,
    readsAtOnce: 4,
    helpers: CREWS['two that are ready']!(helpers),
  })
  const enough = new Error('enough')
  const checking = (async () => {
    for await (const _ of checkTogether(source, source.helpers!(), readers, () => {
      throw enough
    }));
  })()
  t.is(await t.throwsAsync(checking), enough)
  // Those that were under way, and for each the one that may have been asked for just before.
  await setTimeout(200)
  t.true(helpers.asked <= 8)
  t.is(helpers.closed, 2)
})

test('this thread works until a helper comes, and nothing is done twice', async (t) => {
  const helpers = new Helpers()
  let come = (): void => {}
  const { source, readers, segments } = segmentsOf([200 * MIB], {
    peeks: true,
    readsAtOnce: 1,
    helpers: (bytes) => [
      new Promise((resolve) => {
        come = () => resolve(helpers.helper(bytes))
      }),
    ],
  })
  for await (const fault of checkTogether(source, source.helpers!(), readers, () => come()))
    throw fault
  const { gapStart, offset, byteLength } = segments[0]!
  t.is(source.bytesRead + helpers.bytes, offset - gapStart + byteLength)
  t.true(source.bytesRead > 32 * MIB && source.bytesRead < 70 * MIB, `${source.bytesRead}`)
})

test('what a helper could not do is done by this thread, once', async (t) => {
  for (const able of [0, 1, 3]) {
    const helpers = new Helpers()
    const { source, readers, segments } = segmentsOf([160 * MIB], {
      peeks: true,
      readsAtOnce: 4,
      helpers: (bytes) => [Promise.resolve(helpers.helper(bytes, able))],
    })
    for await (const fault of checkTogether(source, source.helpers!(), readers, undefined))
      throw fault
    const { gapStart, offset, byteLength } = segments[0]!
    t.is(helpers.bytes, able * 32 * MIB)
    t.is(source.bytesRead, offset - gapStart + byteLength - helpers.bytes)
  }
})

test('short segments are taken apart wherever a piece of the file ends', async (t) => {
  const lengths = Array.from({ length: 60 }, (_, i) => 200_000 + i)
  const saved = segmentsOf(lengths, {
    peeks: true,
    readsAtOnce: 4,
    helpers: CREWS['two that are ready']!(new Helpers()),
  })
  const expected = damage(saved, [
    { segment: 21, inGap: false, where: 0.9 },
    { segment: 59, inGap: true, where: 0 },
  ])
  t.is(expected.length, 2)
  const found: string[] = []
  for await (const { tensor, rule, code } of checkTogether(
    saved.source,
    saved.source.helpers!(),
    saved.readers,
    (bytes) => {
      t.true(bytes > 0)
    },
  )) {
    found.push(`${tensor} ${rule ?? code}`)
  }
  t.deepEqual(found, expected)
})
