import * as fs from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import type { CheckpointError } from '../../src/errors.js'
import type { Attributes } from '../../src/format/attributes.js'
import type { Checkpoint } from '../../src/load/checkpoint.js'
import { loadCheckpoint } from '../../src/load/load.js'
import type { ByteProgress } from '../../src/progress.js'
import type { StateMismatchError } from '../../src/restore/compare.js'
import { restoreCheckpoint } from '../../src/restore/restore.js'
import type { RestoreOptions } from '../../src/restore/restore-options.js'
import type { LoadedState, LoadStateOptions, StateFit, Stateful } from '../../src/state.js'
import { type MemoryState, memoryState, type Tensors } from '../support/memory-state.js'
import { flipBits, inMemory, positionOf } from '../support/saved.js'
import { scratchFolder } from '../support/scratch.js'
import { DeviceModule } from '../support/trainer/device-module.js'
import { Device } from '../support/trainer/gpu-tensor.js'
import { LazyAdam } from '../support/trainer/lazy-adam.js'
import { Rng } from '../support/trainer/rng.js'
import { ShuffledSampler } from '../support/trainer/sampler.js'
import { TiedAutoencoder } from '../support/trainer/tied-autoencoder.js'
import { loadBy, ways } from '../support/ways-to-load.js'

const MIB = 2 ** 20

/** A checkpoint of the three states, in memory. */
async function saved(
  model: Stateful,
  optimizer?: Stateful,
  extras?: { readonly [name: string]: Stateful },
): Promise<Checkpoint> {
  const options = { epoch: 1, step: 20, loss: 0.5, ...(extras && { extras }) }
  return loadCheckpoint(await inMemory(model, optimizer, options))
}

/** A state that takes over what was saved by itself, and remembers it. */
function taking(tensors: Tensors, take: (state: LoadedState) => void | Promise<void> = () => {}) {
  const taken: { keys: string[]; attributes: Attributes }[] = []
  const state = {
    ...memoryState(tensors),
    taken,
    async loadStateDict(loaded: LoadedState) {
      await take(loaded)
      taken.push({ keys: [...loaded.keys()], attributes: loaded.attributes })
    },
  }
  return state
}

/** A copy of everything that a restore could change. */
const copyOf = (...states: MemoryState[]) =>
  structuredClone(states.map(({ tensors, attributes }) => ({ tensors, attributes })))

const ones = (length: number) => new Float32Array(length).fill(1)
const zeros = (length: number) => new Float32Array(length)
// For trainers that are told what to load, and only note it.
const NOT_READ_BACK = { readBack: false }

test('a restore copies into existing memory, and reports what it did', async (t) => {
  const checkpoint = await saved(
    memoryState({ w: { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) }, b: ones(2) }),
    memoryState({ m: Float64Array.of(7, 8) }, { lr: 0.1 }),
    { ema: memoryState({ w: ones(4) }), rng: memoryState({}, { seed: 1n }) },
  )
  const w = zeros(6)
  const model = memoryState({ w: { shape: [2, 3], data: w }, b: zeros(2) })
  const optimizer = memoryState({ m: new Float64Array(2) }, { lr: 0.5 })
  const rng = memoryState({}, { seed: 0n })
  const report = await restoreCheckpoint(checkpoint, model, optimizer, { extras: { rng } })
  t.deepEqual(w, Float32Array.of(1, 2, 3, 4, 5, 6))
  t.deepEqual(optimizer.tensors.m!.data, Float64Array.of(7, 8))
  t.deepEqual([optimizer.attributes, rng.attributes], [{ lr: 0.1 }, { seed: 1n }])
  t.deepEqual(report, {
    epoch: 1,
    step: 20,
    loss: 0.5,
    tensors: 3,
    byteLength: 24 + 8 + 16,
    missing: [],
    unexpected: [],
    missingStates: [],
    unusedStates: ['ema'],
    warnings: [],
    renamed: [],
    converted: [],
    leftOut: [],
  })
})

test('states of the checkpoint that nothing was passed for are skipped', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2) }), memoryState({ m: ones(2) }), {
    ema: memoryState({ w: ones(2) }),
  })
  const model = memoryState({ w: zeros(2) })
  for (const none of [undefined, null]) {
    const report = await restoreCheckpoint(checkpoint, model, none)
    t.is(report.tensors, 1)
    t.deepEqual(report.unexpected, [])
  }
  t.deepEqual(model.tensors.w!.data, ones(2))
})

