import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import test from 'ava'
import { FileSink } from '../../src/io/file/file-sink.js'
import { MemorySink } from '../../src/io/memory-sink.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { ByteProgress } from '../../src/progress.js'
import { isSink, type SaveOptions, writeCheckpoint, writeStored } from '../../src/save/write.js'
import type { Stateful, TensorData, TensorLike } from '../../src/state.js'
import { observedFileSystem } from '../support/io/observed-file-system.js'
import { memoryState, type Tensors } from '../support/memory-state.js'
import { MemoryStore } from '../support/memory-store.js'
import { RecordingSink, type Step } from '../support/recording-sink.js'
import { scratchFolder } from '../support/scratch.js'
import { DeviceModule } from '../support/trainer/device-module.js'
import { Device, MeasuredDevice } from '../support/trainer/gpu-tensor.js'
import { LazyAdam } from '../support/trainer/lazy-adam.js'
import { Rng } from '../support/trainer/rng.js'

const MIB = 2 ** 20

const save = (
  sink: RecordingSink | MemorySink,
  model: Stateful,
  options: SaveOptions = {},
  optimizer?: Stateful,
) => writeCheckpoint(sink, model, optimizer, options)

/** A tensor of bytes that a function brings. */
const lazy = (length: number, data: () => TensorData | Promise<TensorData>): TensorLike => ({
  dtype: 'uint8',
  shape: [length],
  data,
})

test('a sink is begun, written to, synced and committed, in this order', async (t) => {
  const sink = new RecordingSink()
  const report = await save(sink, memoryState({ w: new Float32Array(3), big: new Uint8Array(MIB) }))
  const steps = sink.steps.filter((step, i) => step !== sink.steps[i - 1])
  t.deepEqual(steps, ['begin', 'write', 'sync', 'commit'])
  t.deepEqual(report, { byteLength: sink.bytes!.length, tensors: 2, durability: 'durable' })
  const checkpoint = await loadCheckpoint(sink.bytes!)
  await checkpoint.verify()
})

test('what a server has verified is a part of the report', async (t) => {
  const sink = Object.assign(new MemorySink(), { checksums: 'parts' as const })
  t.like(await save(sink, memoryState({ w: new Float32Array(3) })), { checksums: 'parts' })
})

test('into a store, the condition and the wish for durability reach the sink, and errors have the location', async (t) => {
  const store = new MemoryStore()
  const sinkOf = store.sink.bind(store)
  const asked: unknown[] = []
  store.sink = (name, options) => {
    asked.push(options)
    return sinkOf(name, options)
  }
  const model = memoryState({ w: new Float32Array(3) })
  const condition = { ifAbsent: true } as const
  const stored = { store, name: 'a.ckpt', condition }
  t.like(await writeStored(stored, model, null, { durable: false }), { tensors: 1 })
  t.deepEqual(asked, [{ condition, durable: false }])
  const error = await t.throwsAsync(writeStored(stored, model, null, {}), { code: 'CKPT_EXISTS' })
  t.like(error, { path: store.locate('a.ckpt') })
})

test('a sink is known by its methods', (t) => {
  t.true(isSink(new MemorySink()))
  t.true(isSink(new FileSink('a.ckpt')))
  for (const other of ['a.ckpt', new URL('file:///a.ckpt'), {}, null, undefined, new Map()]) {
    t.false(isSink(other))
  }
})

test('a failing sink is aborted once, and its error is the one that is thrown', async (t) => {
  const model = memoryState({ w: new Float32Array(3), big: new Uint8Array(3 * MIB) })
  const rehearsal = new RecordingSink()
  await save(rehearsal, model)
  t.true(rehearsal.steps.length >= 6)
  for (const [index, step] of rehearsal.steps.entries()) {
    const own = new Error(`no ${step}`)
    const sink = new RecordingSink((_, at) => {
      if (at === index) throw own
    })
    t.is(await t.throwsAsync(save(sink, model)), own)
    t.is(sink.steps[index], step)
    t.deepEqual(
      sink.steps.filter((other) => other === 'abort'),
      ['abort'],
    )
    t.is(sink.bytes, undefined)
    if (step !== 'commit') t.false(sink.steps.includes('commit'))
  }
})

