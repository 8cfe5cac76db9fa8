import test from 'ava'
import { crc32 } from '../../../src/format/checksum.js'
import { StagedWriter } from '../../../src/save/background/staged-writer.js'
import { PIECE_LENGTH, StagingArea } from '../../../src/save/background/staging-area.js'
import type { SinkRequest } from '../../../src/threads/sink-protocol.js'

type Write = Extract<SinkRequest, { call: 'write' }>

/** A thread that keeps what it is given to write, and answers when it is told to. */
class FakeThread {
  readonly checksums: number[] = []
  readonly positions: number[] = []
  bytes = new Uint8Array(0)
  #answers: (() => void)[] = []

  call(request: SinkRequest): Promise<unknown> {
    const { bytes, position, parts } = request as Write
    const longer = new Uint8Array(Math.max(this.bytes.byteLength, position + bytes.byteLength))
    longer.set(this.bytes)
    longer.set(bytes, position)
    this.bytes = longer
    this.positions.push(position)
    for (const { segment, start, end } of parts) {
      this.checksums[segment] = crc32(bytes.subarray(start, end), this.checksums[segment])
    }
    return new Promise((resolve) => this.#answers.push(() => resolve(undefined)))
  }

  /** Answers everything that it has been asked. */
  answer(): void {
    for (const answer of this.#answers.splice(0)) answer()
  }
}

function numbered(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  for (let i = 0; i < length; i++) bytes[i] = i * 31 + (i >> 8)
  return bytes
}

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

test('bytes arrive one after the other from the position on, however they are cut', async (t) => {
  const thread = new FakeThread()
  const writer = new StagedWriter(thread, new StagingArea(Number.POSITIVE_INFINITY), 100)
  const bytes = numbered(PIECE_LENGTH + 1000)
  t.is(writer.append(bytes.subarray(0, 1)), undefined)
  t.is(writer.append(bytes.subarray(1, 1)), undefined)
  t.is(writer.append(bytes.subarray(1)), undefined)
  writer.flush()
  thread.answer()
  await writer.written()
  t.deepEqual(thread.positions, [100, 100 + PIECE_LENGTH])
  t.true(same(thread.bytes.subarray(100), bytes))
})

test('what is appended may be changed as soon as it has been copied', async (t) => {
  for (const copied of ['copy', 'flush'] as const) {
    const thread = new FakeThread()
    const writer = new StagedWriter(thread, new StagingArea(Number.POSITIVE_INFINITY), 0)
    const bytes = numbered(PIECE_LENGTH + 1000)
    t.is(writer.append(bytes), undefined)
    writer[copied]()
    bytes.fill(0)
    writer.flush()
    thread.answer()
    await writer.written()
    t.true(same(thread.bytes, numbered(PIECE_LENGTH + 1000)))
  }
})

test('what had to wait for room has been copied when that has come', async (t) => {
  const thread = new FakeThread()
  const writer = new StagedWriter(thread, new StagingArea(PIECE_LENGTH), 0)
  const bytes = numbered(3 * PIECE_LENGTH)
  const waiting = writer.append(bytes)!.then(() => bytes.fill(0))
  for (let i = 0; i < 3; i++) {
    await new Promise(setImmediate)
    thread.answer()
  }
  await waiting
  writer.flush()
  thread.answer()
  await writer.written()
  t.true(same(thread.bytes, numbered(3 * PIECE_LENGTH)))
})

test('long copies are carried out together, before anything is handed over', async (t) => {
  const thread = new FakeThread()
  const area = new StagingArea(Number.POSITIVE_INFINITY)
  const together: number[][] = []
  const writer = new StagedWriter(
    thread,
    area,
    0,
    () => {},
    (copies) => {
      t.deepEqual(thread.positions, [])
      together.push(copies.map(({ source }) => source.byteLength))
      for (const { target, source } of copies) target.set(source)
    },
  )
  const [short, long] = [numbered(2 ** 18 - 1), numbered(2 ** 18)]
  const longest = numbered(PIECE_LENGTH)
  for (const bytes of [short, long, longest]) t.is(writer.append(bytes), undefined)
  t.deepEqual(together, [])
  writer.flush()
  t.deepEqual(together, [[2 ** 18, PIECE_LENGTH - 2 ** 19 + 1, 2 ** 19 - 1]])
  writer.copy()
  t.is(together.length, 1)
  thread.answer()
  await writer.written()
  t.true(same(thread.bytes, Buffer.concat([short, long, longest])))
})

test('checksums are those of segments, without what stands between them', async (t) => {
  const thread = new FakeThread()
  const writer = new StagedWriter(thread, new StagingArea(Number.POSITIVE_INFINITY), 0)
  const first = numbered(10)
  const second = numbered(PIECE_LENGTH + 5)
  writer.append(new Uint8Array(7))
  writer.append(first, 0)
  writer.append(new Uint8Array(9))
  writer.append(second, 1)
  writer.flush()
  thread.answer()
  await writer.written()
  t.deepEqual(thread.checksums, [crc32(first), crc32(second)])
})

test('where there is no room, appending waits for what is being written', async (t) => {
  const thread = new FakeThread()
  const writer = new StagedWriter(thread, new StagingArea(PIECE_LENGTH), 0)
  const waiting = writer.append(numbered(PIECE_LENGTH + 1))
  t.true(waiting instanceof Promise)
  let isDone = false
  void waiting?.then(() => {
    isDone = true
  })
  await new Promise(setImmediate)
  t.false(isDone)
  thread.answer()
  await waiting
  writer.flush()
  thread.answer()
  await writer.written()
  t.true(same(thread.bytes, numbered(PIECE_LENGTH + 1)))
})

test('how far it has come is reported in bytes from the start of the file', async (t) => {
  const thread = new FakeThread()
  const reports: number[] = []
  const area = new StagingArea(Number.POSITIVE_INFINITY)
  const writer = new StagedWriter(thread, area, 100, (position) => reports.push(position))
  writer.append(numbered(PIECE_LENGTH + 11))
  writer.flush()
  thread.answer()
  await writer.written()
  t.deepEqual(reports, [100 + PIECE_LENGTH, 111 + PIECE_LENGTH])
})

test('the first failure to write is thrown, by an append that waits and at the end', async (t) => {
  let calls = 0
  const thread = { call: () => Promise.reject(new Error(`write ${++calls}`)) }
  const writer = new StagedWriter(thread, new StagingArea(PIECE_LENGTH), 0)
  await t.throwsAsync(async () => writer.append(numbered(3 * PIECE_LENGTH)), { message: 'write 1' })
  await t.throwsAsync(() => writer.written(), { message: 'write 1' })
  t.is(calls, 1, 'nothing is handed over after a failure')
})

test('a writer that is given up hands its memory back', async (t) => {
  const area = new StagingArea(PIECE_LENGTH)
  const writer = new StagedWriter(new FakeThread(), area, 0)
  writer.append(numbered(10))
  writer.release()
  t.true(area.take() instanceof Uint8Array)
})

test('nothing is written while there is something to copy and room for it', async (t) => {
  const thread = new FakeThread()
  const writer = new StagedWriter(thread, new StagingArea(3 * PIECE_LENGTH), 0)
  t.is(writer.append(numbered(3 * PIECE_LENGTH)), undefined)
  t.deepEqual(thread.positions, [])
  const waiting = writer.append(numbered(1))
  t.deepEqual(thread.positions, [0, PIECE_LENGTH, 2 * PIECE_LENGTH])
  thread.answer()
  await waiting
  writer.flush()
  t.is(thread.positions.length, 4)
})

test('memory that has not been handed over when a writer is given up comes back', async (t) => {
  const area = new StagingArea(2 * PIECE_LENGTH)
  const writer = new StagedWriter(new FakeThread(), area, 0)
  writer.append(numbered(PIECE_LENGTH + 10))
  writer.release()
  t.true(area.take() instanceof Uint8Array)
  t.true(area.take() instanceof Uint8Array)
})
