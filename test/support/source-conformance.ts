/**
 * The requirements of every source, whatever holds its bytes. A source's test file calls this with a function that
 * opens one. A new source passes if a reader cannot tell it from the others.
 */

import ava, { type ExecutionContext } from 'ava'
import { LONG_READ, type Source } from '../../src/io/source.js'
import fc from './fast-check.js'
import { scattered } from './patterns.js'

/** A source over bytes, and ways to change the bytes while it is open. */
export interface OpenedSource {
  readonly source: Source
  /** Changes the bytes in place so that the source can detect it, and may take its time; absent if that is impossible. */
  readonly change?: () => unknown
  /** Truncates the bytes to that length, and may take its time; absent if that is impossible. */
  readonly truncate?: (length: number) => unknown
}

/** Opens a source over a copy of `bytes`. Its files are removed after the test. */
export type OpenSource = (t: ExecutionContext, bytes: Uint8Array) => Promise<OpenedSource>

// Longer than a read-ahead window, so that reads begin and end on all sides of one.
const SIZE = 2 * 2 ** 20 + 4321
const BYTES = scattered(SIZE)

const position = fc.oneof(fc.nat(SIZE), fc.constantFrom(0, 1, 2 ** 20 - 1, 2 ** 20, SIZE - 1, SIZE))
const length = fc.oneof(
  fc.nat(300),
  fc.nat(SIZE),
  fc.constantFrom(0, 1, LONG_READ - 1, LONG_READ, LONG_READ + 1, 2 ** 20),
)
const range = fc
  .record({ position, length })
  .map(({ position, length }) => ({ position, length: Math.min(length, SIZE - position) }))

const same = (a: Uint8Array, b: Uint8Array): boolean => Buffer.compare(a, b) === 0

type Declare = (title: string, run: (t: ExecutionContext) => Promise<void>) => void

/** Declares the tests of a source, named after `what`; by `test`, which may skip them with a reason. */
export function sourceConforms(what: string, open: OpenSource, test: Declare = ava): void {
  test(`${what}: any bytes are read, one after the other or all at once, and nothing next to them`, async (t) => {
    const { source } = await open(t, BYTES)
    t.is(source.size, SIZE)
    const read = async ({ position, length }: { position: number; length: number }) => {
      const memory = new Uint8Array(length + 20).fill(0x55)
      await source.read(memory.subarray(10, 10 + length), position)
      const edges = [...memory.subarray(0, 10), ...memory.subarray(10 + length)]
      return (
        same(memory.subarray(10, 10 + length), BYTES.subarray(position, position + length)) &&
        edges.every((byte) => byte === 0x55)
      )
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(range, { maxLength: 8 }),
        fc.boolean(),
        async (ranges, together) => {
          if (together) return (await Promise.all(ranges.map(read))).every(Boolean)
          for (const one of ranges) if (!(await read(one))) return false
          return true
        },
      ),
      { numRuns: 40 },
    )
    await source.checkUnchanged()
    source.close()
  })

  test(`${what}: what is had from the system's memory is the same, and nothing next to it`, async (t) => {
    const { source } = await open(t, BYTES)
    if (source.readCached === undefined) t.pass()
    else {
      await source.read(new Uint8Array(SIZE), 0)
      const lengths = [LONG_READ, LONG_READ + 1, 2 ** 20]
      const targets = lengths.map((length) => new Uint8Array(length + 20).fill(0x55))
      const filled = source.readCached(
        targets.map((memory, i) => ({
          target: memory.subarray(10, 10 + lengths[i]!),
          position: 1000 * i,
        })),
      )
      for (const [i, memory] of targets.entries()) {
        const end = 10 + lengths[i]!
        t.true(same(memory.subarray(0, 10), memory.subarray(end)))
        const bytes = BYTES.subarray(1000 * i, 1000 * i + lengths[i]!)
        if (filled[i]) t.true(same(memory.subarray(10, end), bytes))
      }
      // Beyond the end there is nothing.
      const target = new Uint8Array(LONG_READ)
      t.deepEqual(source.readCached([{ target, position: SIZE - 100 }]), [false])
      source.close()
      t.throws(() => source.readCached!([]), { code: 'CKPT_CLOSED' })
    }
    source.close()
  })

  test(`${what}: what is read at once, or viewed in place, is the same`, async (t) => {
    const { source } = await open(t, BYTES)
    fc.assert(
      fc.property(range, ({ position, length }) => {
        const expected = BYTES.subarray(position, position + length)
        if (source.readSync !== undefined) {
          const target = new Uint8Array(length)
          source.readSync(target, position)
          if (!same(target, expected)) return false
        }
        return source.view === undefined || same(source.view(position, length)!, expected)
      }),
      { numRuns: 60 },
    )
    source.close()
    t.pass()
  })

  test(`${what}: a read that reaches beyond the end is an error, and an empty one is not`, async (t) => {
    const { source } = await open(t, BYTES)
    const ended = { code: 'CKPT_FILE_CHANGED' }
    for (const [position, length] of [
      [SIZE, 1],
      [SIZE - 1, 2],
      [SIZE - 10, LONG_READ],
      [SIZE + 100, 5],
      [2 * SIZE, LONG_READ],
    ] as const) {
      await t.throwsAsync(source.read(new Uint8Array(length), position), ended)
      if (source.readSync === undefined) continue
      t.throws(() => source.readSync!(new Uint8Array(length), position), ended)
    }
    for (const position of [0, 100, SIZE]) await source.read(new Uint8Array(0), position)
    // It continues as before.
    const target = new Uint8Array(10)
    await source.read(target, SIZE - 10)
    t.true(same(target, BYTES.subarray(SIZE - 10)))
    source.close()
  })

  test(`${what}: what has changed is told, and what was cut off is not read as zeros`, async (t) => {
    const { source, change } = await open(t, BYTES)
    await source.checkUnchanged()
    if (change !== undefined) {
      await change()
      await t.throwsAsync(source.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
    }
    source.close()
    const { source: cut, truncate } = await open(t, BYTES)
    if (truncate !== undefined) {
      await truncate(1000)
      const lost = new Uint8Array(LONG_READ)
      await t.throwsAsync(cut.read(lost, 2 ** 20), { code: 'CKPT_FILE_CHANGED' })
      await t.throwsAsync(cut.checkUnchanged(), { code: 'CKPT_FILE_CHANGED' })
    }
    cut.close()
    t.pass()
  })

  test(`${what}: a closed source gives nothing, and what was under way ends`, async (t) => {
    const { source } = await open(t, BYTES)
    const target = new Uint8Array(LONG_READ)
    const reading = source.read(target, 5).then(
      () => same(target, BYTES.subarray(5, 5 + LONG_READ)),
      (error) => error.code === 'CKPT_CLOSED',
    )
    source.close()
    source.close()
    t.true(await reading)
    const closed = { code: 'CKPT_CLOSED' }
    for (const length of [1, LONG_READ]) {
      await t.throwsAsync(source.read(new Uint8Array(length), 0), closed)
      if (source.readSync === undefined) continue
      t.throws(() => source.readSync!(new Uint8Array(length), 0), closed)
    }
    if (source.view !== undefined) t.throws(() => source.view!(0, 1), closed)
    await t.throwsAsync(source.checkUnchanged(), closed)
  })
}