test('memory of any kind is restored into, and no byte next to it', async (t) => {
  const around = new Uint8Array(32).fill(255)
  const shared = new SharedArrayBuffer(8)
  const buffer = new ArrayBuffer(8)
  const model = memoryState({
    part: { dtype: 'float32', shape: [2], data: new DataView(around.buffer, 11, 8) },
    shared: { dtype: 'float32', shape: [2], data: shared },
    buffer: { dtype: 'float32', shape: [2], data: buffer },
    scalar: { shape: [], data: new BigInt64Array(1) },
    none: { shape: [0], data: new Int8Array(0) },
  })
  const checkpoint = await saved(
    memoryState({
      part: Float32Array.of(1, 2),
      shared: Float32Array.of(3, 4),
      buffer: Float32Array.of(5, 6),
      scalar: { shape: [], data: BigInt64Array.of(7n) },
      none: { shape: [0], data: new Int8Array(0) },
    }),
  )
  await restoreCheckpoint(checkpoint, model)
  t.deepEqual(new Float32Array(around.slice(11, 19).buffer), Float32Array.of(1, 2))
  t.true([...around.slice(0, 11), ...around.slice(19)].every((byte) => byte === 255))
  t.deepEqual(new Float32Array(shared.slice(0)), Float32Array.of(3, 4))
  t.deepEqual(new Float32Array(buffer), Float32Array.of(5, 6))
  t.deepEqual(model.tensors.scalar!.data, BigInt64Array.of(7n))
})

test('tied weights are restored, and are still tied', async (t) => {
  const trained = new TiedAutoencoder(4, 2, new Rng(1))
  const model = new TiedAutoencoder(4, 2, new Rng(2))
  const report = await restoreCheckpoint(await saved(trained), model)
  t.is(report.tensors, 4)
  t.deepEqual(model.stateDict(), trained.stateDict())
  const restored = model.stateDict()
  t.is(restored.get('encoder.weight')!.data, restored.get('decoder.weight')!.data)
})

test('one error lists every key that does not fit, in every state, and nothing is restored', async (t) => {
  const checkpoint = await saved(
    memoryState({ same: ones(2), shape: ones(2), dtype: ones(2), gone: ones(1), lost: ones(1) }),
    memoryState({ m: ones(2), old: ones(1) }, { lr: 1 }),
    { ema: memoryState({ w: ones(2) }) },
  )
  const model = memoryState({
    same: zeros(2),
    shape: { shape: [2, 1], data: zeros(2) },
    dtype: new Int32Array(2),
    fresh: zeros(1),
  })
  const optimizer = memoryState({ m: zeros(2), new: zeros(3) }, { lr: 0 })
  const ema = memoryState({ w: zeros(2) }, {})
  const sampler = memoryState({}, { index: 3 })
  const before = copyOf(model, optimizer, ema, sampler)
  const extras = { ema, sampler }
  const error = await t.throwsAsync<StateMismatchError>(
    restoreCheckpoint(checkpoint, model, optimizer, { extras }),
    { code: 'CKPT_STATE_MISMATCH' },
  )
  t.deepEqual(error?.missing, [
    { state: 'model', tensor: 'fresh' },
    { state: 'optimizer', tensor: 'new' },
  ])
  t.deepEqual(error?.unexpected, [
    { state: 'model', tensor: 'gone' },
    { state: 'model', tensor: 'lost' },
    { state: 'optimizer', tensor: 'old' },
  ])
  t.deepEqual(error?.mismatched, [
    { state: 'model', tensor: 'shape', expected: 'float32 [2, 1]', actual: 'float32 [2]' },
    { state: 'model', tensor: 'dtype', expected: 'int32 [2]', actual: 'float32 [2]' },
  ])
  t.deepEqual(error?.missingStates, ['sampler'])
  t.deepEqual(error?.message.split('\n'), [
    'nothing was restored, because the checkpoint does not fit:',
    '  missing from the checkpoint: all of "sampler"',
    '  missing from the checkpoint: model: "fresh"',
    '  missing from the checkpoint: optimizer: "new"',
    '  unexpected in the checkpoint: model: "gone"',
    '  unexpected in the checkpoint: model: "lost"',
    '  unexpected in the checkpoint: optimizer: "old"',
    '  mismatched: model: "shape" is float32 [2, 1] here and float32 [2] in the checkpoint',
    '  mismatched: model: "dtype" is int32 [2] here and float32 [2] in the checkpoint',
  ])
  t.deepEqual(copyOf(model, optimizer, ema, sampler), before)
})

test('an optimizer that was not saved is missing as a whole', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2) }))
  const model = memoryState({ w: zeros(2) })
  const optimizer = memoryState({ m: zeros(2) }, { lr: 0 })
  const error = await t.throwsAsync<StateMismatchError>(
    restoreCheckpoint(checkpoint, model, optimizer),
    { message: /missing from the checkpoint: all of "optimizer"/ },
  )
  t.deepEqual(error?.missingStates, ['optimizer'])
  t.deepEqual(model.tensors.w!.data, zeros(2))
  const report = await restoreCheckpoint(checkpoint, model, optimizer, {
    strict: false,
    onWarning: () => {},
  })
  t.deepEqual(report.missingStates, ['optimizer'])
  t.deepEqual([optimizer.attributes, optimizer.tensors.m!.data], [{ lr: 0 }, zeros(2)])
})

