import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import type { Sink } from '../../src/io/sink.js'
import { LARGE, SequentialWriter } from '../../src/save/sequential-writer.js'
import { Rng } from '../support/trainer/rng.js'

/** A sink that takes its time, as a disk does: bytes are looked at some turns after the call. */
class SlowSink implements Sink {
  readonly path = undefined
  readonly writesAtOnce: number
  readonly writes: { readonly position: number; readonly length: number }[] = []
  readonly bytes: Uint8Array
  readonly #turns: number
  readonly #rng = new Rng(1)
  #busy = 0

  constructor(length: number, turns: number, writesAtOnce = 1) {
    this.bytes = new Uint8Array(length)
    this.#turns = turns
    this.writesAtOnce = writesAtOnce
  }

  async begin(): Promise<void> {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#busy >= this.writesAtOnce) throw new Error('more writes at once than it takes')
    this.#busy++
    this.writes.push({ position, length: bytes.byteLength })
    // Those at once do not end in their order.
    const turns = this.#rng.below(this.#turns + 1)
    for (let i = 0; i < turns; i++) await setImmediate()
    this.bytes.set(bytes, position)
    this.#busy--
  }

  async sync(): Promise<void> {}

  async commit() {
    return 'none' as const
  }

  async abort(): Promise<void> {}
}

const KIB = 1024

// The lengths around which a writer might decide otherwise, and any others.
const length = fc.oneof(
  { weight: 3, arbitrary: fc.nat(100) },
  fc.constantFrom(0, 64 * KIB - 1, 64 * KIB, 64 * KIB + 1, 1024 * KIB - 1, 1024 * KIB),
  fc.nat(200 * KIB),
)

test('any sequence of pieces becomes their concatenation', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ length, flush: fc.boolean() }), { maxLength: 40 }),
      fc.nat(1_000),
      fc.nat(4),
      fc.integer({ min: 1, max: 3 }),
      async (pieces, start, turns, writesAtOnce) => {
        const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
        const sink = new SlowSink(start + total, turns, writesAtOnce)
        const told: number[] = []
        const writer = new SequentialWriter(sink, start, (end) => told.push(end))
        const expected = new Uint8Array(start + total)
        let end = start
        for (const [i, piece] of pieces.entries()) {
          const bytes = new Uint8Array(piece.length).map((_, at) => at * 31 + i)
          expected.set(bytes, end)
          end += bytes.length
          await writer.append(bytes)
          // From here on they are their owner's again, or when they have been written.
          if (bytes.length >= LARGE) await writer.written(end)
          if (bytes.length < LARGE || piece.flush) bytes.fill(255)
          if (piece.flush) writer.flush()
        }
        writer.flush()
        await writer.written()
        if (told.some((end, i) => end <= (told[i - 1] ?? start)))
          throw new Error('told out of order')
        if (total > 0 && told.at(-1) !== end) throw new Error('the end was not told')
        if (Buffer.compare(sink.bytes, expected) !== 0) throw new Error('other bytes arrived')
        // And every byte was written once, from the first to the last.
        let position = start
        for (const write of sink.writes) {
          if (write.position !== position) throw new Error(`a hole or overlap at ${position}`)
          position += write.length
        }
        return position === end
      },
    ),
    { numRuns: 60 },
  )
  t.pass()
})

test('a piece that is only gathered has been copied when append returns', async (t) => {
  const sink = new SlowSink(3_000_000, 1)
  const writer = new SequentialWriter(sink, 0)
  const piece = new Uint8Array(60_000)
  for (let i = 0; i < 50; i++) {
    piece.fill(i + 1)
    const writing = writer.append(piece)
    // Also where what was gathered before has to be written first.
    piece.fill(255)
    await writing
  }
  writer.flush()
  await writer.written()
  for (let i = 0; i < 50; i++) {
    const arrived = sink.bytes.subarray(i * 60_000, (i + 1) * 60_000)
    t.true(
      arrived.every((byte) => byte === i + 1),
      `piece ${i}`,
    )
  }
})

test('many small pieces take few writes, and a large one is not copied', async (t) => {
  const sink = new SlowSink(8_000_000, 0)
  const written: Uint8Array[] = []
  const write = sink.write.bind(sink)
  sink.write = (bytes, position) => {
    written.push(bytes)
    return write(bytes, position)
  }
  const writer = new SequentialWriter(sink, 0)
  for (let i = 0; i < 100_000; i++) await writer.append(new Uint8Array(40))
  t.true(written.length <= 4, `${written.length} writes`)
  const large = new Uint8Array(1_000_000)
  writer.append(large)
  await writer.written()
  t.is(written.at(-1)!.buffer, large.buffer)
})

