import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { CheckpointError } from '../../src/errors.js'
import { crc32 } from '../../src/format/checksum.js'
import type { Source } from '../../src/io/source.js'
import { SegmentReader } from '../../src/load/segment.js'

interface Abilities {
  readonly views?: boolean
  readonly sync?: boolean
}

/** A source over bytes that can do what it is told to, and notes what it is asked for. */
class NotingSource implements Source {
  kind: Source['kind'] = 'blob'
  readonly size: number
  readonly view?: (position: number, length: number) => Uint8Array
  readonly readSync?: (target: Uint8Array, position: number) => void
  /** From where to where was read. */
  readonly reads: [start: number, end: number][] = []
  views = 0
  unchanged = 0
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array, { views = false, sync = false }: Abilities = {}) {
    this.#bytes = bytes
    this.size = bytes.byteLength
    if (views) {
      this.view = (position, length) => {
        this.views++
        return bytes.subarray(position, position + length)
      }
    }
    if (sync) this.readSync = (target, position) => this.#read(target, position)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    await setImmediate()
    this.#read(target, position)
  }

  async checkUnchanged(): Promise<void> {
    this.unchanged++
  }

  close(): void {}

  #read(target: Uint8Array, position: number): void {
    this.reads.push([position, position + target.byteLength])
    target.set(this.#bytes.subarray(position, position + target.byteLength))
  }
}

// Metadata ends at 100, so the first segment starts at 128, and its length stands before it.
const GAP_START = 100
const OFFSET = 128

/** A file with one segment of that length, and a reader of it. */
function segmentOf(length: number, abilities: Abilities = {}, verify = true, state = 'model') {
  const file = new Uint8Array(OFFSET + length)
  new DataView(file.buffer).setUint32(OFFSET - 4, length, true)
  const data = file.subarray(OFFSET)
  for (let i = 0; i < length; i++) data[i] = i * 31 + 7
  const expected = data.slice()
  const segment = { gapStart: GAP_START, offset: OFFSET, byteLength: length, crc32: crc32(data) }
  const source = new NotingSource(file, abilities)
  const reader = new SegmentReader(source, segment, { plain: true, verify, state, tensor: 'w' })
  return { file, data, expected, source, segment, reader }
}

test('a reader says where its bytes are, with those before them, and asks its source for changes', async (t) => {
  const { reader, source } = segmentOf(20)
  t.is(reader.source, source)
  t.deepEqual([reader.start, reader.offset, reader.end, reader.byteLength], [100, 128, 148, 20])
  await reader.checkUnchanged()
  t.is(source.unchanged, 1)
})

test('from a source with views there is one view for all who ask, checked the first time', (t) => {
  const { reader, source, data, file } = segmentOf(20, { views: true, sync: true })
  data[3]! ^= 1
  t.throws(() => reader.bytesSync(), { code: 'CKPT_TENSOR_CHECKSUM' })
  data[3]! ^= 1
  const view = reader.bytesSync()
  t.is(view.buffer, file.buffer)
  const { views } = source
  t.is(reader.bytesSync(), view)
  t.is(source.views, views)
  // What is looked at in place may change later on: it has been checked once.
  data[3]! ^= 1
  t.is(reader.bytesSync(), view)
  t.deepEqual(source.reads, [[100, 128]], 'the bytes before it, once')
})

test('what a caller may have written into a view of a map is not taken for the file’s bytes', (t) => {
  const { reader, source, file, expected } = segmentOf(20, { views: true, sync: true })
  source.kind = 'map'
  // Nobody has seen a view yet, so there is none that may have been written to.
  t.is(reader.bytesSync(true).buffer, file.buffer)
  const read = reader.bytesSync(true)
  t.not(read.buffer, file.buffer)
  t.deepEqual(read, expected)
  t.is(reader.bytesSync().buffer, file.buffer)
})

test('a view of what is no map is the caller’s own memory, written to or not', (t) => {
  const { reader, file } = segmentOf(20, { views: true, sync: true })
  const view = reader.bytesSync()
  t.is(reader.bytesSync(true), view)
  t.is(view.buffer, file.buffer)
})

test('what is read is never a view: a new array each time, checked each time', async (t) => {
  const { reader, source, data, expected } = segmentOf(20, { views: true, sync: true })
  reader.bytesSync()
  const { views } = source
  const first = await reader.bytes()
  t.deepEqual(first, expected)
  first.fill(0)
  t.deepEqual(await reader.bytes(), expected)
  t.is(source.views, views)
  data[3]! ^= 1
  await t.throwsAsync(reader.bytes(), { code: 'CKPT_TENSOR_CHECKSUM' })
})