test('not strict: what does not fit is skipped, with one warning for all of it', async (t) => {
  const checkpoint = await saved(
    memoryState({ w: ones(2), gone: ones(1) }),
    memoryState({ m: ones(2) }, { lr: 1 }),
  )
  const model = memoryState({ w: zeros(2), fresh: zeros(1) })
  const optimizer = memoryState({ m: zeros(2) }, { lr: 0 })
  const sampler = memoryState({}, { index: 3 })
  const warnings: string[] = []
  const report = await restoreCheckpoint(checkpoint, model, optimizer, {
    strict: false,
    extras: { sampler },
    onWarning: (message) => warnings.push(message),
  })
  t.deepEqual(warnings, [
    [
      'not everything was restored from the checkpoint:',
      '  missing from the checkpoint: all of "sampler"',
      '  missing from the checkpoint: model: "fresh"',
      '  unexpected in the checkpoint: model: "gone"',
    ].join('\n'),
  ])
  t.like(report, { tensors: 2, byteLength: 16, missingStates: ['sampler'] })
  t.deepEqual(report.missing, [{ state: 'model', tensor: 'fresh' }])
  t.deepEqual(report.unexpected, [{ state: 'model', tensor: 'gone' }])
  t.deepEqual(model.tensors.w!.data, ones(2))
  t.deepEqual(model.tensors.fresh!.data, zeros(1))
  t.deepEqual([optimizer.attributes, sampler.attributes], [{ lr: 1 }, { index: 3 }])
})

test('not strict: where everything fits there is no warning, and a mismatch is still an error', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2), b: ones(2) }))
  const options: RestoreOptions = { strict: false, onWarning: (message) => t.fail(message) }
  await restoreCheckpoint(checkpoint, memoryState({ w: zeros(2), b: zeros(2) }), null, options)

  const model = memoryState({ w: zeros(2), b: zeros(3), fresh: zeros(1) })
  const error = await t.throwsAsync<StateMismatchError>(
    restoreCheckpoint(checkpoint, model, null, options),
    { code: 'CKPT_STATE_MISMATCH' },
  )
  t.is(error?.mismatched.length, 1)
  t.is(error?.missing.length, 1)
  t.deepEqual(model.tensors.w!.data, zeros(2))
})

test('an object with a loadStateDict gets only tensors that fit, unless it creates tensors', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2), gone: ones(1) }, { lr: 1 }))
  const model = taking({ w: zeros(2), fresh: zeros(1) })
  const lenient = { strict: false, onWarning: () => {}, ...NOT_READ_BACK }
  await restoreCheckpoint(checkpoint, model, null, lenient)
  t.deepEqual(model.taken, [{ keys: ['w'], attributes: { lr: 1 } }])

  const creating = Object.assign(taking({}), { createsTensors: true })
  const report = await restoreCheckpoint(checkpoint, creating, null, NOT_READ_BACK)
  t.deepEqual(creating.taken, [{ keys: ['w', 'gone'], attributes: { lr: 1 } }])
  t.like(report, { tensors: 2, byteLength: 12, unexpected: [] })

  // Without a way to hand the tensors over, there is none to create them.
  const wishful = { ...memoryState({}), createsTensors: true }
  await t.throwsAsync(restoreCheckpoint(checkpoint, wishful), { code: 'CKPT_STATE_MISMATCH' })
})

test('attributes that differ and cannot be restored are an error, or a warning', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2) }, { lr: 0.1, best: NaN }))
  const without = { ...memoryState({ w: zeros(2) }), attributes: {} }
  await t.throwsAsync(restoreCheckpoint(checkpoint, without), {
    code: 'CKPT_STATE_MISMATCH',
    message: /"model" has other attributes, and no loadAttributes\(\) to restore them/,
  })
  t.deepEqual(without.tensors.w!.data, zeros(2))
  const warnings: string[] = []
  await restoreCheckpoint(checkpoint, without, null, {
    strict: false,
    onWarning: (message) => warnings.push(message),
  })
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /"model" has other attributes/)
  t.deepEqual(without.tensors.w!.data, ones(2))

  // Those that are the same need no restoring.
  const tensors = { w: { shape: [2], data: zeros(2) } }
  const same = { stateDict: () => ({ tensors, attributes: { best: NaN, lr: 0.1 } }) }
  await restoreCheckpoint(checkpoint, same)
  t.deepEqual(tensors.w.data, ones(2))
})

test('the state of another kind of optimizer is an error, or a warning', async (t) => {
  const tensors = { m: { shape: [1], data: Float32Array.of(1) } }
  const sgd = { stateDict: () => ({ kind: 'SGD', tensors }) }
  const adam = { stateDict: () => ({ kind: 'Adam', tensors }) }
  const unnamed = { stateDict: () => tensors }
  const model = memoryState({ w: ones(1) })
  const checkpoint = await saved(model, sgd)
  await t.throwsAsync(restoreCheckpoint(checkpoint, model, adam), {
    code: 'CKPT_STATE_MISMATCH',
    message: /"optimizer" is "Adam" here and "SGD" in the checkpoint/,
  })
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  await restoreCheckpoint(checkpoint, model, adam, { strict: false, onWarning })
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /"optimizer" is "Adam" here and "SGD" in the checkpoint/)
  await restoreCheckpoint(checkpoint, model, unnamed, { onWarning })
  t.is(warnings.length, 1)
})

