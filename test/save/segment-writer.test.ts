import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { crc32 } from '../../src/format/checksum.js'
import type { Copy } from '../../src/io/concurrency.js'
import type { Sink } from '../../src/io/sink.js'
import type { Range } from '../../src/io/source.js'
import { SegmentWriter } from '../../src/save/segment-writer.js'
import { StagingArea } from '../../src/save/staging-area.js'
import fc from '../support/fast-check.js'
import { Rng } from '../support/trainer/rng.js'

// Of a piece, in bytes; short, so that tests have many.
const PIECE = 100

const areaOf = (pieces: number, pieceLength = PIECE) =>
  new StagingArea({ pieceLength, pieces, shared: false })

/** A sink that takes its time, as a disk does: bytes are looked at some turns after the call. */
class SlowSink implements Sink {
  readonly path = undefined
  readonly writesAtOnce: number
  readonly writes: { readonly position: number; readonly length: number }[] = []
  readonly bytes: Uint8Array
  readonly #turns: number
  readonly #rng = new Rng(1)
  busy = 0

  constructor(length: number, turns: number, writesAtOnce = 1) {
    this.bytes = new Uint8Array(length)
    this.#turns = turns
    this.writesAtOnce = writesAtOnce
  }

  async begin(): Promise<void> {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.busy >= this.writesAtOnce) throw new Error('more writes at once than it takes')
    this.busy++
    this.writes.push({ position, length: bytes.byteLength })
    // Those at once do not end in their order.
    const turns = this.#rng.below(this.#turns + 1)
    for (let i = 0; i < turns; i++) await setImmediate()
    this.bytes.set(bytes, position)
    this.busy--
  }

  async sync(): Promise<void> {}

  async commit() {
    return 'none' as const
  }

  async abort(): Promise<void> {}
}

/** A sink whose writes end when the test says so. */
class HeldSink extends SlowSink {
  readonly ends: { resolve: () => void; reject: (error: Error) => void }[] = []

  constructor(writesAtOnce = 1) {
    super(0, 0, writesAtOnce)
  }

  override write(bytes: Uint8Array, position: number): Promise<void> {
    this.writes.push({ position, length: bytes.byteLength })
    return new Promise((resolve, reject) => this.ends.push({ resolve, reject }))
  }
}

/** Appends all of `bytes`, waiting for room. */
async function appendAll(writer: SegmentWriter, bytes: Uint8Array, segment?: number) {
  for (let done = 0; ; ) {
    done += writer.append(bytes.subarray(done), segment)
    if (done === bytes.byteLength) return
    await writer.room()
  }
}

const numbered = (length: number, from = 0) =>
  Uint8Array.from({ length }, (_, i) => i * 31 + (i >> 8) + from)

test('any sequence of appends becomes its concatenation, and the checksums of its segments', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          length: fc.oneof(
            fc.nat(20),
            fc.nat(3 * PIECE),
            fc.constantFrom(PIECE - 1, PIECE, 2 * PIECE),
          ),
          ofSegment: fc.boolean(),
          flush: fc.boolean(),
        }),
        { maxLength: 30 },
      ),
      fc.nat(1_000),
      fc.nat(4),
      fc.integer({ min: 1, max: 3 }),
      fc.integer({ min: 1, max: 5 }),
      fc.boolean(),
      async (pieces, start, turns, writesAtOnce, staged, sums) => {
        const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
        const sink = new SlowSink(start + total, turns, writesAtOnce)
        const summing = Object.assign(
          sink,
          sums && {
            async writeSummed(bytes: Uint8Array, position: number, ranges: readonly Range[]) {
              await sink.write(bytes, position)
              return ranges.map(({ start, end }) => crc32(bytes.subarray(start, end)))
            },
          },
        )
        const told: number[] = []
        const onWritten = (end: number) => told.push(end)
        const writer = new SegmentWriter(summing, areaOf(staged), start, { onWritten })
        writer.open()
        const expected = new Uint8Array(start + total)
        const checksums: number[] = []
        let end = start
        for (const [i, { length, ofSegment, flush }] of pieces.entries()) {
          const bytes = numbered(length, i)
          expected.set(bytes, end)
          end += length
          if (ofSegment && length > 0) checksums[i] = crc32(bytes)
          await appendAll(writer, bytes, ofSegment ? i : undefined)
          // From here on they are their owner's again.
          bytes.fill(255)
          if (flush) writer.flush()
        }
        writer.flush()
        await writer.written()
        if (told.some((end, i) => end <= (told[i - 1] ?? start)))
          throw new Error('told out of order')
        if (total > 0 && told.at(-1) !== end) throw new Error('the end was not told')
        if (Buffer.compare(sink.bytes, expected) !== 0) throw new Error('other bytes arrived')
        t.deepEqual({ ...writer.checksums }, { ...checksums })
        // And every byte was written once, from the first to the last.
        let position = start
        for (const write of sink.writes) {
          if (write.position !== position) throw new Error(`a hole or overlap at ${position}`)
          if (write.length === 0) throw new Error('a write of nothing')
          position += write.length
        }
        return position === end
      },
    ),
    { numRuns: 100 },
  )
})