// Alone, so that nothing else is alive.
test.serial(
  'tensors that a device brings are brought one at a time, each once, in their order',
  async (t) => {
    const device = new MeasuredDevice()
    // A tensor that the writer gathers, and some that it writes as they are.
    const shapes = {
      a: [64, 64],
      b: [512, 512],
      c: [10, 10],
      d: [300, 300],
      e: [256, 256],
    }
    const module = new DeviceModule(device, shapes, new Rng(1))
    const adam = new LazyAdam(module.parameters, 0.1)
    adam.step(module.gradients())
    const sink = new MemorySink()
    await save(sink, module, {}, adam)
    t.is(device.readBacks, 15)
    const largest = 4 * 512 * 512
    t.true(
      device.peakBytes <= largest,
      `${device.peakBytes} bytes of read-backs were alive at once, and the largest tensor has ${largest}`,
    )
    t.is(await device.bytesAlive(), 0)

    const checkpoint = await loadCheckpoint(sink.bytes)
    await checkpoint.verify()
    t.deepEqual([...checkpoint.model.keys()], Object.keys(shapes))
    for (const [name, parameter] of module.parameters) {
      t.deepEqual(checkpoint.model.get(name).data, await parameter.read())
    }
  },
)

test.serial('tensors of the same size are fetched one at a time as well', async (t) => {
  const device = new MeasuredDevice()
  const shapes = Object.fromEntries(Array.from({ length: 6 }, (_, i) => [`w${i}`, [256, 128]]))
  await save(new MemorySink(), new DeviceModule(device, shapes, new Rng(1)))
  t.is(device.readBacks, 6)
  t.is(device.peakBytes, 4 * 256 * 128)
})

test('the result of a fetch is validated, and errors name the tensor', async (t) => {
  const bring = (data: unknown) =>
    memoryState({ w: { dtype: 'float32', shape: [2], data: async () => data as TensorData } })
  for (const [data, kind, message] of [
    [undefined, TypeError, /^the data of the tensor "w" of model must be .* found undefined/],
    [[1, 2], TypeError, /found an array/],
    [new Int32Array(2), TypeError, /^the tensor "w" of model has the dtype float32/],
    [new Float32Array(3), RangeError, /^the tensor "w" of model: expected 8 bytes .* found 12/],
    [new Float32Array(0), RangeError, /found 0$/],
  ] as const) {
    const sink = new RecordingSink()
    await t.throwsAsync(save(sink, bring(data)), { instanceOf: kind, message }, String(message))
    t.is(sink.steps.at(-1), 'abort')
    t.is(sink.bytes, undefined)
  }
  const own = new Error('the device is lost')
  const sink = new RecordingSink()
  const lost = memoryState({ w: lazy(4, () => Promise.reject(own)) })
  t.is(await t.throwsAsync(save(sink, lost)), own)
  t.is(sink.steps.at(-1), 'abort')
})

test('memory that threads share is saved as any other', async (t) => {
  const shared = new Float32Array(new SharedArrayBuffer(4 * MIB)).fill(3)
  const sink = new MemorySink()
  await save(sink, memoryState({ shared, few: new Uint8Array(new SharedArrayBuffer(10)) }))
  const checkpoint = await loadCheckpoint(sink.bytes)
  await checkpoint.verify()
  t.is(checkpoint.model.get('shared').data.at(-1), 3)
})

const detach = (data: Uint8Array) => {
  structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })
}

// Of a size that is gathered, written at once, and written in several pieces.
const LENGTHS = [1_000, MIB, 5 * MIB]

// What can happen to a tensor while the others are written, and while it is itself.
const mishaps: { readonly [what: string]: (data: Uint8Array) => void } = {
  'its last byte changes': (data) => {
    data[data.length - 1]!++
  },
  'all of it changes': (data) => data.fill(data[0]! + 1),
  'its memory is taken away': detach,
}

/** What came of a save: an error's code, or whether the file holds all of one state of the tensor. */
async function outcomeOf(
  saving: Promise<unknown>,
  sink: RecordingSink,
  states: readonly Uint8Array[],
): Promise<string> {
  const error = await saving.then(
    () => undefined,
    (error) => error,
  )
  if (error !== undefined) {
    const untouched = sink.bytes === undefined && sink.steps.at(-1) === 'abort'
    return untouched ? (error.code ?? String(error)) : 'rejected, and saved all the same'
  }
  const checkpoint = await loadCheckpoint(sink.bytes!)
  await checkpoint.verify()
  const saved = Buffer.from((await checkpoint.model.get('data').read()) as Uint8Array)
  return states.some((state) => saved.equals(state)) ? 'saved' : 'saved what never was'
}