test('as many writes are under way as the sink takes, and no more', async (t) => {
  for (const [writesAtOnce, expected] of [
    [undefined, 1],
    [1, 1],
    [3, 3],
  ] as const) {
    let underWay = 0
    let most = 0
    const sink = {
      ...new SlowSink(0, 0),
      ...(writesAtOnce === undefined ? { writesAtOnce: undefined } : { writesAtOnce }),
      async write() {
        most = Math.max(most, ++underWay)
        await setImmediate()
        underWay--
      },
    } as unknown as Sink
    const writer = new SequentialWriter(sink, 0)
    for (let i = 0; i < 10; i++) writer.append(new Uint8Array(LARGE))
    await writer.written()
    t.is(most, expected)
  }
})

test('what has been written is known piece by piece, in their order', async (t) => {
  const ends: (() => void)[] = []
  const sink = new SlowSink(0, 0, 2)
  sink.write = () => new Promise((resolve) => ends.push(resolve))
  const writer = new SequentialWriter(sink, 0)
  for (let i = 0; i < 3; i++) writer.append(new Uint8Array(LARGE))
  let first = false
  let second = false
  const writing = [
    writer.written(LARGE)!.then(() => {
      first = true
    }),
    writer.written(2 * LARGE)!.then(() => {
      second = true
    }),
  ]
  ends[1]!()
  await setImmediate()
  t.false(first || second, 'the second alone has been written')
  ends[0]!()
  await Promise.all(writing)
  t.is(writer.written(LARGE), undefined)
  t.is(writer.written(2 * LARGE), undefined)
  t.not(writer.written(), undefined)
})

test('memory for what is gathered does not grow with what is appended', async (t) => {
  const buffers = new Set<ArrayBufferLike>()
  const sink = new SlowSink(20_000_000, 3, 2)
  const write = sink.write.bind(sink)
  sink.write = (bytes, position) => {
    buffers.add(bytes.buffer)
    return write(bytes, position)
  }
  const writer = new SequentialWriter(sink, 0)
  for (let i = 0; i < 400; i++) {
    const waiting = writer.append(new Uint8Array(50_000))
    if (waiting !== undefined) await waiting
  }
  writer.flush()
  await writer.written()
  t.is(buffers.size, 3)
})

test('large pieces with small ones between them are all taken at once, up to a limit', async (t) => {
  const large = new Uint8Array(LARGE)
  const small = new Uint8Array(LARGE - 1).fill(3)
  const pairs = 200
  const sink = new SlowSink(pairs * (large.length + small.length), 1)
  const writer = new SequentialWriter(sink, 0)
  let taken = 0
  let waits = 0
  for (let i = 0; i < pairs; i++) {
    const waiting = writer.append(small)
    if (waiting === undefined) {
      if (waits === 0) taken += small.length
    } else {
      waits++
      await waiting
    }
    writer.append(large)
  }
  // 8 MiB of copies, and the memory for gathering.
  t.true(taken > 8_000_000 && taken < 9_000_000, String(taken))
  t.true(waits > 0)
  writer.flush()
  await writer.written()
  t.is(sink.bytes.filter((byte) => byte === 3).length, pairs * small.length)
})

/** How many pieces of 32 KiB, with a large one after each, are taken before one has to wait. */
function takenAtOnce(writer: SequentialWriter): number {
  for (let taken = 0; ; taken++) {
    if (writer.append(new Uint8Array(32 * KIB)) !== undefined) return taken
    writer.append(new Uint8Array(LARGE))
  }
}

test('8 MiB of copies may wait, to the byte, and there is room again when they are written', async (t) => {
  const writes: (() => void)[] = []
  const sink = new SlowSink(0, 0)
  sink.write = () => new Promise((resolve) => writes.push(resolve))
  const writer = new SequentialWriter(sink, 0)
  const writeAll = async () => {
    for (; writes.length > 0; await setImmediate()) writes.shift()!()
  }
  // Whose memory goes from gathering to the sink and back.
  for (let i = 0; i < 200; i++) {
    for (let k = 0; k < 3; k++) void writer.append(new Uint8Array(32 * KIB))
    writer.flush()
    await writeAll()
  }
  // And what is gathered when there is no more room for copies: in as much memory as is written at
  // once, and one more.
  t.is(takenAtOnce(writer), 256 + 2)
  await writeAll()
  t.is(takenAtOnce(writer), 256 + 2)
  await writeAll()
})

test('where each write ends before the next one, what is gathered takes one piece of memory', async (t) => {
  const buffers = new Set<ArrayBufferLike>()
  const sink = new SlowSink(10 * LARGE, 1, 3)
  const write = sink.write.bind(sink)
  sink.write = (bytes, position) => {
    buffers.add(bytes.buffer)
    return write(bytes, position)
  }
  const writer = new SequentialWriter(sink, 0)
  for (let i = 0; i < 10; i++) {
    for (let k = 0; k < 2; k++) writer.append(new Uint8Array(LARGE / 2))
    writer.flush()
    await writer.written()
  }
  t.is(buffers.size, 1)
})

test('small pieces that come to just what is gathered are one write', async (t) => {
  const sink = new SlowSink(1024 * KIB, 0)
  const writer = new SequentialWriter(sink, 0)
  for (let i = 0; i < 32; i++) writer.append(new Uint8Array(32 * KIB))
  writer.flush()
  await writer.written()
  t.deepEqual(sink.writes, [{ position: 0, length: 1024 * KIB }])
})

