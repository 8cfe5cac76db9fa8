import test from 'ava'
import type { SourceHelper } from '../../src/io/source.js'
import { copySegments, haveSameBytes } from '../../src/load/copy.js'
import { times } from '../support/effort.js'
import fc from '../support/fast-check.js'
import { type Abilities, readHeld, segmentsOf, WAYS } from '../support/segments.js'

const MIB = 2 ** 20

/** A source that holds some of its bytes in memory, alone or with another thread that reads them as well. */
const holding = (holds: (position: number) => boolean, helped: boolean): Abilities => ({
  views: true,
  readsAtOnce: 4,
  holds,
  helpers: (bytes) => {
    const helper: SourceHelper = {
      checksums: async () => undefined,
      readCached: (reads) => readHeld(bytes, reads, holds),
      close: async () => {},
    }
    return helped ? [Promise.resolve(helper), new Promise(() => {})] : []
  },
})

const COPIES: Readonly<Record<string, Abilities>> = {
  ...WAYS,
  'a map, held in memory': holding(() => true, false),
  'a map, held in memory in part': holding((position) => position % (3 * MIB) < 2 * MIB, false),
  'a map that is not held in memory': holding(() => false, false),
  'a map, held in memory in part, with another thread': holding(
    (position) => position % (5 * MIB) < 4 * MIB,
    true,
  ),
}

