import test from 'ava'
import { crc32 } from '../../../src/format/checksum.js'
import { PartMemory } from '../../../src/io/s3/part-memory.js'
import { crcOfParts, type Part } from '../../../src/io/s3/parts.js'
import type { Range } from '../../../src/io/source.js'
import fc from '../../support/fast-check.js'

const PART = 100

const numbered = (length: number) =>
  Uint8Array.from({ length }, (_, i) => Math.imul(i + 1, 0x9e3779b1) >>> 24)

/** Ranges of `length` bytes between some of these cuts, in order. */
function rangesOf(length: number, cuts: readonly number[]): Range[] {
  const ends = cuts.map((cut) => cut % (length + 1)).sort((a, b) => a - b)
  return ends.slice(1).map((end, i) => ({ start: ends[i]!, end }))
}

test('whatever is filled in whichever pieces, the parts are the file, and each sum is that of its bytes', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1200 }),
      fc.nat(400),
      fc.array(fc.record({ length: fc.integer({ min: 1, max: 250 }), cuts: fc.array(fc.nat()) }), {
        minLength: 1,
      }),
      fc.integer({ min: 1, max: 3 }),
      fc.boolean(),
      async (length, metadata, pieces, atOnce, isLent) => {
        const file = numbered(length)
        const memory = new PartMemory(atOnce)
        memory.begin(length, PART)
        const left: { number: number; bytes: Uint8Array; crc32: number; byteLength: number }[] = []
        const buffers = new Set<ArrayBufferLike>()
        const leave = (part: Part) => {
          const { number, bytes, crc32: sum } = part
          buffers.add(bytes.buffer)
          t.is(sum, crc32(bytes))
          left.push({ number, bytes: bytes.slice(), crc32: sum, byteLength: bytes.byteLength })
          // It arrives later.
          setImmediate(() => memory.release(part))
        }
        const fill = async (bytes: Uint8Array, position: number, cuts: readonly number[]) => {
          const ranges = rangesOf(bytes.byteLength, cuts)
          const sums = await memory.fill(bytes, position, ranges, leave)
          t.deepEqual(
            sums,
            ranges.map(({ start, end }) => crc32(file.subarray(position + start, position + end))),
          )
        }
        // The first bytes last, as a save writes its metadata.
        const first = Math.min(metadata, length)
        for (let position = first, i = 0; position < length; i++) {
          const { length: most, cuts } = pieces[i % pieces.length]!
          let bytes: Uint8Array = file.subarray(position, position + most)
          if (isLent) {
            let lent = memory.take(position)
            for (; lent === undefined; lent = memory.take(position)) await memory.freed()
            bytes = bytes.subarray(0, lent.byteLength)
            lent.set(bytes)
            bytes = lent.subarray(0, bytes.byteLength)
          }
          position += bytes.byteLength
          await fill(bytes, position - bytes.byteLength, cuts)
        }
        await fill(file.subarray(0, first), 0, [])
        left.sort((a, b) => a.number - b.number)
        t.deepEqual(Buffer.concat(left.map(({ bytes }) => bytes)), Buffer.from(file))
        t.is(crcOfParts(left), crc32(file))
        t.true(buffers.size <= Math.max(atOnce, 2))
      },
    ),
  )
})

test('it lends as many parts as there may be at once, of which that with the end of the metadata waits for it', async (t) => {
  const memory = new PartMemory(3)
  memory.begin(10 * PART, PART)
  const left: Part[] = []
  const fill = (bytes: Uint8Array, position: number) =>
    memory.fill(bytes, position, [], (part) => left.push(part))
  const lent = [30, 100, 200].map((position) => memory.take(position)!)
  t.deepEqual(
    lent.map(({ byteLength }) => byteLength),
    [70, 100, 100],
  )
  t.is(memory.take(300), undefined)
  for (const [i, position] of [30, 100, 200].entries()) await fill(lent[i]!, position)
  // Full ones are sent from where they are; they are still in use.
  t.deepEqual(
    left.map(({ bytes }) => bytes.buffer),
    [lent[1]!.buffer, lent[2]!.buffer],
  )
  t.is(memory.take(300), undefined)
  const freed = memory.freed()
  memory.release(left[0]!)
  await freed
  t.is(memory.take(300)!.buffer, lent[1]!.buffer)
  t.is(memory.take(400), undefined)
  // The metadata: the first part leaves, and others have its memory when it has arrived.
  await fill(numbered(30), 0)
  t.is(left[2]!.number, 1)
  t.is(memory.take(400), undefined)
  memory.release(left[2]!)
  t.is(memory.take(400)!.buffer, lent[0]!.buffer)
})

test('one part at once: another one is lent while the first one waits for the metadata, and none besides', (t) => {
  const memory = new PartMemory(1)
  memory.begin(10 * PART, PART)
  t.is(memory.take(30)!.byteLength, 70)
  t.is(memory.take(100)!.byteLength, 100)
  t.is(memory.take(200), undefined)
})

test('bytes of its own callers wait until a part has arrived, if as many are under way as may be', async (t) => {
  const memory = new PartMemory(1)
  memory.begin(3 * PART, PART)
  const left: Part[] = []
  let isFilled = false
  const filling = memory
    .fill(numbered(3 * PART), 0, [], (part) => left.push(part))
    .then(() => {
      isFilled = true
    })
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate)
    t.is(left.length, i + 1)
    t.is(isFilled, i === 2)
    memory.release(left[i]!)
  }
  await filling
  t.is(new Set(left.map(({ bytes }) => bytes.buffer)).size, 1)
})