test('from a source that reads there is a new array each time, checked each time', async (t) => {
  const { reader, source, data, expected } = segmentOf(20, { sync: true })
  const bytes = reader.bytesSync()
  t.deepEqual(bytes, expected)
  t.not(reader.bytesSync(), bytes)
  t.deepEqual(await reader.bytes(), expected)
  const segment = [128, 148] as const
  t.deepEqual(source.reads, [[...segment], [100, 128], [...segment], [...segment]])
  data[19]! ^= 0x80
  t.throws(() => reader.bytesSync(), { code: 'CKPT_TENSOR_CHECKSUM' })
  await t.throwsAsync(reader.bytes(), { code: 'CKPT_TENSOR_CHECKSUM' })
})

test('an asynchronous source is an error for synchronous reads', async (t) => {
  const { reader, expected, source } = segmentOf(20)
  const error = t.throws(() => reader.bytesSync(), {
    instanceOf: CheckpointError,
    code: 'CKPT_ASYNC_SOURCE',
    message: /the bytes of a blob cannot be read synchronously/,
  })
  t.like(error, { state: 'model', tensor: 'w', offset: 128 })
  t.deepEqual(await reader.bytes(), expected)
  await reader.bytes()
  t.deepEqual(source.reads.filter(([start]) => start === 100).length, 1)
})

test('the bytes before a segment are a part of it: what is wrong there is told, with its place', async (t) => {
  for (const views of [true, false]) {
    const { reader, file } = segmentOf(20, { views, sync: true })
    for (const [at, expected] of [
      [100, 0],
      [110, 0],
      [124, 20],
      [127, 0],
    ] as const) {
      const before = file[at]!
      file[at] = 0xee
      const errors = [
        t.throws(() => reader.bytesSync(), { instanceOf: CheckpointError, code: 'CKPT_FORMAT' }),
        await t.throwsAsync(reader.bytes(), { instanceOf: CheckpointError, code: 'CKPT_FORMAT' }),
      ]
      for (const error of errors) {
        t.like(error, {
          rule: 'gap',
          state: 'model',
          tensor: 'w',
          offset: at,
          expected,
          actual: 0xee,
        })
      }
      file[at] = before
    }
    t.notThrows(() => reader.bytesSync())
  }
})

test('where nothing is to be verified, damaged bytes come as they are, and those before them not at all', async (t) => {
  for (const views of [true, false]) {
    const { reader, source, data, file } = segmentOf(20, { views, sync: true }, false)
    data[0]! ^= 1
    file[GAP_START] = 1
    t.deepEqual(reader.bytesSync(), data)
    t.deepEqual(await reader.bytes(), data)
    t.false(source.reads.some(([start]) => start === GAP_START))
  }
})

test('a segment too long for an array is an error that says how long it is', async (t) => {
  const { source } = segmentOf(1, { sync: true })
  const byteLength = 2 ** 50
  const segment = { gapStart: 100, offset: 128, byteLength, crc32: 0 }
  const options = { plain: false, verify: true, state: 'model', tensor: 'w' }
  const reader = new SegmentReader(source, segment, options)
  const expected = { instanceOf: CheckpointError, code: 'CKPT_TENSOR_TOO_LARGE' }
  for (const error of [
    t.throws(() => reader.bytesSync(), expected),
    await t.throwsAsync(reader.bytes(), expected),
  ]) {
    t.like(error, { state: 'model', tensor: 'w', offset: 128, actual: byteLength })
    t.true(error!.cause instanceof RangeError)
  }
  t.deepEqual(source.reads, [])
})

test('a checksum mismatch is an error with both checksums and the tensor', (t) => {
  for (const [state, whose] of [
    ['model', 'model'],
    ['optimizer', 'optimizer'],
    ['ema', '"ema"'],
  ] as const) {
    const { source } = segmentOf(4, { sync: true }, true, state)
    const segment = { gapStart: 100, offset: 128, byteLength: 4, crc32: 0xbeef }
    const reader = new SegmentReader(source, segment, {
      plain: true,
      verify: true,
      state,
      tensor: 'w',
    })
    const error = t.throws(() => reader.bytesSync(), { instanceOf: CheckpointError })
    t.like(error, { state, tensor: 'w', offset: 128, expected: 0xbeef })
    t.true(error.message.startsWith(`the bytes of "w" (${whose}) are damaged`), error.message)
  }
})