test('a state of another kind is an error, or a warning; one without a kind goes anywhere', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2) }), memoryState({}, { lr: 1 }, 'SGD'))
  const restore = (kind: string | undefined, options?: RestoreOptions) => {
    const model = memoryState({ w: zeros(2) }, undefined, 'MLP')
    const optimizer = memoryState({}, { lr: 0 }, kind)
    const restoring = restoreCheckpoint(checkpoint, model, optimizer, options)
    return restoring.then(() => [(model.tensors.w!.data as Float32Array)[0], optimizer.attributes])
  }
  await t.throwsAsync(restore('AdamW'), {
    code: 'CKPT_STATE_MISMATCH',
    message: /"optimizer" is "AdamW" here and "SGD" in the checkpoint/,
  })
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  t.deepEqual(await restore('AdamW', { strict: false, onWarning }), [1, { lr: 1 }])
  t.is(warnings.length, 1)
  t.regex(warnings[0]!, /"optimizer" is "AdamW" here and "SGD" in the checkpoint/)
  for (const kind of ['SGD', undefined]) t.deepEqual(await restore(kind), [1, { lr: 1 }])
})

test('without a callback, a warning goes to the process', async (t) => {
  const checkpoint = await saved(memoryState({ gone: ones(1) }))
  // Other tests of this process warn as well.
  const warned = new Promise<Error>((resolve) => {
    const look = (warning: Error): void => {
      if (!/unexpected in the checkpoint: model: "gone"/.test(warning.message)) return
      process.off('warning', look)
      resolve(warning)
    }
    process.on('warning', look)
  })
  await restoreCheckpoint(checkpoint, memoryState({}), null, { strict: false })
  t.is((await warned).name, 'CheckpointWarning')
})

for (const way of ways) {
  test(`a tensor that is damaged, even the last, keeps everything as it was: ${way}`, async (t) => {
    const path = join(await scratchFolder(t), 'a.ckpt')
    const last = Float32Array.of(9, 8, 7)
    const file = await inMemory(
      memoryState({ w: ones(2) }, { lr: 1 }),
      memoryState({ m: ones(3) }, { step: 1 }),
      { extras: { taken: memoryState({ x: ones(4) }), ema: memoryState({ last }, { decay: 1 }) } },
    )
    flipBits(file, positionOf(file, last) + 11)
    fs.writeFileSync(path, file)
    await using checkpoint = await loadBy(way, path)
    const model = memoryState({ w: zeros(2) }, { lr: 0 })
    const optimizer = memoryState({ m: zeros(3) }, { step: 0 })
    const ema = memoryState({ last: zeros(3) }, { decay: 0 })
    const taken = taking({ x: zeros(4) })
    const before = copyOf(model, optimizer, ema)
    const options = { extras: { taken, ema } }
    const error = await t.throwsAsync(restoreCheckpoint(checkpoint, model, optimizer, options), {
      code: 'CKPT_TENSOR_CHECKSUM',
    })
    t.like(error, { state: 'ema', tensor: 'last' })
    t.deepEqual(copyOf(model, optimizer, ema), before)
    t.deepEqual(taken.taken, [])

    // Unless nobody wants to know: then it is restored as it is.
    await restoreCheckpoint(checkpoint, model, optimizer, {
      ...options,
      extras: { ema },
      verify: false,
    })
    t.deepEqual(model.tensors.w!.data, ones(2))
    const restored = ema.tensors.last!.data as Float32Array
    t.deepEqual(restored.slice(0, 2), last.slice(0, 2))
    t.not(restored[2], 7)
  })
}

test('a damaged tensor that is not restored does not matter', async (t) => {
  const spare = Float32Array.of(9, 8, 7)
  const file = await inMemory(
    memoryState({ w: ones(2), spare }),
    memoryState({ m: spare.slice(1) }),
  )
  flipBits(file, positionOf(file, spare))
  const model = memoryState({ w: zeros(2) })
  await restoreCheckpoint(await loadCheckpoint(file), model, null, {
    strict: false,
    onWarning: () => {},
  })
  t.deepEqual(model.tensors.w!.data, ones(2))
})

test('a loadStateDict that throws stops the restore before any memory is written', async (t) => {
  const checkpoint = await saved(
    memoryState({ w: ones(2) }, { lr: 1 }),
    memoryState({ m: ones(2) }),
    { first: memoryState({ x: ones(1) }), second: memoryState({ x: ones(1) }) },
  )
  const own = new Error('the device is lost')
  const model = memoryState({ w: zeros(2) }, { lr: 0 })
  const optimizer = taking({ m: zeros(2) })
  const first = taking({ x: zeros(1) })
  const second = taking({ x: zeros(1) }, () => Promise.reject(own))
  const error = await t.throwsAsync<CheckpointError>(
    restoreCheckpoint(checkpoint, model, optimizer, { extras: { first, second } }),
    { code: 'CKPT_RESTORE_INCOMPLETE' },
  )
  t.is(error?.cause, own)
  t.regex(error!.message, /the loadStateDict\(\) of "second" failed: the device is lost/)
  // What has been taken over cannot be taken back, and is told.
  t.deepEqual(error?.restored, ['optimizer', 'first'])
  t.is(first.taken.length, 1)
  // Attributes can, and memory was not touched.
  t.deepEqual(model.attributes, { lr: 0 })
  t.deepEqual(model.tensors.w!.data, zeros(2))
})

