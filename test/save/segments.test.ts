import { setImmediate as turn } from 'node:timers/promises'
import test from 'ava'
import { MemorySink } from '../../src/io/memory-sink.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { writeCheckpoint } from '../../src/save/write.js'
import { memoryState, type Tensors } from '../support/memory-state.js'

const MIB = 2 ** 20

/** A sink that takes some turns for each write. */
class SlowSink extends MemorySink {
  writes = 0
  readonly #onWrite: () => void

  constructor(onWrite: () => void = () => {}) {
    super()
    this.#onWrite = onWrite
  }

  override async write(bytes: Uint8Array, position: number): Promise<void> {
    this.writes++
    this.#onWrite()
    for (let i = 0; i < 3; i++) await turn()
    await super.write(bytes, position)
  }
}

test.serial(
  'others get their turn each time that 8 MiB have been gone through, and not else',
  async (t) => {
    const { setImmediate } = globalThis
    t.teardown(() => {
      globalThis.setImmediate = setImmediate
    })
    let turns = 0
    globalThis.setImmediate = ((callback: () => void) => {
      turns++
      return setImmediate(callback)
    }) as typeof setImmediate
    const turnsOf = async (tensors: Tensors): Promise<number> => {
      turns = 0
      await writeCheckpoint(new MemorySink(), memoryState(tensors), null, {})
      return turns
    }
    const equal = (count: number, length: number): Tensors =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`w${i}`, new Uint8Array(length)]))
    // Everything is gone through twice: for the checksums, and for what has changed since.
    t.is(await turnsOf(equal(1, 32 * MIB)), 8)
    t.is(await turnsOf(equal(10, 3 * MIB)), 6)
    t.is(await turnsOf(equal(1000, 1024)), 0)
  },
)

test('an abort is heeded before much more has been written', async (t) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const sink = new SlowSink(() => controller.abort(reason))
  const model = memoryState({ big: new Uint8Array(80 * MIB) })
  const saving = writeCheckpoint(sink, model, null, { signal: controller.signal })
  t.is(await t.throwsAsync(saving), reason)
  t.true(sink.writes <= 3, `${sink.writes} writes`)
})

test('after an abort no more tensors are asked for', async (t) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const sink = new SlowSink(() => controller.abort(reason))
  const fetched: string[] = []
  const lazy = (name: string) => ({
    dtype: 'uint8' as const,
    shape: [100_000],
    data: () => {
      fetched.push(name)
      return new Uint8Array(100_000)
    },
  })
  const model = memoryState({ first: lazy('first'), second: lazy('second') })
  const saving = writeCheckpoint(sink, model, null, { signal: controller.signal })
  t.is(await t.throwsAsync(saving), reason)
  t.deepEqual(fetched, ['first'])
})

test('what a function brings is looked at again when it has been written, from 64 KiB on', async (t) => {
  const memory = new Uint8Array(64 * 1024)
  const sink = new SlowSink(() => memory.fill(9))
  const model = memoryState({
    w: { dtype: 'uint8' as const, shape: [memory.length], data: () => memory },
  })
  await t.throwsAsync(writeCheckpoint(sink, model, null, {}), { code: 'CKPT_TENSOR_CHANGED' })
})

test('small tensors wait for a sink that is slow, and arrive in their places', async (t) => {
  // With the gap before each, the longer ones come to 64 KiB: memory for gathering is full when a gap
  // comes. With the shorter ones it is full when a tensor comes.
  for (const length of [60_000, 1023 * 64]) {
    const sink = new SlowSink()
    const tensors = Array.from({ length: 200 }, (_, i) => new Uint8Array(length).fill(i))
    const state = memoryState(Object.fromEntries(tensors.map((w, i) => [`w${i}`, w])))
    await writeCheckpoint(sink, state, null, {})
    const checkpoint = await loadCheckpoint(sink.bytes)
    await checkpoint.verify()
    for (const [i, w] of tensors.entries()) {
      t.is(Buffer.compare((await checkpoint.model.get(`w${i}`).read()) as Uint8Array, w), 0)
    }
  }
})
