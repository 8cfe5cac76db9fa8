import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { type Piece, piecesOf } from '../../src/io/pieces.js'
import type { Range } from '../../src/io/source.js'
import fc from '../support/fast-check.js'
import { scattered } from '../support/patterns.js'
import { type Abilities, CountingSource } from '../support/segments.js'

const MIB = 2 ** 20

const WAYS: Readonly<Record<string, Abilities>> = {
  'looked at in place': { views: true },
  'read one after the other': { views: false },
  'read ahead': { views: false, readsAtOnce: 4 },
  'read ahead, though it can be looked at': { views: true, readsAtOnce: 4 },
}

const BYTES = scattered(33 * MIB)

for (const [way, abilities] of Object.entries(WAYS)) {
  test(`the pieces of ranges are all of their bytes, in order, at most 4 MiB each: ${way}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({
            start: fc.nat(20 * MIB),
            length: fc.oneof(fc.nat(300), fc.nat(13 * MIB), fc.constantFrom(4 * MIB, 8 * MIB)),
          }),
          { maxLength: 4 },
        ),
        async (wanted) => {
          const ranges = wanted.map(({ start, length }) => ({ start, end: start + length }))
          const source = new CountingSource(BYTES, abilities)
          const ends = new Map(ranges.map((range) => [range, range.start]))
          let last = -1
          for await (const { range, bytes } of piecesOf(source, ranges)) {
            const at = ends.get(range)!
            t.true(bytes.byteLength > 0 && bytes.byteLength <= 4 * MIB)
            t.true(Buffer.compare(bytes, BYTES.subarray(at, at + bytes.byteLength)) === 0)
            ends.set(range, at + bytes.byteLength)
            t.true(ranges.indexOf(range) >= last)
            last = ranges.indexOf(range)
          }
          for (const [range, end] of ends) t.is(end, range.end)
          if (way === 'looked at in place') t.is(source.reads, 0)
        },
      ),
      { numRuns: 25 },
    )
  })
}

/** Reads that end when they are told to, in order. */
class HeldSource extends CountingSource {
  readonly held: (() => void)[] = []

  override async read(target: Uint8Array, position: number): Promise<void> {
    this.underWay++
    await new Promise<void>((resolve) => {
      this.held.push(resolve)
    })
    this.underWay--
    this.fail?.(position)
    target.fill(position / MIB)
  }
}

test('as many reads are on their way as the source carries out, and no more', async (t) => {
  for (const [readsAtOnce, atOnce, expected] of [
    [4, undefined, 4],
    [4, 2, 2],
    [2, 4, 2],
  ] as const) {
    const source = new HeldSource(BYTES, { views: false, readsAtOnce })
    const pieces = piecesOf(
      source,
      [{ start: 0, end: 33 * MIB }],
      atOnce === undefined ? {} : { atOnce },
    )
    const first = pieces.next()
    await setImmediate()
    t.is(source.underWay, expected)
    source.held.shift()!()
    const { value } = await first
    t.is((value as Piece<Range>).bytes[0], 0)
    // The next is read when this one is no longer needed, into its memory.
    t.is(source.underWay, expected - 1)
    const second = pieces.next()
    await setImmediate()
    t.is(source.underWay, expected)
    for (const resolve of source.held) resolve()
    await second
    await pieces.return(undefined)
    t.is(source.underWay, 0)
  }
})

test('a source that does not say how many it carries out gets one read after the other', async (t) => {
  const source = new HeldSource(BYTES, { views: false })
  const pieces = piecesOf(source, [{ start: 0, end: 33 * MIB }])
  const first = pieces.next()
  await setImmediate()
  t.is(source.underWay, 1)
  source.held.shift()!()
  await first
  t.is(source.underWay, 0)
})

test('memory is made for as many pieces as are read at once, however many there are', async (t) => {
  const ranges = [
    { start: 3, end: 9 },
    { start: 0, end: 33 * MIB },
    { start: 7, end: 15 * MIB },
  ]
  const source = new CountingSource(BYTES, { views: false, readsAtOnce: 2 })
  const buffers = new Set<unknown>()
  for await (const { bytes } of piecesOf(source, ranges)) buffers.add(bytes.buffer)
  // And once for what is longer than the first one was.
  t.is(buffers.size, 3)
})

test('readings in turn share the memory that they are given', async (t) => {
  const source = new CountingSource(BYTES, { views: false, readsAtOnce: 3 })
  const memory: Uint8Array[] = []
  const buffers = new Set<unknown>()
  for (const start of [0, 9 * MIB, 13 * MIB]) {
    for await (const { bytes } of piecesOf(source, [{ start, end: start + 20 * MIB }], {
      memory,
    })) {
      buffers.add(bytes.buffer)
    }
  }
  t.is(buffers.size, 3)
  t.is(memory.length, 3)
  t.true(memory.every(({ buffer }) => buffers.has(buffer)))
})

test('ranges are requested when their turn comes', async (t) => {
  let asked = 0
  function* ranges(): Generator<Range> {
    for (; asked < 20; ) yield { start: asked++, end: 30 }
  }
  const source = new CountingSource(BYTES, { views: false, readsAtOnce: 3 })
  const pieces = piecesOf(source, ranges())
  await pieces.next()
  t.is(asked, 3)
  await pieces.next()
  t.is(asked, 4)
  await pieces.return(undefined)
  t.is(asked, 4)
})

test('a read that fails is thrown in its turn, when no other is under way', async (t) => {
  const source = new CountingSource(BYTES, { views: false, readsAtOnce: 4 })
  source.fail = (position) => {
    if (position >= 4 * MIB) throw new CheckpointError('CKPT_READ', `at ${position / MIB}`)
  }
  const pieces = piecesOf(source, [{ start: 0, end: 33 * MIB }])
  t.is((await pieces.next()).done, false)
  const error = await t.throwsAsync(pieces.next(), { code: 'CKPT_READ' })
  t.regex(error!.message, /at 4$/)
  t.is(source.underWay, 0)
  t.true((await pieces.next()).done)
})

/** How often others had their turn until all pieces were there. */
async function turnsOfOthers(source: CountingSource, ranges: readonly Range[]): Promise<number> {
  let turns = 0
  let over = false
  const others = (async () => {
    while (!over) {
      await setImmediate()
      turns++
    }
  })()
  for await (const _ of piecesOf(source, ranges));
  over = true
  await others
  return turns
}

/** Answers at once, as a file in the page cache answers short reads. */
class PromptSource extends CountingSource {
  override async read(target: Uint8Array, position: number): Promise<void> {
    target.set(BYTES.subarray(position, position + target.byteLength))
  }
}

test('it yields to the event loop after each 4 MiB of views, and after every 32 short reads', async (t) => {
  const looks = new CountingSource(BYTES, { views: true })
  t.true((await turnsOfOthers(looks, [{ start: 0, end: 33 * MIB }])) >= 8)
  t.true((await turnsOfOthers(looks, [{ start: 0, end: 3 * MIB }])) <= 2)
  const far = Array.from({ length: 100 }, (_, i) => ({ start: 20 * MIB, end: 20 * MIB + i }))
  t.true((await turnsOfOthers(looks, far)) <= 2)

  const short = (count: number) =>
    Array.from({ length: count }, (_, i) => ({ start: i * 64, end: i * 64 + 10 }))
  for (const readsAtOnce of [1, 4]) {
    const reads = new PromptSource(BYTES, { views: false, readsAtOnce })
    t.true((await turnsOfOthers(reads, short(330))) >= 10)
    t.true((await turnsOfOthers(reads, short(31))) <= 2)
    // Long ones are the system's, and others have their turns while it is at them.
    const long = Array.from({ length: 100 }, (_, i) => ({ start: i, end: i + 256 * 1024 }))
    t.true((await turnsOfOthers(reads, long)) <= 2)
  }
})