/** A state that says how what was saved fits it, and remembers what it is given. */
function fitting(tensors: Tensors, fit: StateFit) {
  return { ...taking(tensors), compareStateDict: async () => fit }
}

test('what a state itself says does not fit is known before another one is changed', async (t) => {
  const checkpoint = await saved(
    memoryState({ w: ones(1) }),
    memoryState({ m: ones(1) }, { lr: 1 }),
  )
  const refusals: StateFit[] = [
    { missing: ['decay'] },
    { unexpected: ['lr'] },
    { mismatched: [{ name: 'lr', expected: 'a list', actual: 'a number' }] },
    { differences: ['it is trained in another way'] },
  ]
  for (const fit of refusals) {
    const model = taking({ w: zeros(1) })
    const optimizer = fitting({ m: zeros(1) }, fit)
    await t.throwsAsync(restoreCheckpoint(checkpoint, model, optimizer), {
      code: 'CKPT_STATE_MISMATCH',
      message: /optimizer"?: ("decay"|"lr"|it is trained in another way)/,
    })
    t.deepEqual(model.taken, [])
    const warnings: string[] = []
    const onWarning = (message: string) => warnings.push(message)
    const options = { strict: false, onWarning, ...NOT_READ_BACK }
    const lenient = restoreCheckpoint(checkpoint, model, optimizer, options)
    if (fit.mismatched) await t.throwsAsync(lenient, { code: 'CKPT_STATE_MISMATCH' })
    else await t.notThrowsAsync(lenient)
    t.is(warnings.length, fit.mismatched ? 0 : 1)
  }
})

test('a state is given its tensors under the names that it says they have here, and only those it takes', async (t) => {
  const checkpoint = await saved(memoryState({ a: ones(1), b: zeros(2), c: ones(3) }, { by: 'x' }))
  const options: unknown[] = []
  const model = {
    ...fitting(
      { a: zeros(2), b: zeros(1), c: zeros(3) },
      {
        renamed: new Map([
          ['a', 'b'],
          ['b', 'a'],
        ]),
        attributes: { by: 'y' },
        unexpected: ['c'],
      },
    ),
    async loadStateDict(state: LoadedState, load?: LoadStateOptions) {
      options.push(load)
      t.deepEqual([...state.get('a').data, ...state.get('b').data], [0, 0, 1])
      t.deepEqual(state.attributes, { by: 'y' })
      t.false(state.has('c'))
    },
  }
  const lenient = { strict: false, onWarning() {}, ...NOT_READ_BACK }
  const report = await restoreCheckpoint(checkpoint, model, null, lenient)
  t.is(report.tensors, 2)
  t.deepEqual(report.unexpected, [{ state: 'model', tensor: 'c' }])
  t.deepEqual(options, [{ strict: false }])
})

test('attributes that were handed over are put back when a later one is refused', async (t) => {
  const names = ['a', 'b', 'c']
  const extrasOf = (value: number) =>
    Object.fromEntries(names.map((name) => [name, memoryState({}, { value })]))
  const checkpoint = await saved(memoryState({ w: ones(2) }, { value: 1 }), undefined, extrasOf(1))
  for (const [refusing, restores] of [
    ['a', true],
    ['b', true],
    // One that refuses everything, its own attributes among them.
    ['b', false],
    ['c', true],
  ] as const) {
    const extras = extrasOf(0)
    const own = new Error('no such value')
    const accept = extras[refusing]!.loadAttributes!
    extras[refusing]!.loadAttributes = (attributes) => {
      if (attributes.value === 1 || !restores) throw own
      accept(attributes)
    }
    const model = memoryState({ w: zeros(2) }, { value: 0 })
    const error = await t.throwsAsync<CheckpointError>(
      restoreCheckpoint(checkpoint, model, null, { extras }),
      {
        code: 'CKPT_RESTORE_INCOMPLETE',
        message: /the loadAttributes\(\) of "." failed: no such value/,
      },
    )
    t.is(error?.cause, own)
    t.deepEqual(error?.restored, [])
    for (const state of [model, ...Object.values(extras)])
      t.deepEqual(state.attributes, { value: 0 })
    t.deepEqual(model.tensors.w!.data, zeros(2))
  }
})