for (const [way, abilities] of Object.entries(COPIES)) {
  test(`segments are copied, each into its target, and nothing else: ${way}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 5 * MIB })), { maxLength: 6 }),
        fc.nat(6),
        fc.nat(6),
        async (lengths, left, twice) => {
          const { bytes, readers, segments } = segmentsOf(lengths, abilities)
          const wanted = readers.filter((_, i) => i !== left)
          // Two names over the same bytes are two targets.
          if (readers[twice] !== undefined) wanted.push(readers[twice])
          const targets = wanted.map((reader) => ({
            reader,
            target: new Uint8Array(reader.byteLength),
          }))
          let told = 0
          await copySegments(targets, (n) => {
            told += n
          })
          t.is(
            told,
            wanted.reduce((sum, { byteLength }) => sum + byteLength, 0),
          )
          return targets.every(({ reader, target }) => {
            const { offset, byteLength } = segments[readers.indexOf(reader)]!
            return Buffer.compare(target, bytes.subarray(offset, offset + byteLength)) === 0
          })
        },
      ),
      { numRuns: times(10) },
    )
  })
}

test('no read is ever under way into the caller’s memory: only copies, at once, come there', async (t) => {
  const { source, readers } = segmentsOf([9 * MIB, 12], { views: true, readsAtOnce: 4 })
  const targets = readers.map((reader) => ({ reader, target: new Uint8Array(reader.byteLength) }))
  const theirs = new Set(targets.map(({ target }) => target.buffer))
  const read = source.read.bind(source)
  source.read = (target, position) => {
    t.false(theirs.has(target.buffer as ArrayBuffer))
    return read(target, position)
  }
  await copySegments(targets)
  t.is(source.most, 4)
})

test('a target that is transferred while segments are copied is an error, and no read is left under way', async (t) => {
  const { source, readers } = segmentsOf([9 * MIB], { views: false, readsAtOnce: 4 })
  const target = new Uint8Array(9 * MIB)
  const copying = copySegments([{ reader: readers[0]!, target }], () => {
    if (target.byteLength > 0) structuredClone(target.buffer, { transfer: [target.buffer] })
  })
  await t.throwsAsync(copying, { code: 'CKPT_TENSOR_CHANGED' })
  t.is(source.underWay, 0)
})

for (const [way, abilities] of Object.entries(WAYS)) {
  test(`two ranges of bytes are the same if all of their bytes are: ${way}`, async (t) => {
    const length = 5 * MIB
    const { bytes, source, readers, segments } = segmentsOf([length, length + 3], abilities)
    const [one, other] = [segments[0]!.offset, segments[1]!.offset]
    bytes.copyWithin(other + 3, one, one + length)
    const same = (start: number, count: number) =>
      haveSameBytes(
        { reader: readers[0]!, start },
        { reader: readers[1]!, start: start + 3 },
        count,
      )
    t.true(await same(0, length))
    t.true(await same(1000, length - 1000))
    t.true(await same(0, 0))
    bytes[one + length - 1]! ^= 1
    t.false(await same(0, length))
    t.true(await same(0, length - 1))
    bytes[one + 10]! ^= 1
    t.false(await same(0, length))
    t.false(await same(10, 1))
    t.true(await same(11, length - 12))
    t.is(source.underWay, 0)
  })
}

const all = () => true
const { helpers: _, ...ofItself } = holding(all, false)

const HELD: Readonly<Record<string, Abilities>> = {
  'no thread helps': holding(all, false),
  'another thread reads as well': holding(all, true),
  'another thread can only sum': {
    ...ofItself,
    helpers: () => [Promise.resolve({ checksums: async () => undefined, close: async () => {} })],
  },
  'the source has no threads': ofItself,
}

for (const [way, abilities] of Object.entries(HELD)) {
  test(`what the system holds in memory goes straight to its place, and nothing is read: ${way}`, async (t) => {
    const { bytes, source, readers, segments } = segmentsOf([70 * MIB, MIB], abilities)
    const targets = readers.map((reader) => ({ reader, target: new Uint8Array(reader.byteLength) }))
    let turns = 0
    const counting = setInterval(() => turns++, 0)
    await copySegments(targets)
    clearInterval(counting)
    t.is(source.reads, 0)
    // Other code runs between batches of 32 MiB.
    t.true(turns > 0)
    for (const [i, { target }] of targets.entries()) {
      const { offset, byteLength } = segments[i]!
      t.is(Buffer.compare(target, bytes.subarray(offset, offset + byteLength)), 0)
    }
  })
}

test('another thread is asked for by the bytes that there are, takes its batches, and is closed, also if it comes too late', async (t) => {
  const asked: number[] = []
  let batches = 0
  let closed = 0
  const helper = (bytes: Uint8Array): SourceHelper => ({
    checksums: async () => undefined,
    readCached(reads) {
      batches++
      return readHeld(bytes, reads, all)
    },
    async close() {
      closed++
    },
  })
  const { bytes, source, readers } = segmentsOf([70 * MIB, 20 * MIB], { views: true, holds: all })
  let come: (helper: SourceHelper | undefined) => void = () => {}
  const late = new Promise<SourceHelper | undefined>((resolve) => {
    come = resolve
  })
  const never = Promise.resolve(undefined)
  const helpers = (length: number) => {
    asked.push(length)
    return [Promise.resolve(helper(bytes)), late, never]
  }
  const targets = readers.map((reader) => ({ reader, target: new Uint8Array(reader.byteLength) }))
  Object.assign(source, { helpers })
  await copySegments(targets)
  t.deepEqual(asked, [90 * MIB])
  // The first batch may begin before it comes.
  t.true(batches >= 2)
  t.is(closed, 1)
  come(helper(bytes))
  await late
  await Promise.resolve()
  t.is(closed, 2)
})

test('of a segment that is not held in memory only one batch is tried, and the rest is read', async (t) => {
  let asked = 0
  const { source, readers } = segmentsOf(
    [200 * MIB],
    holding(() => {
      asked++
      return false
    }, false),
  )
  await copySegments([{ reader: readers[0]!, target: new Uint8Array(200 * MIB) }])
  t.is(asked, 32)
  t.is(source.bytesRead, 200 * MIB)
})

test('memory that is transferred between two batches is an error, and not written to', async (t) => {
  const { readers } = segmentsOf(
    [70 * MIB],
    holding(() => true, false),
  )
  const target = new Uint8Array(70 * MIB)
  let taken: ArrayBuffer | undefined
  const copying = copySegments([{ reader: readers[0]!, target }], () => {
    taken ??= structuredClone(target.buffer, { transfer: [target.buffer] })
  })
  await t.throwsAsync(copying, { code: 'CKPT_TENSOR_CHANGED' })
  t.true(Buffer.from(taken!, 33 * MIB).equals(Buffer.alloc(37 * MIB)))
})