test('thousands of pieces may wait for their turn, and are written in their order', async (t) => {
  const sink = new SlowSink(LARGE, 0, 2)
  const positions: number[] = []
  sink.write = async (_, position) => {
    positions.push(position)
  }
  const writer = new SequentialWriter(sink, 0)
  const piece = new Uint8Array(LARGE)
  for (let i = 0; i < 3_000; i++) writer.append(piece)
  await writer.written()
  t.deepEqual(
    positions,
    Array.from({ length: 3_000 }, (_, i) => i * LARGE),
  )
})

test('nothing is written where there is nothing to write', async (t) => {
  const sink = new SlowSink(0, 0)
  const writer = new SequentialWriter(sink, 0)
  await writer.append(new Uint8Array(0))
  writer.flush()
  await writer.written()
  t.deepEqual(sink.writes, [])
})

test('an error of the sink reaches whoever waits or appends, and nothing more is begun', async (t) => {
  const sink = new SlowSink(0, 0)
  let writes = 0
  sink.write = async () => {
    writes++
    throw new Error('full')
  }
  const writer = new SequentialWriter(sink, 0)
  writer.append(new Uint8Array(100_000))
  writer.append(new Uint8Array(100_000))
  await t.throwsAsync(async () => writer.written(), { message: 'full' })
  t.throws(() => writer.append(new Uint8Array(10)), { message: 'full' })
  await writer.stop()
  t.is(writes, 1)
})

test('after an error, nothing that ends later is told as written', async (t) => {
  const ends: { resolve: () => void; reject: (error: Error) => void }[] = []
  const sink = new SlowSink(0, 0, 2)
  sink.write = () => new Promise((resolve, reject) => ends.push({ resolve, reject }))
  const told: number[] = []
  const writer = new SequentialWriter(sink, 0, (end) => told.push(end))
  for (let i = 0; i < 2; i++) writer.append(new Uint8Array(LARGE))
  const written = writer.written()
  ends[0]!.reject(new Error('full'))
  await t.throwsAsync(async () => written, { message: 'full' })
  ends[1]!.resolve()
  await writer.stop()
  t.deepEqual(told, [])
})

test('an error while memory for gathering is waited for reaches the one who waits', async (t) => {
  const sink = new SlowSink(0, 0)
  sink.write = async () => {
    await setImmediate()
    throw new Error('full')
  }
  const writer = new SequentialWriter(sink, 0)
  await t.throwsAsync(
    async () => {
      for (let i = 0; i < 100; i++) {
        const waiting = writer.append(new Uint8Array(60_000))
        if (waiting !== undefined) await waiting
      }
    },
    { message: 'full' },
  )
})

test('so does that of a piece before, after which what is gathered never has its turn', async (t) => {
  const sink = new SlowSink(0, 0)
  sink.write = async () => {
    for (let i = 0; i < 20; i++) await setImmediate()
    throw new Error('full')
  }
  const writer = new SequentialWriter(sink, 0)
  writer.append(new Uint8Array(LARGE))
  await t.throwsAsync(
    async () => {
      for (let i = 0; i < 100; i++) {
        const waiting = writer.append(new Uint8Array(60_000))
        if (waiting !== undefined) await waiting
      }
    },
    { message: 'full' },
  )
})

test('what onWritten throws is a failure', async (t) => {
  const writer = new SequentialWriter(new SlowSink(100_000, 1), 0, () => {
    throw new Error('enough')
  })
  writer.append(new Uint8Array(100_000))
  await t.throwsAsync(async () => writer.written(), { message: 'enough' })
})

test('memory that is taken away before its turn is a failure, with the error that it came with', async (t) => {
  const writer = new SequentialWriter(new SlowSink(300_000, 1), 0)
  const taken = new Uint8Array(100_000)
  writer.append(new Uint8Array(100_000))
  writer.append(taken, () => new Error('gone'))
  structuredClone(taken.buffer, { transfer: [taken.buffer] })
  await t.throwsAsync(async () => writer.written(), { message: 'gone' })
  // Whoever has no error of their own for it gets one.
  const other = new SequentialWriter(new SlowSink(200_000, 1), 0)
  const lost = new Uint8Array(100_000)
  other.append(new Uint8Array(100_000))
  other.append(lost)
  structuredClone(lost.buffer, { transfer: [lost.buffer] })
  await t.throwsAsync(async () => other.written(), {
    instanceOf: TypeError,
    message: 'memory was taken away before it was written',
  })
})

test('a stop waits for what is under way, and begins nothing more', async (t) => {
  const sink = new SlowSink(300_000, 3)
  const writer = new SequentialWriter(sink, 0)
  for (let i = 0; i < 3; i++) writer.append(new Uint8Array(100_000).fill(7))
  await writer.stop()
  t.is(sink.writes.length, 1)
  t.is(sink.bytes[99_999], 7)
})
