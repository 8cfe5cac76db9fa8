import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import fc from 'fast-check'
import { SequentialWriter } from '../../src/io/sequential-writer.js'
import type { Sink } from '../../src/io/sink.js'

/** A sink that takes its time, as a disk does: bytes are looked at some turns after the call. */
class SlowSink implements Sink {
  readonly path = undefined
  readonly writes: { readonly position: number; readonly length: number }[] = []
  readonly bytes: Uint8Array
  readonly #turns: number
  #busy = false

  constructor(length: number, turns: number) {
    this.bytes = new Uint8Array(length)
    this.#turns = turns
  }

  async begin(): Promise<void> {}

  async write(bytes: Uint8Array, position: number): Promise<void> {
    if (this.#busy) throw new Error('a write was begun before the last one had ended')
    this.#busy = true
    for (let i = 0; i < this.#turns; i++) await setImmediate()
    this.bytes.set(bytes, position)
    this.writes.push({ position, length: bytes.byteLength })
    this.#busy = false
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
      fc.nat(2),
      async (pieces, start, turns) => {
        const total = pieces.reduce((sum, piece) => sum + piece.length, 0)
        const sink = new SlowSink(start + total, turns)
        const writer = new SequentialWriter(sink, start)
        const expected = new Uint8Array(start + total)
        let end = start
        for (const [i, piece] of pieces.entries()) {
          const bytes = new Uint8Array(piece.length).map((_, at) => at * 31 + i)
          expected.set(bytes, end)
          end += bytes.length
          await writer.append(bytes)
          // From here on they are their owner's again.
          bytes.fill(255)
          if (piece.flush) await writer.flush()
        }
        await writer.flush()
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
  await writer.flush()
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
  await writer.append(large)
  t.is(written.at(-1)!.buffer, large.buffer)
})

test('nothing is written where there is nothing to write', async (t) => {
  const sink = new SlowSink(0, 0)
  const writer = new SequentialWriter(sink, 0)
  await writer.append(new Uint8Array(0))
  await writer.flush()
  t.deepEqual(sink.writes, [])
})

test('an error of the sink reaches whoever appends or flushes', async (t) => {
  const sink = new SlowSink(0, 0)
  sink.write = async () => {
    throw new Error('full')
  }
  const writer = new SequentialWriter(sink, 0)
  await t.throwsAsync(async () => writer.append(new Uint8Array(100_000)), { message: 'full' })
  await writer.append(new Uint8Array(10))
  await t.throwsAsync(writer.flush(), { message: 'full' })
})