test('a real sampler that refuses its position leaves the whole run as it was', async (t) => {
  const saving = new ShuffledSampler({ length: 10, batchSize: 4, seed: 1 })
  saving.next()
  const rng = new Rng(1)
  const checkpoint = await saved(memoryState({ w: ones(2) }), undefined, { rng, sampler: saving })
  const model = memoryState({ w: zeros(2) })
  const there = {
    rng: new Rng(2),
    sampler: new ShuffledSampler({ length: 9, batchSize: 4, seed: 1 }),
  }
  const before = [there.rng.stateDict(), there.sampler.stateDict()]
  await t.throwsAsync(restoreCheckpoint(checkpoint, model, null, { extras: there }), {
    code: 'CKPT_RESTORE_INCOMPLETE',
    message: /'length' is 10, but the data set has 9 samples/,
  })
  t.deepEqual([there.rng.stateDict(), there.sampler.stateDict()], before)
  t.deepEqual(model.tensors.w!.data, zeros(2))
})

test('a module on a device and a lazy optimizer continue, bit for bit, where they were saved', async (t) => {
  const shapes = { 'layer.weight': [20, 30], 'layer.bias': [20], scale: [] }
  const create = (seed: number) => {
    const device = new Device()
    const module = new DeviceModule(device, shapes, new Rng(seed))
    const optimizer = new LazyAdam(module.parameters, 0.1)
    const step = () => optimizer.step(module.gradients())
    const elements = async () => {
      const all: Float32Array[] = []
      for (const parameter of module.parameters.values()) all.push(await parameter.read())
      return all
    }
    return { device, module, optimizer, step, elements }
  }
  for (const way of ways) {
    const path = join(await scratchFolder(t), 'a.ckpt')
    const run = create(1)
    for (let i = 0; i < 5; i++) run.step()
    fs.writeFileSync(path, await inMemory(run.module, run.optimizer))
    await using checkpoint = await loadBy(way, path)

    // A fresh optimizer has no buffers yet, and makes those that were saved.
    const resumed = create(2)
    const report = await restoreCheckpoint(checkpoint, resumed.module, resumed.optimizer)
    t.is(report.tensors, 9)
    t.deepEqual(await resumed.elements(), await run.elements())
    for (let i = 0; i < 5; i++) {
      run.step()
      resumed.step()
    }
    t.deepEqual(await resumed.elements(), await run.elements(), way)

    // One that was saved before its first step has none, and is restored to that.
    const early = create(3)
    const untouched = await loadCheckpoint(await inMemory(early.module, early.optimizer))
    await restoreCheckpoint(untouched, resumed.module, create(4).optimizer)
    t.deepEqual(await resumed.elements(), await early.elements())
  }
})

test('nothing is read back from a device to compare it, and nothing uploaded that does not fit', async (t) => {
  const device = new Device()
  const checkpoint = await saved(new DeviceModule(device, { a: [2], b: [3] }, new Rng(1)))
  const other = new Device()
  await t.throwsAsync(
    restoreCheckpoint(checkpoint, new DeviceModule(other, { a: [2], b: [4] }, new Rng(1))),
    { code: 'CKPT_STATE_MISMATCH' },
  )
  t.deepEqual([other.readBacks, other.uploads], [0, 0])
})

test('tensors that a function fetches need a loadStateDict', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2), x: ones(1) }))
  const model = memoryState({
    w: zeros(2),
    x: { dtype: 'float32', shape: [1], data: () => t.fail('it was fetched') as never },
  })
  await t.throwsAsync(restoreCheckpoint(checkpoint, model), {
    instanceOf: TypeError,
    message: /^model needs a loadStateDict\(\) to be restored: its tensor "x" is fetched/,
  })
  t.deepEqual(model.tensors.w!.data, zeros(2))
})

test('misuse is a TypeError, before anything is restored', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2) }))
  const model = memoryState({ w: zeros(2) })
  const wrong = (extras: unknown) => ({ extras }) as RestoreOptions
  for (const [restoring, message] of [
    [restoreCheckpoint(checkpoint, undefined as unknown as Stateful), /^model must have/],
    [restoreCheckpoint(checkpoint, model, {} as Stateful), /^optimizer must have/],
    [restoreCheckpoint(checkpoint, model, null, wrong([])), /^extras must be/],
    [restoreCheckpoint(checkpoint, model, null, wrong({ model })), /"model", is taken/],
    [restoreCheckpoint(checkpoint, model, null, wrong({ ema: 3 })), /^ema must have/],
  ] as const) {
    await t.throwsAsync(restoring, { instanceOf: TypeError, message })
  }
  t.deepEqual(model.tensors.w!.data, zeros(2))
})

test('a closed checkpoint restores nothing', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(2) }, { lr: 1 }))
  checkpoint.close()
  const model = memoryState({ w: zeros(2) }, { lr: 0 })
  for (const verify of [true, false]) {
    await t.throwsAsync(restoreCheckpoint(checkpoint, model, null, { verify }), {
      code: 'CKPT_CLOSED',
    })
  }
  t.deepEqual([model.attributes, model.tensors.w!.data], [{ lr: 0 }, zeros(2)])
})

