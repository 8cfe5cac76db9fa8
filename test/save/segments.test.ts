import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import test from 'ava'
import { encode } from '../../src/format/encode.js'
import type { Copy } from '../../src/io/concurrency.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { loadCheckpoint } from '../../src/load/load.js'
import { planSave } from '../../src/save/plan.js'
import { SegmentWriter } from '../../src/save/segment-writer.js'
import { copySegments } from '../../src/save/segments.js'
import { StagingArea, stagingFor } from '../../src/save/staging-area.js'
import { carryOut, writeCheckpoint } from '../../src/save/write.js'
import fc from '../support/fast-check.js'
import { memoryState, type Tensors } from '../support/memory-state.js'
import { areAll } from '../support/patterns.js'

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
  'a save yields to the event loop after every 8 MiB that are copied after its moment, and not otherwise',
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
    // What there is room for is copied at once: two pieces of 1 MiB.
    t.is(await turnsOf(equal(1, 33 * MIB)), 4)
    t.is(await turnsOf(equal(10, 3 * MIB)), 3)
    t.is(await turnsOf(equal(1000, 1024)), 0)
    t.is(await turnsOf(equal(1, MIB)), 0)
  },
)

test('the end of the moment is told once, with the first segment that is not wholly copied', async (t) => {
  for (const [tensors, ends] of [
    [[10, 5 * MIB, 5 * MIB, 3 * MIB], [1]],
    [[10, 20], []],
  ] as const) {
    const state = memoryState(
      Object.fromEntries(tensors.map((length, i) => [`w${i}`, new Uint8Array(length)])),
    )
    const plan = await planSave(state, null, {})
    const metadata = encode(plan.content)
    const sink = new SlowSink()
    await sink.begin(metadata.layout.fileLength)
    const writer = new SegmentWriter(sink, stagingFor(sink), metadata.length)
    const told: number[] = []
    const copying = copySegments(writer, plan, metadata, undefined, (first) => told.push(first))
    writer.open()
    t.is(await copying, ends.length === 0)
    await writer.written()
    t.deepEqual(told, ends)
  }
})

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
    shape: [4 * MIB],
    data: () => {
      fetched.push(name)
      return new Uint8Array(4 * MIB)
    },
  })
  const model = memoryState({ first: lazy('first'), second: lazy('second') })
  const saving = writeCheckpoint(sink, model, null, { signal: controller.signal })
  t.is(await t.throwsAsync(saving), reason)
  t.deepEqual(fetched, ['first'])
})

/** A sink that is slow to begin. */
class LateSink extends SlowSink {
  override async begin(length: number): Promise<void> {
    for (let i = 0; i < 5; i++) await turn()
    await super.begin(length)
  }
}

const attributesOf = (step: number) => ({ step })

/** A trainer whose weights and attributes are always those of one step. */
function trainer(lengths: readonly number[], shared = false) {
  const weights = lengths.map(
    (length) => new Uint8Array(shared ? new SharedArrayBuffer(length) : new ArrayBuffer(length)),
  )
  const optimizer = {
    step: 0,
    stateDict: () => ({ tensors: {}, attributes: attributesOf(optimizer.step) }),
  }
  return {
    model: {
      stateDict: () => weights.map((w, i) => [`w${i}`, { shape: [w.length], data: w }] as const),
    },
    optimizer,
    weights,
    take(step: number): void {
      optimizer.step = step
      for (const w of weights) w.fill(step)
    },
  }
}

/** The steps that a file is of: more than one is a file of two moments. */
async function stepsIn(bytes: Uint8Array): Promise<Set<unknown>> {
  const checkpoint = await loadCheckpoint(bytes)
  await checkpoint.verify()
  const steps = new Set<unknown>([checkpoint.step, checkpoint.optimizer!.attributes.step])
  for (const [, { data }] of checkpoint.model) {
    const bytes = data as Uint8Array
    if (areAll(bytes, bytes[0]!)) steps.add(bytes[0])
    else for (const value of bytes) steps.add(value)
  }
  return steps
}

for (const [size, lengths] of [
  ['small', [10, 70_000]],
  ['long', [100_000, 9 * MIB, 10, 3 * MIB]],
] as const) {
  test(`a ${size} state that changes after the call is saved as it was then, or not at all`, async (t) => {
    const { model, optimizer, take } = trainer(lengths)
    const outcomes = new Set<string>()
    for (let turns = 0; turns < 80; turns += turns < 10 ? 1 : 5) {
      take(1)
      const sink = new LateSink()
      const saving = writeCheckpoint(sink, model, optimizer, { step: 1 }).then(
        () => 'saved',
        (error) => error.code,
      )
      // For none, in the very turn of the call.
      for (let i = 0; i < turns; i++) await turn()
      take(2)
      const outcome = await saving
      outcomes.add(outcome)
      if (outcome === 'saved') t.deepEqual(await stepsIn(sink.bytes), new Set([1]), `${turns}`)
      else t.is(outcome, 'CKPT_TENSOR_CHANGED')
    }
    t.deepEqual(
      [...outcomes].sort(),
      size === 'small' ? ['saved'] : ['CKPT_TENSOR_CHANGED', 'saved'],
    )
  })
}