for (const [what, mishap] of Object.entries(mishaps)) {
  test(`a save never makes a file of two states of a tensor: ${what} at any time`, async (t) => {
    for (const length of LENGTHS) {
      const state = (data: Uint8Array) =>
        memoryState({
          before: new Uint8Array(70_000),
          data,
          after: new Uint8Array(70_000).fill(1),
        })
      const rehearsal = new RecordingSink()
      await save(rehearsal, state(new Uint8Array(length)))
      const outcomes = new Set<string>()
      for (const index of rehearsal.steps.keys()) {
        const data = new Uint8Array(length)
        const before = data.slice()
        const sink = new RecordingSink((_, at) => {
          if (at === index) mishap(data)
        })
        const outcome = await outcomeOf(save(sink, state(data)), sink, [before, data])
        t.true(['saved', 'CKPT_TENSOR_CHANGED'].includes(outcome), `${outcome} at ${index}`)
        outcomes.add(outcome)
      }
      // What there is room for is copied within the call.
      t.is(outcomes.has('CKPT_TENSOR_CHANGED'), length > 2 * MIB, `${length}`)
      t.true(outcomes.has('saved'))
    }
  })

  test(`nor does it if a function returns the trainer’s own memory: ${what}`, async (t) => {
    for (const length of LENGTHS) {
      const state = (data: () => Uint8Array) =>
        memoryState({ before: new Uint8Array(70_000), data: lazy(length, data) })
      const rehearsal = new RecordingSink()
      await save(
        rehearsal,
        state(() => new Uint8Array(length)),
      )
      const outcomes = new Set<string>()
      for (const index of rehearsal.steps.keys()) {
        const data = new Uint8Array(length)
        const before = data.slice()
        // Once it has been brought: before that, the trainer may do with it what it likes.
        let brought = false
        let happened = false
        const sink = new RecordingSink((_, at) => {
          if (!brought || happened || at < index) return
          happened = true
          mishap(data)
        })
        const live = state(() => {
          brought = true
          return data
        })
        const outcome = await outcomeOf(save(sink, live), sink, [before, data])
        t.true(['saved', 'CKPT_TENSOR_CHANGED'].includes(outcome), `${outcome} at ${index}`)
        outcomes.add(outcome)
      }
      // What there is room for is copied when it is brought.
      t.is(outcomes.has('CKPT_TENSOR_CHANGED'), length > 2 * MIB, `${length}`)
    }
  })
}

test('a tensor whose memory goes away or changes its length during the save is noticed, or was saved', async (t) => {
  type Resizable = ArrayBuffer & { resize(length: number): void }
  const Buffer = ArrayBuffer as unknown as new (
    length: number,
    options: { maxByteLength: number },
  ) => Resizable
  const views = {
    'of a fixed length': (buffer: Resizable) => new Uint8Array(buffer, 0, buffer.byteLength),
    'that tracks the length': (buffer: Resizable) => new Uint8Array(buffer),
    'that tracks the length, elsewhere': (buffer: Resizable) => new DataView(buffer),
  }
  for (const length of LENGTHS) {
    for (const resized of [0, length - 1, length + 1]) {
      for (const [kind, view] of Object.entries(views)) {
        const buffer = new Buffer(length, { maxByteLength: 2 * length })
        const sink = new RecordingSink((step) => {
          if (step === 'write') buffer.resize(resized)
        })
        const data = view(buffer)
        const shape = [length]
        const state = memoryState({
          first: new Uint8Array(70_000),
          data: { dtype: 'uint8', shape, data },
        })
        const outcome = await outcomeOf(save(sink, state), sink, [new Uint8Array(length)])
        const gone = length > 3 * MIB && resized < length
        t.is(
          outcome,
          gone ? 'CKPT_TENSOR_CHANGED' : 'saved',
          `${length} to ${resized}, a view ${kind}`,
        )
      }
    }
  }
})

test('a tensor without memory is refused by its name, whatever the engine throws', async (t) => {
  const detached = (data: Uint8Array | DataView) => {
    structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] })
    return data
  }
  for (const data of [detached(new Uint8Array(4)), detached(new DataView(new ArrayBuffer(4)))]) {
    const state = memoryState({ w: { dtype: 'uint8', shape: [4], data } })
    await t.throwsAsync(save(new RecordingSink(), state), {
      instanceOf: RangeError,
      message: /^the tensor "w" of model: expected 4 bytes .* found 0/,
    })
  }
  // One that has no elements needs none.
  const sink = new RecordingSink()
  await save(sink, memoryState({ w: detached(new Uint8Array(4)) as Uint8Array }))
  t.not(sink.bytes, undefined)
})