test('nothing is written before the writer is open, and then everything is', async (t) => {
  const sink = new SlowSink(250, 0, 3)
  const writer = new SegmentWriter(sink, areaOf(3), 0)
  t.is(writer.append(numbered(250)), 250)
  await setImmediate()
  t.deepEqual(sink.writes, [])
  writer.open()
  t.is(sink.writes.length, 2)
  writer.flush()
  t.deepEqual(
    sink.writes.map(({ length }) => length),
    [PIECE, PIECE, 50],
  )
  await writer.written()
  t.deepEqual(sink.bytes, numbered(250))
})

test('as many writes are under way as the sink takes, and no more', async (t) => {
  for (const [writesAtOnce, expected] of [
    [undefined, 1],
    [1, 1],
    [3, 3],
    [Number.POSITIVE_INFINITY, 10],
  ] as const) {
    const sink = new HeldSink()
    Object.assign(sink, { writesAtOnce })
    const writer = new SegmentWriter(sink, areaOf(10), 0)
    writer.open()
    writer.append(new Uint8Array(10 * PIECE))
    t.is(sink.writes.length, expected)
    const written = writer.written()
    for (let i = 0; i < 10; i++) {
      sink.ends.shift()!.resolve()
      await setImmediate()
    }
    await written
  }
})

test('it takes as much as there is room for, and room comes when a piece has been written', async (t) => {
  const sink = new HeldSink(2)
  const writer = new SegmentWriter(sink, areaOf(3), 0)
  writer.open()
  t.is(writer.append(new Uint8Array(1000)), 3 * PIECE)
  t.is(writer.append(new Uint8Array(1000)), 0)
  let isThere = false
  const room = writer.room().then(() => {
    isThere = true
  })
  await setImmediate()
  t.false(isThere)
  sink.ends[1]!.resolve()
  await room
  t.is(writer.append(new Uint8Array(1000)), PIECE)
  // Room that has come meanwhile has not to be waited for.
  for (let i = 0; i < 3; i++) {
    for (const { resolve } of sink.ends) resolve()
    await setImmediate()
  }
  await writer.room()
  t.is(writer.append(new Uint8Array(1000)), 3 * PIECE)
  await writer.room
})

test('a piece that is half full is room', async (t) => {
  const writer = new SegmentWriter(new HeldSink(), areaOf(1), 0)
  writer.append(new Uint8Array(10))
  await t.notThrowsAsync(writer.room())
})

test('written bytes are reported when all bytes before them have been written', async (t) => {
  const sink = new HeldSink(3)
  const told: number[] = []
  const writer = new SegmentWriter(sink, areaOf(3), 7, { onWritten: (end) => told.push(end) })
  writer.open()
  writer.append(new Uint8Array(3 * PIECE), 0)
  sink.ends[1]!.resolve()
  await setImmediate()
  t.deepEqual(told, [])
  t.deepEqual(writer.checksums, [])
  sink.ends[0]!.resolve()
  await setImmediate()
  t.deepEqual(told, [7 + 2 * PIECE])
  sink.ends[2]!.resolve()
  await writer.written()
  t.deepEqual(told, [7 + 2 * PIECE, 7 + 3 * PIECE])
})

test('staging memory does not grow with the appended bytes', async (t) => {
  const buffers = new Set<ArrayBufferLike>()
  const sink = new SlowSink(400 * 70, 3, 2)
  const write = sink.write.bind(sink)
  sink.write = (bytes, position) => {
    buffers.add(bytes.buffer)
    return write(bytes, position)
  }
  const writer = new SegmentWriter(sink, areaOf(3), 0)
  writer.open()
  for (let i = 0; i < 400; i++) await appendAll(writer, new Uint8Array(70))
  writer.flush()
  await writer.written()
  t.is(buffers.size, 3)
})

const LONG = 256 * 1024

test('long copies are put off, and carried out together before anything is written', async (t) => {
  const together: number[][] = []
  const sink = new SlowSink(5 * LONG, 0)
  const copyTogether = (copies: readonly Copy[]) => {
    t.deepEqual(sink.writes, [])
    together.push(copies.map(({ source }) => source.byteLength))
    for (const { target, source } of copies) target.set(source)
  }
  const writer = new SegmentWriter(sink, areaOf(2, 3 * LONG), 0, { copyTogether })
  const [short, long, longest] = [numbered(LONG - 1), numbered(LONG), numbered(3 * LONG)]
  for (const bytes of [short, long, longest]) t.is(writer.append(bytes), bytes.byteLength)
  t.deepEqual(together, [])
  writer.copy()
  t.deepEqual(together, [[LONG, LONG + 1, 2 * LONG - 1]])
  for (const bytes of [short, long, longest]) bytes.fill(0)
  writer.copy()
  t.is(together.length, 1)
  writer.flush()
  writer.open()
  await writer.written()
  const expected = Buffer.concat([numbered(LONG - 1), numbered(LONG), numbered(3 * LONG)])
  t.is(Buffer.compare(sink.bytes.subarray(0, expected.length), expected), 0)
})