test('weights that are swapped out and back, any number of times, are saved as they were, or not at all', async (t) => {
  const { model, optimizer, take } = trainer([5 * MIB, 100, 6 * MIB])
  for (let every = 1; every <= 4; every++) {
    for (let phase = 0; phase < every; phase++) {
      take(1)
      let turns = phase
      // At each write, so that the times of the copies and those of the swaps meet in every way.
      const sink = new SlowSink(() => take(Math.floor(turns++ / every) % 2 === 0 ? 1 : 2))
      const saving = writeCheckpoint(sink, model, optimizer, { step: 1 })
      const error = await saving.then(
        () => undefined,
        (error) => error,
      )
      if (error === undefined) t.deepEqual(await stepsIn(sink.bytes), new Set([1]))
      else t.is(error.code, 'CKPT_TENSOR_CHANGED')
    }
  }
})

test('memory that another thread writes to is saved as it was, or not at all', async (t) => {
  const { model, optimizer, weights, take } = trainer([MIB, 4 * MIB, MIB], true)
  take(1)
  const worker = new Worker(
    `const { workerData, parentPort } = require('node:worker_threads')
     parentPort.postMessage('ready')
     for (let k = 0; ; k++) for (const w of workerData) { w[k % w.length]++; w[k % w.length]-- }`,
    { eval: true, workerData: weights, execArgv: [] },
  )
  t.teardown(() => worker.terminate())
  await once(worker, 'message')
  for (let i = 0; i < 20; i++) {
    const sink = new MemorySink()
    const error = await writeCheckpoint(sink, model, optimizer, { step: 1 }).then(
      () => undefined,
      (error) => error,
    )
    // That it changed in between may go unseen, what was written is always what was summed.
    if (error === undefined) await (await loadCheckpoint(sink.bytes)).verify()
    else t.is(error.code, 'CKPT_TENSOR_CHANGED')
  }
})

test('shared memory that changed while it was copied is noticed, also if it was copied at once', async (t) => {
  const data = new Uint8Array(new SharedArrayBuffer(1000))
  const set = Uint8Array.prototype.set
  const sink = new MemorySink()
  const saving = (() => {
    // As another thread might, between the sum and the copy.
    Uint8Array.prototype.set = function (this: Uint8Array, source, offset) {
      if (source instanceof Uint8Array && source.buffer === data.buffer) data[5]!++
      set.call(this, source, offset)
    }
    try {
      return writeCheckpoint(sink, memoryState({ data }), null, {})
    } finally {
      Uint8Array.prototype.set = set
    }
  })()
  await t.throwsAsync(saving, { code: 'CKPT_TENSOR_CHANGED' })
})

test('between tensors that are fetched, those in memory stay those of the moment', async (t) => {
  const [a, z] = [new Uint8Array(1000).fill(1), new Uint8Array(1000).fill(1)]
  let change: () => void = () => a.fill(2)
  const gpu = {
    dtype: 'uint8' as const,
    shape: [2],
    data: async () => {
      await turn()
      change()
      return new Uint8Array(2)
    },
  }
  const sink = new MemorySink()
  const state = memoryState({ a, gpu, z })
  await writeCheckpoint(sink, state, null, {})
  const { model } = await loadCheckpoint(sink.bytes)
  t.is(model.get('a').data[0], 1, 'it had been copied')
  change = () => z.fill(2)
  await t.throwsAsync(writeCheckpoint(sink, state, null, {}), { code: 'CKPT_TENSOR_CHANGED' })
})

test('a fetched tensor is of the moment at which it was returned', async (t) => {
  const memory = new Uint8Array(5 * MIB).fill(1)
  const w = { dtype: 'uint8' as const, shape: [memory.length], data: () => memory }
  const sink = new SlowSink(() => memory.fill(9))
  await t.throwsAsync(writeCheckpoint(sink, memoryState({ w }), null, {}), {
    code: 'CKPT_TENSOR_CHANGED',
  })
})