test('progress counts checking and copying, rises, and ends with its total, once', async (t) => {
  const big = new Float32Array(2 * MIB)
  const states = { w: ones(3), tied: big, big, none: new Int8Array(0) }
  const path = join(await scratchFolder(t), 'a.ckpt')
  fs.writeFileSync(path, await inMemory(memoryState(states), memoryState({ m: ones(4) })))
  for (const way of ways) {
    for (const [optimizer, verify, total] of [
      // Each segment is checked once, each tensor copied.
      [memoryState({ m: zeros(4) }), true, 12 + 8 * MIB + 16 + (12 + 16 * MIB + 16)],
      [memoryState({ m: zeros(4) }), false, 12 + 16 * MIB + 16],
      // How long others take over what they are given is not known.
      [taking({ m: zeros(4) }), true, 12 + 8 * MIB + 16 + (12 + 16 * MIB)],
    ] as const) {
      await using checkpoint = await loadBy(way, path)
      const reports: ByteProgress[] = []
      await restoreCheckpoint(checkpoint, memoryState({ ...states }), optimizer, {
        ...NOT_READ_BACK,
        verify,
        onProgress: (progress) => reports.push(progress),
      })
      t.true(reports.every((report) => report.total === total))
      t.true(reports.every((report, i) => i === 0 || report.done > reports[i - 1]!.done))
      t.deepEqual(reports.at(-1), { done: total, total })
      t.true(reports.length >= 4, way)
    }
  }
  const ends: ByteProgress[] = []
  await restoreCheckpoint(await saved(memoryState({})), memoryState({}), null, {
    onProgress: (progress) => ends.push(progress),
  })
  t.deepEqual(ends, [{ done: 0, total: 0 }])
})

test('an abort is heeded until the first byte is written, and then the restore is finished', async (t) => {
  const big = ones(1.5 * MIB)
  const intact = (data: unknown, expected: Float32Array) =>
    // Quicker than to compare three million numbers.
    t.true(Buffer.from((data as Float32Array).buffer).equals(Buffer.from(expected.buffer)))
  const path = join(await scratchFolder(t), 'a.ckpt')
  fs.writeFileSync(
    path,
    await inMemory(memoryState({ big, w: ones(3) }, { lr: 1 }), memoryState({ m: ones(4) })),
  )
  for (const way of ways) {
    await using checkpoint = await loadBy(way, path)
    const outcomes = new Set<string>()
    // At the k-th thing that happens, until there is none.
    for (let k = 0, happened = 1; k < happened; k++) {
      happened = 0
      const controller = new AbortController()
      const reason = new Error('enough')
      let copying = false
      let inTime = false
      const tick = () => {
        if (happened++ !== k) return
        inTime = !copying
        controller.abort(reason)
      }
      const model = memoryState({ big: zeros(big.length), w: zeros(3) }, { lr: 0 })
      const optimizer = taking({ m: zeros(4) }, () => {
        copying = true
        tick()
      })
      const ticking = (state: Stateful): Stateful => ({
        ...state,
        async stateDict() {
          tick()
          return state.stateDict()
        },
      })
      const outcome = await restoreCheckpoint(checkpoint, ticking(model), ticking(optimizer), {
        ...NOT_READ_BACK,
        signal: controller.signal,
        onProgress: tick,
      }).then(
        () => 'restored',
        (error) => (error === reason ? 'aborted' : error),
      )
      outcomes.add(outcome)
      if (inTime) {
        t.is(outcome, 'aborted', `${way}, ${k}`)
        t.false(copying)
        intact(model.tensors.big!.data, zeros(big.length))
        t.deepEqual([model.tensors.w!.data, model.attributes], [zeros(3), { lr: 0 }])
        happened = Math.max(happened, k + 2)
      } else {
        t.is(outcome, 'restored')
        t.true(copying)
        intact(model.tensors.big!.data, big)
        t.deepEqual(model.attributes, { lr: 1 })
      }
    }
    t.deepEqual([...outcomes].sort(), ['aborted', 'restored'], way)
  }
  const aborted = { signal: AbortSignal.abort(new Error('not now')) }
  await using checkpoint = await loadCheckpoint(path)
  const asked = { stateDict: () => t.fail('it was asked') as never }
  await t.throwsAsync(restoreCheckpoint(checkpoint, asked, null, aborted), { message: 'not now' })
})

test('what onProgress throws while bytes are checked ends the restore with nothing changed', async (t) => {
  const checkpoint = await saved(memoryState({ w: ones(10), b: ones(10) }, { lr: 1 }))
  const model = memoryState({ w: zeros(10), b: zeros(10) }, { lr: 0 })
  const own = new Error('enough')
  const before = copyOf(model)
  const restoring = restoreCheckpoint(checkpoint, model, null, {
    onProgress() {
      throw own
    },
  })
  t.is(await t.throwsAsync(restoring), own)
  t.deepEqual(copyOf(model), before)
})