for (const wait of ['flush', 'room', 'open'] as const) {
  test(`pending copies are done when ${wait} has been called`, async (t) => {
    const sink = new SlowSink(LONG, 0)
    const copyTogether = (copies: readonly Copy[]) => {
      for (const { target, source } of copies) target.set(source)
    }
    const writer = new SegmentWriter(sink, areaOf(2, LONG), 0, { copyTogether })
    const bytes = numbered(LONG)
    writer.append(bytes)
    const waiting = writer[wait]()
    bytes.fill(0)
    await waiting
    writer.flush()
    writer.open()
    await writer.written()
    t.is(Buffer.compare(sink.bytes, numbered(LONG)), 0)
  })
}

test('an error of the sink reaches callers that wait or append, and no more writes begin', async (t) => {
  const sink = new HeldSink()
  const writer = new SegmentWriter(sink, areaOf(3), 0)
  writer.open()
  writer.append(new Uint8Array(3 * PIECE))
  const room = t.throwsAsync(writer.room(), { message: 'full' })
  sink.ends[0]!.reject(new Error('full'))
  await room
  t.throws(() => writer.append(new Uint8Array(1)), { message: 'full' })
  await t.throwsAsync(writer.room(), { message: 'full' })
  await t.throwsAsync(writer.written(), { message: 'full' })
  t.is(sink.writes.length, 1)
})

test('the first of several errors is thrown, when no write is under way', async (t) => {
  const sink = new HeldSink(2)
  const told: number[] = []
  const writer = new SegmentWriter(sink, areaOf(2), 0, { onWritten: (end) => told.push(end) })
  writer.open()
  writer.append(new Uint8Array(2 * PIECE))
  let isOver = false
  const written = t.throwsAsync(writer.written(), { message: 'first' }).then(() => {
    isOver = true
  })
  sink.ends[1]!.reject(new Error('first'))
  await setImmediate()
  t.false(isOver)
  sink.ends[0]!.resolve()
  await written
  t.deepEqual(told, [], 'after a failure nothing is told as written')
})

test('what onWritten throws is a failure', async (t) => {
  const writer = new SegmentWriter(new SlowSink(PIECE, 1), areaOf(1), 0, {
    onWritten() {
      throw new Error('enough')
    },
  })
  writer.open()
  writer.append(new Uint8Array(PIECE))
  await t.throwsAsync(writer.written(), { message: 'enough' })
})

test('a failure from outside ends a wait for room, also before the writer is open', async (t) => {
  const writer = new SegmentWriter(new HeldSink(), areaOf(1), 0)
  writer.append(new Uint8Array(2 * PIECE))
  const room = t.throwsAsync(writer.room(), { message: 'it could not be begun' })
  writer.fail(new Error('it could not be begun'))
  await room
})

test('a stop waits for writes under way, begins no more, and returns all memory', async (t) => {
  const sink = new SlowSink(5 * PIECE, 5)
  const area = areaOf(5)
  const writer = new SegmentWriter(sink, area, 0)
  writer.open()
  writer.append(numbered(4 * PIECE + 3))
  await writer.stop()
  t.is(sink.busy, 0)
  t.is(sink.writes.length, 1)
  for (let i = 0; i < 5; i++) t.not(area.take(), undefined)
  t.throws(() => writer.append(new Uint8Array(1)), { message: /stopped/ })
})

test('a sink that makes checksums is asked for them, and not to write alone', async (t) => {
  class SummingSink extends SlowSink {
    async writeSummed(bytes: Uint8Array, position: number, ranges: readonly Range[]) {
      this.bytes.set(bytes, position)
      return ranges.map(({ start, end }) => crc32(bytes.subarray(start, end)))
    }
    override async write(): Promise<void> {
      throw new Error('asked to write alone')
    }
  }
  const sink = new SummingSink(10, 0)
  const writer = new SegmentWriter(sink, areaOf(1), 0)
  writer.append(numbered(10), 0)
  writer.flush()
  writer.open()
  await writer.written()
  t.deepEqual(sink.bytes, numbered(10))
  t.is(writer.checksums[0], crc32(numbered(10)))
})

test('a long copy is carried out at once where there is no other thread to help', async (t) => {
  const length = 512 * 1024
  const sink = new SlowSink(length, 0)
  const writer = new SegmentWriter(sink, areaOf(1, length), 0)
  const bytes = numbered(length)
  writer.append(bytes.slice(), 0)
  writer.flush()
  writer.open()
  await writer.written()
  t.true(Buffer.from(sink.bytes.buffer).equals(bytes))
})