test('a second save to a sink is refused while the first is under way, which is not disturbed', async (t) => {
  for (const sink of [new MemorySink(), new RecordingSink()]) {
    const state = (value: number) => memoryState({ w: new Uint8Array(5 * MIB).fill(value) })
    const first = save(sink, state(1))
    const error = await t.throwsAsync(save(sink, state(2)), { code: 'CKPT_BUSY' })
    t.is(error?.name, 'CheckpointError')
    await first
    const { model } = await loadCheckpoint(sink.bytes!)
    t.is((await model.get('w').read())[0], 1)
    await t.notThrowsAsync(save(sink, state(3)), 'and then it is free')
  }
})

test('once a save has resolved, its tensors may be changed', async (t) => {
  const data = new Uint8Array(3 * MIB).fill(1)
  const sink = new MemorySink()
  await save(sink, memoryState({ data }))
  data.fill(2)
  const checkpoint = await loadCheckpoint(sink.bytes)
  await checkpoint.verify()
  t.is(checkpoint.model.get('data').data[5], 1)
})

test('progress rises, and ends with the whole length, once, before the commit', async (t) => {
  const few = Object.fromEntries(
    Array.from({ length: 30 }, (_, i) => [`few/${i}`, new Uint8Array(100)]),
  )
  for (const tensors of [
    {},
    few,
    { ...few, big: new Uint8Array(9 * MIB), none: new Uint8Array(0) },
    { ...few, big: new Uint8Array(9 * MIB), last: new Uint8Array(4 * MIB) },
  ] as Tensors[]) {
    const sink = new RecordingSink()
    const reports: (ByteProgress & { readonly committed: boolean })[] = []
    const { byteLength } = await save(sink, memoryState(tensors), {
      onProgress: (progress) =>
        reports.push({ ...progress, committed: sink.steps.includes('commit') }),
    })
    t.deepEqual(reports.at(-1), { done: byteLength, total: byteLength, committed: false })
    t.true(reports.every((report, i) => i === 0 || report.done > reports[i - 1]!.done))
    t.true(reports.every(({ total }) => total === byteLength))
    if ('big' in tensors) t.true(reports.length >= 3)
  }
})

test('what onProgress throws ends the save, whenever it does, and nothing is saved', async (t) => {
  const model = memoryState({ w: new Uint8Array(100), big: new Uint8Array(9 * MIB) })
  let calls = 0
  await save(new MemorySink(), model, { onProgress: () => calls++ })
  t.true(calls >= 3)
  for (let failing = 0; failing < calls; failing++) {
    const own = new Error('enough')
    const sink = new RecordingSink()
    let call = 0
    const saving = save(sink, model, {
      onProgress() {
        if (call++ === failing) throw own
      },
    })
    t.is(await t.throwsAsync(saving), own)
    t.is(sink.bytes, undefined)
    t.is(sink.steps.at(-1), 'abort')
  }
})

/** A model whose state dict and tensors come late, for saves with many turns. */
function lateModel(tick: () => void): Stateful {
  const device = new Device()
  const module = new DeviceModule(device, { a: [30, 30], b: [3, 3] }, new Rng(1))
  return {
    async stateDict() {
      await setImmediate()
      tick()
      return {
        tensors: (async function* () {
          yield ['big', { shape: [9 * MIB], data: new Uint8Array(9 * MIB) }] as const
          for (const [name, { shape, data }] of module.stateDict()) {
            await setImmediate()
            tick()
            const fetch = async () => {
              tick()
              return (data as () => Promise<Float32Array>)()
            }
            yield [name, { dtype: 'float32', shape, data: fetch }] as const
          }
        })(),
      }
    },
  }
}

