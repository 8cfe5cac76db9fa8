/**
 * What every sink must do, wherever its bytes go. A test file of a sink calls this with a way to make a
 * place; a new sink passes when it is the same to a save as all others.
 */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import ava, { type ExecutionContext } from 'ava'
import { crc32 } from '../../src/format/checksum.js'
import type { Sink, StagingSink, SummingSink } from '../../src/io/sink.js'
import fc from './fast-check.js'
import { scattered } from './patterns.js'
import { scratchFolder } from './scratch.js'

/** A place for one checkpoint, and what there is of it. */
export interface SinkPlace {
  /** A sink to the place; the same one again, if a sink is a place of its own. */
  readonly sink: () => Sink
  /** The checkpoint that is there, or undefined. */
  readonly read: () => Promise<Uint8Array | undefined>
  /** What else lies there: drafts that should be gone. */
  readonly leftovers?: () => Promise<readonly string[]>
}

/** Makes an empty place. What it needs is removed with the test. */
export type MakePlace = (t: ExecutionContext) => Promise<SinkPlace>

/** A place in a folder of the test's own, but for the sink. */
export async function filePlace(t: ExecutionContext) {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const read = async () => {
    const names = await readdir(folder)
    return names.includes('a.ckpt') ? readFile(path) : undefined
  }
  const leftovers = async () => (await readdir(folder)).filter((name) => name !== 'a.ckpt')
  return { path, read, leftovers }
}

const BYTES = scattered(300_000)

/** Writes pieces of `bytes` that end at `ends`, in the order of `order`, as many at once as the sink takes. */
async function writeAll(
  sink: Sink,
  bytes: Uint8Array,
  ends: readonly number[] = [],
): Promise<void> {
  const cuts = [...new Set([0, ...ends, bytes.length])].sort((a, b) => a - b)
  const pieces = cuts.slice(1).map((end, i) => [cuts[i]!, end] as const)
  // The first bytes last, as a save writes its metadata.
  pieces.push(...pieces.splice(0, 1))
  const atOnce = Math.min(sink.writesAtOnce ?? 1, pieces.length)
  for (let i = 0; i < pieces.length; i += atOnce) {
    const writes = pieces.slice(i, i + atOnce)
    await Promise.all(writes.map(([start, end]) => sink.write(bytes.subarray(start, end), start)))
  }
}

async function save(sink: Sink, bytes: Uint8Array): Promise<void> {
  await sink.begin(bytes.length)
  await writeAll(sink, bytes)
  await sink.sync()
  await sink.commit()
}

const isSame = (a: Uint8Array | undefined, b: Uint8Array) =>
  a !== undefined && Buffer.compare(a, b) === 0

type Declare = (title: string, run: (t: ExecutionContext) => Promise<void>) => void