test('a fetch that never ends ends with an abort', async (t) => {
  const controller = new AbortController()
  const sink = new SlowSink()
  const w = { dtype: 'uint8' as const, shape: [1], data: () => new Promise<never>(() => {}) }
  const saving = writeCheckpoint(sink, memoryState({ w }), null, { signal: controller.signal })
  const reason = new Error('enough')
  for (let i = 0; i < 3; i++) await turn()
  controller.abort(reason)
  t.is(await t.throwsAsync(saving), reason)
  t.throws(() => sink.bytes)
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

for (const [room, pieces] of [
  ['room for all', 100],
  ['little room', 1],
] as const) {
  test(`with ${room}, a save is staged when everything has been copied`, async (t) => {
    const { model, optimizer, take } = trainer([100, 2 * MIB, 3 * MIB, 10])
    take(1)
    const sink = new SlowSink()
    const staging = new StagingArea({ pieceLength: MIB, pieces, shared: true })
    const together: number[] = []
    const writesWhenStaged: number[] = []
    const target = {
      sink,
      staging,
      copyTogether(copies: readonly Copy[]) {
        together.push(copies.length)
        for (const { target, source } of copies) target.set(source)
      },
      onStaged() {
        writesWhenStaged.push(sink.writes)
        take(2)
      },
    }
    const saving = carryOut(target, await planSave(model, optimizer, { step: 1 }), {})
    // All that there is room for has been copied by now.
    if (pieces === 100) take(2)
    await saving
    t.deepEqual(await stepsIn(sink.bytes), new Set([1]))
    t.true(together.length > 0)
    // Where there is less room, the checksums are known, and fit, before it is staged.
    t.deepEqual(writesWhenStaged, [pieces === 100 ? 1 : 6])
  })
}

test('a number that is known later takes the place of the one that was given', async (t) => {
  const sink = new MemorySink()
  const state = memoryState({ w: new Uint8Array(100) })
  const sequence = turn().then(() => 2 ** 40)
  const target = { sink, staging: stagingFor(sink), onStaged: () => {}, sequence }
  await carryOut(target, await planSave(state, null, { sequence: 0 }), {})
  const given = new MemorySink()
  await writeCheckpoint(given, state, null, { sequence: 2 ** 40 })
  t.deepEqual(sink.bytes, given.bytes)
  const own = new Error('no number')
  const failing = { ...target, sequence: Promise.reject(own) }
  t.is(
    await t.throwsAsync(carryOut(failing, await planSave(state, null, { sequence: 0 }), {})),
    own,
  )
  t.deepEqual(sink.bytes, given.bytes)
})

/** A sink that lends its memory, as one does that must hold bytes itself. */
class LendingSink extends MemorySink {
  readonly staging: StagingArea
  /** Where each write began, in order. */
  readonly positions: number[] = []

  constructor(pieces: number, pieceLength = MIB) {
    super()
    this.staging = new StagingArea({ pieceLength, pieces, shared: false })
  }

  override async write(bytes: Uint8Array, position: number): Promise<void> {
    this.positions.push(position)
    await turn()
    await super.write(bytes, position)
  }
}

test('a sink that lends memory gets the metadata when all checksums are known, whatever is left to write', async (t) => {
  const fetched = { dtype: 'uint8', shape: [MIB], data: async () => new Uint8Array(MIB) } as const
  const tensors = { a: new Uint8Array(MIB / 2).fill(1), b: new Uint8Array(5 * MIB) }
  const ofMemory = memoryState(tensors)
  const withFetched = memoryState({ ...tensors, c: fetched })
  for (const [state, pieces, isEarly] of [
    [ofMemory, 2, true],
    // Nothing is summed before it is written.
    [ofMemory, 20, false],
    [withFetched, 2, false],
  ] as const) {
    const sink = new LendingSink(pieces)
    await writeCheckpoint(sink, state, null, { step: 1 })
    const plain = new MemorySink()
    await writeCheckpoint(plain, state, null, { step: 1 })
    t.is(Buffer.compare(sink.bytes, plain.bytes), 0)
    const order = sink.positions.indexOf(0)
    t.is(order < sink.positions.length - 1, isEarly)
    t.is(sink.positions.lastIndexOf(0), order)
  }
})

test('whatever the tensors and the memory that a sink lends, the file is the same', async (t) => {
  const lengths = fc.array(fc.integer({ min: 0, max: 3000 }), { minLength: 1, maxLength: 8 })
  await fc.assert(
    fc.asyncProperty(
      lengths,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 2000 }),
      async (all, pieces, pieceLength) => {
        const state = memoryState(
          Object.fromEntries(all.map((length, i) => [`w${i}`, new Uint8Array(length).fill(i + 1)])),
        )
        const sink = new LendingSink(pieces, pieceLength)
        await writeCheckpoint(sink, state, null, {})
        const plain = new MemorySink()
        await writeCheckpoint(plain, state, null, {})
        t.is(Buffer.compare(sink.bytes, plain.bytes), 0)
      },
    ),
  )
})

test('memory that changes after the metadata was written is an error, and nothing is committed', async (t) => {
  const b = new Uint8Array(5 * MIB)
  class ChangingSink extends LendingSink {
    override async write(bytes: Uint8Array, position: number): Promise<void> {
      await super.write(bytes, position)
      if (position === 0) b[5 * MIB - 1]!++
    }
  }
  const sink = new ChangingSink(2)
  const saving = writeCheckpoint(sink, memoryState({ a: new Uint8Array(10), b }), null, {})
  await t.throwsAsync(saving, { code: 'CKPT_TENSOR_CHANGED' })
  t.true(sink.positions.indexOf(0) < sink.positions.length - 1)
  t.throws(() => sink.bytes)
})

test('a failure to write the metadata early ends the save, before much more is written', async (t) => {
  const own = new Error('no room')
  class FailingSink extends LendingSink {
    override async write(bytes: Uint8Array, position: number): Promise<void> {
      await super.write(bytes, position)
      if (position === 0) throw own
    }
  }
  const sink = new FailingSink(2)
  const saving = writeCheckpoint(sink, memoryState({ w: new Uint8Array(50 * MIB) }), null, {})
  t.is(await t.throwsAsync(saving), own)
  t.true(sink.positions.length < 10)
})