test('a failure in the middle of the copy says which states were finished before it', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  fs.writeFileSync(
    path,
    await inMemory(memoryState({ w: ones(2) }), memoryState({ big: ones(5 * MIB) }), {
      extras: { taken: memoryState({}), ema: memoryState({ x: ones(1) }) },
    }),
  )
  await using checkpoint = await loadCheckpoint(path, { map: false })
  const model = memoryState({ w: zeros(2) })
  // Truncated behind the back of the reader, after everything has been checked.
  const taken = taking({}, () => fs.truncateSync(path, 5 * MIB))
  const extras = { taken, ema: memoryState({ x: zeros(1) }) }
  const optimizer = memoryState({ big: zeros(5 * MIB) })
  const error = await t.throwsAsync<CheckpointError>(
    restoreCheckpoint(checkpoint, model, optimizer, { extras }),
    { code: 'CKPT_RESTORE_INCOMPLETE', message: /a copy into memory failed/ },
  )
  t.deepEqual(error?.restored, ['taken', 'model'])
  t.like(error?.cause, { code: 'CKPT_FILE_CHANGED' })
})

test('a file that is changed in place between check and copy does not pass for restored', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  fs.writeFileSync(path, await inMemory(memoryState({ w: ones(2) }, { lr: 1 })))
  fs.utimesSync(path, 0, 0)
  await using checkpoint = await loadCheckpoint(path, { map: false })
  const w = { shape: [2], data: zeros(2) }
  const model: Stateful = {
    stateDict: () => ({ tensors: { w }, attributes: {} }),
    loadAttributes: () => {
      const file = fs.readFileSync(path)
      flipBits(file, file.length - 1)
      fs.writeFileSync(path, file)
    },
  }
  const error = await t.throwsAsync(restoreCheckpoint(checkpoint, model), {
    code: 'CKPT_RESTORE_INCOMPLETE',
  })
  t.like(error?.cause, { code: 'CKPT_FILE_CHANGED' })
})

test('memory that is transferred during the restore does not pass for restored', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  fs.writeFileSync(path, await inMemory(memoryState({ w: ones(2) }, { lr: 1 })))
  for (const way of ways) {
    await using checkpoint = await loadBy(way, path)
    const model = memoryState({ w: zeros(2) }, { lr: 0 })
    model.loadAttributes = () => {
      const { buffer } = model.tensors.w!.data as Float32Array
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] })
    }
    await t.throwsAsync(restoreCheckpoint(checkpoint, model), {
      code: 'CKPT_RESTORE_INCOMPLETE',
      message: /a copy into memory failed: the memory for "w" \(model\) was transferred or resized/,
    })
  }
})

test('what was written into `data` is the caller’s own: a restore, a read and verify() take the file’s bytes', async (t) => {
  // Quicker than t.deepEqual.
  const equal = (a: Float32Array, b: Float32Array) => a.every((value, i) => value === b[i])
  const path = join(await scratchFolder(t), 'a.ckpt')
  for (const length of [10, 1000, 20_000, 100_000]) {
    const values = Array.from({ length: 20 }, (_, i) => new Float32Array(length).fill(i + 1))
    const tensors = Object.fromEntries(values.map((data, i) => [`w${i}`, data]))
    fs.writeFileSync(path, await inMemory(memoryState(tensors)))
    for (const map of [true, false]) {
      await using checkpoint = await loadCheckpoint(path, { map })
      const views = Array.from(checkpoint.model, ([, tensor]) => tensor.data as Float32Array)
      for (const view of views) view.fill(-1)
      await checkpoint.verify()
      const model = memoryState(tensors)
      for (const array of values) array.fill(0)
      await restoreCheckpoint(checkpoint, model)
      const target = new Float32Array(length)
      for (const [i, array] of values.entries()) {
        const expected = new Float32Array(length).fill(i + 1)
        t.true(equal(array, expected))
        const tensor = checkpoint.model.get(`w${i}`)
        t.true(equal((await tensor.read()) as Float32Array, expected))
        await tensor.readInto(target)
        t.true(equal(target, expected))
      }
      t.is(views[0]![0], -1)
    }
  }
})

test('a loadStateDict() gets the file’s bytes as `data`, whatever was written into it before', async (t) => {
  const path = join(await scratchFolder(t), 'a.ckpt')
  fs.writeFileSync(path, await inMemory(memoryState({ w: ones(3), b: ones(70_000) })))
  for (const map of [true, false]) {
    await using checkpoint = await loadCheckpoint(path, { map })
    // Again and again: what it does with its arrays is not what the next one gets either.
    const seen: number[][] = []
    const model = taking({ w: zeros(3), b: zeros(70_000) }, (state) => {
      seen.push(Array.from(state, ([, { data }]) => Number(data[2])))
      for (const [, { data }] of state) data.fill(9 as never)
    })
    await restoreCheckpoint(checkpoint, model, null, NOT_READ_BACK)
    for (const [, { data }] of checkpoint.model) data.fill(-1 as never)
    await restoreCheckpoint(checkpoint, model, null, NOT_READ_BACK)
    await restoreCheckpoint(checkpoint, model, null, NOT_READ_BACK)
    t.deepEqual(seen, Array(3).fill([1, 1]))
  }
})