/** Declares the tests of a sink, named after `what`; by `declare`, which may skip them with a reason. */
export function sinkConforms(what: string, makePlace: MakePlace, declare: Declare = ava): void {
  const test = (title: string, run: (t: ExecutionContext) => Promise<unknown>) =>
    declare(`${what}: ${title}`, async (t) => {
      await run(t)
      t.pass()
    })
  const isClean = async (t: ExecutionContext, place: SinkPlace) =>
    t.deepEqual((await place.leftovers?.()) ?? [], [])

  test('bytes arrive at their positions, however they are cut and in whatever order', async (t) => {
    const place = await makePlace(t)
    await fc.assert(
      fc.asyncProperty(
        fc.nat(BYTES.length),
        fc.array(fc.nat(BYTES.length)),
        async (length, ends) => {
          const bytes = BYTES.subarray(0, length)
          const sink = place.sink()
          await sink.begin(length)
          await writeAll(
            sink,
            bytes,
            ends.filter((end) => end < length),
          )
          await sink.sync()
          const durability = await sink.commit()
          return (
            isSame(await place.read(), bytes) &&
            ['durable', 'file-only', 'none'].includes(durability)
          )
        },
      ),
      { numRuns: 20 },
    )
    await isClean(t, place)
  })

  test('what was there before is there until the commit, at every step', async (t) => {
    const place = await makePlace(t)
    t.is(await place.read(), undefined)
    let before: Uint8Array | undefined
    for (const length of [1000, 200_000, 500]) {
      const bytes = BYTES.slice(length, 2 * length)
      const isUntouched = async () =>
        before === undefined
          ? t.is(await place.read(), undefined)
          : t.true(isSame(await place.read(), before))
      const sink = place.sink()
      await sink.begin(bytes.length)
      await isUntouched()
      await writeAll(sink, bytes, [100])
      await isUntouched()
      await sink.sync()
      await isUntouched()
      await sink.commit()
      t.true(isSame(await place.read(), bytes))
      before = bytes
    }
  })

  test('an abort leaves what was there and nothing else, at every step, and a save comes after it', async (t) => {
    const place = await makePlace(t)
    await save(place.sink(), BYTES.slice(0, 100))
    const steps: ((sink: Sink) => Promise<unknown>)[] = [
      (sink) => sink.begin(1000),
      (sink) => writeAll(sink, BYTES.subarray(0, 500)),
      (sink) => writeAll(sink, BYTES.subarray(0, 1000)),
      (sink) => sink.sync(),
    ]
    for (let last = 0; last <= steps.length; last++) {
      const sink = place.sink()
      for (const step of steps.slice(0, last)) await step(sink)
      await sink.abort()
      await sink.abort()
      t.true(isSame(await place.read(), BYTES.subarray(0, 100)), `after ${last} steps`)
      await isClean(t, place)
    }
    await save(place.sink(), BYTES)
    t.true(isSame(await place.read(), BYTES))
  })

  test('an abort after the commit has no effect', async (t) => {
    const place = await makePlace(t)
    const sink = place.sink()
    await save(sink, BYTES)
    await sink.abort()
    t.true(isSame(await place.read(), BYTES))
    await isClean(t, place)
  })

  test('of a view its own bytes are written, and its memory is the caller’s afterwards', async (t) => {
    const place = await makePlace(t)
    for (const buffer of [new ArrayBuffer(5000), new SharedArrayBuffer(5000)]) {
      const memory = new Uint8Array(buffer)
      memory.set(BYTES.subarray(0, 5000))
      const sink = place.sink()
      await sink.begin(3000)
      for (const start of [0, 1000, 2000]) {
        await sink.write(memory.subarray(start + 7, start + 1007), start)
        memory.fill(0, start + 7, start + 1007)
      }
      await sink.sync()
      await sink.commit()
      t.true(isSame(await place.read(), BYTES.subarray(7, 3007)))
    }
  })

  test('it says what messages call it, and how much it writes at once', async (t) => {
    const { path, writesAtOnce = 1 } = (await makePlace(t)).sink()
    t.true(path === undefined || path.length > 0)
    t.true(writesAtOnce >= 1)
  })

  test('memory that it lends, if it lends any, is there from `begin` on, and is written in place', async (t) => {
    const place = await makePlace(t)
    const sink: Sink & Partial<StagingSink> = place.sink()
    if (sink.staging === undefined) return
    const begun = sink.begin(3000)
    const lent = sink.staging.take(1000)!
    await begun
    lent.set(BYTES.subarray(1000, 3000))
    await sink.write(lent.subarray(0, 1500), 1000)
    await sink.write(lent.subarray(1500, 2000), 2500)
    sink.staging.give(lent)
    await sink.write(BYTES.subarray(0, 1000), 0)
    await sink.sync()
    await sink.commit()
    t.true(isSame(await place.read(), BYTES.subarray(0, 3000)))
  })

  test('the checksums that it makes, if it makes any, are those of what it writes', async (t) => {
    const place = await makePlace(t)
    const sink: Sink & Partial<SummingSink> = place.sink()
    if (sink.writeSummed === undefined) return
    await sink.begin(1000)
    const ranges = [
      { start: 0, end: 10 },
      { start: 10, end: 10 },
      { start: 500, end: 1000 },
    ]
    const checksums = await sink.writeSummed(BYTES.subarray(0, 1000), 0, ranges)
    t.deepEqual(
      checksums,
      ranges.map(({ start, end }) => crc32(BYTES.subarray(start, end))),
    )
    await sink.sync()
    await sink.commit()
    t.true(isSame(await place.read(), BYTES.subarray(0, 1000)))
  })
}
