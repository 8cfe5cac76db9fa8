import test from 'ava'
import {
  FLATBUFFER_LIMIT,
  gapBytes,
  isPlainFlatBuffer,
  LENGTH_BYTES,
  planLayout,
  SEGMENT_ALIGNMENT,
  segmentStart,
} from '../../src/format/layout.js'
import fc from '../support/fast-check.js'
import { holds } from '../support/format/property.js'

// Up to what a file can be at all, and around the edges of 32 bits.
const anyEnd = fc.oneof(
  fc.nat(1000),
  fc.maxSafeNat().filter((n) => n < 2 ** 53 - 128),
  fc.integer({ min: -200, max: 200 }).map((n) => 2 ** 31 + n),
  fc.integer({ min: -200, max: 200 }).map((n) => 2 ** 32 + n),
)
const anyLength = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 2 ** 40 }))

test('the numbers of the format are these', (t) => {
  t.is(SEGMENT_ALIGNMENT, 64)
  t.is(LENGTH_BYTES, 4)
  t.is(FLATBUFFER_LIMIT, 2_147_483_647)
})

test('a segment starts at the first multiple of 64 that leaves four bytes before it', (t) => {
  t.is(segmentStart(0), 64)
  t.is(segmentStart(59), 64)
  t.is(segmentStart(60), 64)
  t.is(segmentStart(61), 128)
  t.is(segmentStart(64), 128)
  t.is(segmentStart(124), 128)
  t.is(segmentStart(125), 192)
})

test('the start of a segment is a multiple of 64, far enough, and the first such one', (t) => {
  holds(
    t,
    fc.property(anyEnd, (end) => {
      const start = BigInt(segmentStart(end))
      const gap = start - BigInt(end)
      return start % 64n === 0n && gap >= 4n && gap - 64n < 4n
    }),
    { numRuns: 2000 },
  )
})

test('past 2 GiB and past 4 GiB nothing wraps around', (t) => {
  t.is(segmentStart(2 ** 31 - 5), 2 ** 31)
  t.is(segmentStart(2 ** 31 - 4), 2 ** 31)
  t.is(segmentStart(2 ** 31 - 3), 2 ** 31 + 64)
  t.is(segmentStart(2 ** 32 - 4), 2 ** 32)
  t.is(segmentStart(2 ** 32 - 3), 2 ** 32 + 64)
  t.is(segmentStart(2 ** 52), 2 ** 52 + 64)
  t.deepEqual(planLayout(1000, [2 ** 31, 2 ** 32, 1, 2 ** 45 + 1, 3]), {
    offsets: [
      1024,
      2 ** 31 + 1024 + 64,
      2 ** 32 + 2 ** 31 + 1024 + 128,
      2 ** 32 + 2 ** 31 + 1024 + 192,
      2 ** 45 + 2 ** 32 + 2 ** 31 + 1024 + 256,
    ],
    fileLength: 2 ** 45 + 2 ** 32 + 2 ** 31 + 1024 + 256 + 3,
  })
})

test('segments follow the metadata in order, each at the first possible position', (t) => {
  holds(
    t,
    fc.property(fc.nat(5000), fc.array(anyLength, { maxLength: 30 }), (metadataLength, lengths) => {
      const { offsets, fileLength } = planLayout(metadataLength, lengths)
      t.is(offsets.length, lengths.length)
      let end = metadataLength
      for (const [i, offset] of offsets.entries()) {
        t.is(offset, segmentStart(end))
        end = offset + lengths[i]!
      }
      t.is(fileLength, end)
    }),
  )
})

test('a file without segments is its metadata', (t) => {
  t.deepEqual(planLayout(123, []), { offsets: [], fileLength: 123 })
})

test('empty segments have a place of their own each, and the file ends with the last', (t) => {
  t.deepEqual(planLayout(100, [0, 0, 5, 0]), {
    offsets: [128, 192, 256, 320],
    fileLength: 320,
  })
})

test('a file of less than 2^31 - 1 bytes is one plain FlatBuffer', (t) => {
  t.true(isPlainFlatBuffer(0))
  t.true(isPlainFlatBuffer(2 ** 31 - 2))
  t.false(isPlainFlatBuffer(2 ** 31 - 1))
  t.false(isPlainFlatBuffer(2 ** 31))
  t.false(isPlainFlatBuffer(2 ** 32 + 5))
})

test('a gap is zeros, and the length of what follows it in a plain FlatBuffer', (t) => {
  t.deepEqual(gapBytes(4, 0x01020304, true), Uint8Array.of(4, 3, 2, 1))
  t.deepEqual(gapBytes(7, 258, true), Uint8Array.of(0, 0, 0, 2, 1, 0, 0))
  t.deepEqual(
    gapBytes(67, 2 ** 31 - 1, true).subarray(60),
    Uint8Array.of(0, 0, 0, 255, 255, 255, 127),
  )
  t.deepEqual(gapBytes(7, 258, false), new Uint8Array(7))
  t.deepEqual(gapBytes(4, 2 ** 33, false), new Uint8Array(4))
})
