import test from 'ava'
import { SegmentTable } from '../../src/format/segment-table.js'

const segments = [
  { gapStart: 100, offset: 128, byteLength: 0, crc32: 0 },
  { gapStart: 128, offset: 192, byteLength: 2 ** 33, crc32: 0xffffffff },
  { gapStart: 192 + 2 ** 33, offset: 256 + 2 ** 33, byteLength: 1, crc32: 7 },
]

test('gives segments by where they start, and in their order', (t) => {
  const table = new SegmentTable(5)
  for (const segment of segments) table.add(segment)
  t.is(table.size, 3)
  t.deepEqual([...table.values()], segments)
  for (const segment of segments) t.deepEqual(table.get(segment.offset), segment)
})

test('where no segment starts there is none, also inside of one and in front of all', (t) => {
  const table = new SegmentTable(3)
  t.is(table.get(0), undefined)
  for (const segment of segments) table.add(segment)
  for (const offset of [0, 127, 129, 193, 255 + 2 ** 33, 2 ** 34])
    t.is(table.get(offset), undefined)
})