test('a save that is aborted at any time leaves the old file and nothing next to it', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const old = Buffer.from('the old file')
  /** Saves, and aborts at the k-th thing that happens. Returns what came of it. */
  const attempt = async (k: number) => {
    const controller = new AbortController()
    const reason = new Error('enough')
    let happened = 0
    const tick = () => {
      if (happened++ === k) controller.abort(reason)
    }
    let renamed = false
    const observed = observedFileSystem({
      before({ operation }) {
        tick()
        renamed ||= operation === 'rename'
      },
    })
    const outcome = await writeCheckpoint(
      new FileSink(path, { fileSystem: observed }),
      lateModel(tick),
      null,
      {
        signal: controller.signal,
        onProgress: tick,
      },
    ).then(
      () => 'saved',
      (error) => (error === reason ? 'aborted' : error),
    )
    return { outcome, renamed, aborted: happened > k, open: observed.open.size }
  }
  let aborted = 0
  for (let k = 0; ; k++) {
    await fs.writeFile(path, old)
    const result = await attempt(k)
    t.is(result.open, 0)
    t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
    if (!result.aborted) {
      t.is(result.outcome, 'saved')
      break
    }
    if (result.renamed) t.is(result.outcome, 'saved', 'a commit is not taken back')
    else {
      aborted++
      t.is(result.outcome, 'aborted', `at ${k}`)
      t.deepEqual(await fs.readFile(path), old)
    }
  }
  t.true(aborted >= 20, `${aborted} aborts`)
})

test('a save that is aborted after any number of turns is either whole or nothing', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  const outcomes = new Set<string>()
  for (let turns = 0; turns < 60; turns += turns < 20 ? 1 : 5) {
    await fs.writeFile(path, 'the old file')
    const controller = new AbortController()
    const reason = new Error('enough')
    const saving = writeCheckpoint(
      new FileSink(path),
      lateModel(() => {}),
      null,
      { signal: controller.signal },
    ).then(
      () => 'saved',
      (error) => (error === reason ? 'aborted' : error),
    )
    for (let i = 0; i < turns; i++) await setImmediate()
    controller.abort(reason)
    const outcome = await saving
    outcomes.add(outcome)
    t.deepEqual(await fs.readdir(folder), ['a.ckpt'])
    if (outcome === 'aborted') t.is(await fs.readFile(path, 'utf8'), 'the old file')
    else {
      t.is(outcome, 'saved')
      await using checkpoint = await loadCheckpoint(path)
      await checkpoint.verify()
    }
  }
  t.true(outcomes.has('aborted'))
})

test('an abort while the disk is syncing waits for the disk', async (t) => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const sink = new RecordingSink(async (step: Step) => {
    if (step !== 'sync') return
    controller.abort(reason)
    // A sync takes its time. An abort in the middle of it would throw; see RecordingSink.
    for (let i = 0; i < 20; i++) await setImmediate()
  })
  const saving = save(sink, memoryState({ big: new Uint8Array(9 * MIB) }), {
    signal: controller.signal,
  })
  t.is(await t.throwsAsync(saving), reason)
  t.deepEqual(sink.steps.slice(-2), ['sync', 'abort'])
})

test('a sink that waits for others is told of an abort at once, with its reason, and of none after its save', async (t) => {
  const reason = new Error('enough')
  const told: unknown[] = []
  const cancel = (why: unknown) => told.push(why)
  const state = memoryState({ w: new Float32Array(3) })
  const early = new AbortController()
  const aborting = new RecordingSink((step) => {
    if (step === 'sync') early.abort(reason)
    t.deepEqual(told, step === 'sync' || step === 'abort' ? [reason] : [])
  })
  const saving = save(Object.assign(aborting, { cancel }), state, { signal: early.signal })
  t.is(await t.throwsAsync(saving), reason)
  const late = new AbortController()
  await save(Object.assign(new RecordingSink(), { cancel }), state, { signal: late.signal })
  late.abort(reason)
  t.deepEqual(told, [reason])
})

test('a change that is found while the disk is writing waits for the disk', async (t) => {
  const data = new Uint8Array(MIB)
  const buffer = new Uint8Array(5 * MIB)
  const sink = new RecordingSink(async (_: Step, index: number) => {
    // What is still to be copied is gone while a write is under way.
    if (index === 2) detach(buffer)
    if (index === 2) for (let i = 0; i < 20; i++) await setImmediate()
  })
  const state = memoryState({ data, other: buffer })
  await t.throwsAsync(save(sink, state), { code: 'CKPT_TENSOR_CHANGED' })
  // See RecordingSink: an abort in the middle of a write would throw.
  t.is(sink.steps.at(-2), 'write')
  t.is(sink.steps.at(-1), 'abort')
})