test('a check takes the bytes in pieces of any length, and says how many are the segment’s', (t) => {
  for (const size of [1, 7, 28, 29, 47, 48, 100]) {
    const { reader, file } = segmentOf(20)
    const bytes = file.subarray(GAP_START)
    const check = reader.beginCheck()
    let taken = 0
    let ofSegment = 0
    for (let at = 0; at < bytes.length; at += size) {
      t.false(check.complete)
      // With some of the next segment's behind them.
      const piece = new Uint8Array(size).fill(0x55)
      piece.set(bytes.subarray(at, at + size))
      const took = check.take(piece)
      taken += took.taken
      ofSegment += took.ofSegment
    }
    t.true(check.complete)
    t.deepEqual([taken, ofSegment], [48, 20])
    t.is(check.end(), undefined)
  }
})

test('a check finds what is wrong wherever a piece ends, the first fault first', (t) => {
  for (const size of [1, 5, 48]) {
    for (const at of [100, 111, 127, 128, 140, 147]) {
      const { reader, file } = segmentOf(20)
      file[at]! ^= 0xff
      if (at < OFFSET) file[OFFSET]! ^= 1
      const check = reader.beginCheck()
      for (let from = GAP_START; from < file.length; from += size) {
        check.take(file.subarray(from, from + size))
      }
      const fault = check.end()
      if (at < OFFSET) t.like(fault, { code: 'CKPT_FORMAT', rule: 'gap', offset: at })
      else t.like(fault, { code: 'CKPT_TENSOR_CHECKSUM', offset: OFFSET })
    }
  }
})

test('a check takes the checksums of pieces that were made elsewhere, among others', (t) => {
  for (const damage of [0, 1]) {
    const { reader, file } = segmentOf(20)
    file[OFFSET + 9]! ^= damage
    const check = reader.beginCheck()
    check.take(file.subarray(GAP_START, OFFSET + 3))
    check.takeChecksum(crc32(file.subarray(OFFSET + 3, OFFSET + 15)), 12)
    t.false(check.complete)
    check.take(file.subarray(OFFSET + 15))
    t.true(check.complete)
    t.is(check.end()?.code, damage === 0 ? undefined : 'CKPT_TENSOR_CHECKSUM')
  }
})

test('segments that were found valid are not verified again, and damaged ones are', (t) => {
  const { reader, file, source, data } = segmentOf(20, { views: true, sync: true })
  data[0]! ^= 1
  const damaged = reader.beginCheck()
  damaged.take(file.subarray(GAP_START))
  t.is(damaged.end()?.code, 'CKPT_TENSOR_CHECKSUM')
  t.throws(() => reader.bytesSync(), { code: 'CKPT_TENSOR_CHECKSUM' })
  data[0]! ^= 1
  const sound = reader.beginCheck()
  sound.take(file.subarray(GAP_START))
  t.is(sound.end(), undefined)
  const { length } = source.reads
  data[0]! ^= 1
  t.notThrows(() => reader.bytesSync())
  t.is(source.reads.length, length)

  // What is read anew is checked anew, but for the bytes before it.
  const read = segmentOf(20, { sync: true })
  const check = read.reader.beginCheck()
  check.take(read.file.subarray(GAP_START))
  t.is(check.end(), undefined)
  t.deepEqual(read.reader.bytesSync(), read.expected)
  t.deepEqual(read.source.reads, [[128, 148]])
})

test('a copy takes the bytes in pieces of any length, and puts them where they belong', (t) => {
  for (const size of [1, 7, 28, 29, 47, 48, 100]) {
    const { reader, file, expected } = segmentOf(20)
    const bytes = file.subarray(GAP_START)
    const target = new Uint8Array(20)
    const copy = reader.beginCopy(target)
    let ofSegment = 0
    for (let at = 0; at < bytes.length; at += size) {
      t.false(copy.complete)
      const piece = new Uint8Array(size).fill(0x55)
      piece.set(bytes.subarray(at, at + size))
      ofSegment += copy.take(piece).ofSegment
    }
    t.true(copy.complete)
    t.is(ofSegment, 20)
    t.deepEqual(target, expected)
  }
})

test('memory that is transferred or resized during a copy into it is an error, and not written to', (t) => {
  const { reader, file } = segmentOf(20)
  const buffer = new ArrayBuffer(20)
  const copy = reader.beginCopy(new Uint8Array(buffer))
  copy.take(file.subarray(GAP_START, OFFSET + 10))
  const [moved] = [structuredClone(buffer, { transfer: [buffer] })]
  const error = t.throws(() => copy.take(file.subarray(OFFSET + 10)), {
    instanceOf: CheckpointError,
    code: 'CKPT_TENSOR_CHANGED',
    message: /the memory for "w" \(model\) was transferred or resized: expected 20 bytes, found 0/,
  })
  t.like(error, { state: 'model', tensor: 'w', expected: 20, actual: 0 })
  t.true(new Uint8Array(moved).subarray(10).every((byte) => byte === 0))
})
