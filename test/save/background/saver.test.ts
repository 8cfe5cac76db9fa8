import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import test from 'ava'
import type { CheckpointError } from '../../../src/errors.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import type { TensorLike } from '../../../src/state.js'
import { BackgroundSaver, saveCheckpoint } from '../../support/built.js'
import { counted } from '../../support/patterns.js'
import { scratchFolder } from '../../support/scratch.js'
import { createRun } from '../../support/trainer/run.js'

const MIB = 1024 * 1024

/** A model over arrays, which stay the caller's. */
const modelOf = (arrays: Record<string, Float32Array>) => ({
  stateDict: () =>
    Object.fromEntries(
      Object.entries(arrays).map(([name, data]) => [name, { shape: [data.length], data }]),
    ),
})

/** A model whose tensor is brought when `bring` is called: a save of it stands still until then. */
function heldModel() {
  let bring = (_data: Float32Array): void => {}
  const brought = new Promise<Float32Array>((resolve) => {
    bring = resolve
  })
  const model = { stateDict: () => ({ w: { dtype: 'float32', shape: [4], data: () => brought } }) }
  return { model: model as { stateDict(): Record<string, TensorLike> }, bring }
}

test('a file is the same, byte for byte, as the one that saveCheckpoint writes', async (t) => {
  const folder = await scratchFolder(t)
  const run = createRun()
  run.train(3)
  const extras = { sampler: run.sampler, rng: run.rng }
  const progress = { epoch: 1, step: 3, loss: 0.5, metrics: { a: 1 }, config: { b: [2] }, extras }
  const expected = await saveCheckpoint(
    join(folder, 'plain.ckpt'),
    run.model,
    run.optimizer,
    progress,
  )
  await using saver = new BackgroundSaver()
  const save = saver.save(join(folder, 'background.ckpt'), run.model, run.optimizer, progress)
  t.deepEqual(await save!.durable, expected)
  const files = ['plain.ckpt', 'background.ckpt'].map((name) => readFile(join(folder, name)))
  const [plain, background] = await Promise.all(files)
  t.true(plain!.equals(background!))
})

test('a save that is not to be durable says so', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver()
  const model = modelOf({ w: counted(100) })
  const save = saver.save(join(folder, 'a.ckpt'), model, null, { durable: false })
  t.is((await save!.durable).durability, 'none')
  const next = saver.save(join(folder, 'a.ckpt'), model)
  t.is((await next!.durable).durability, process.platform === 'win32' ? 'file-only' : 'durable')
})

for (const [title, stagingBytes, length] of [
  ['', Number.POSITIVE_INFINITY, 2_500_001],
  [' with little memory for staging', 1, 2_500_001],
  [' that are so many that the other thread helps to copy', Number.POSITIVE_INFINITY, 10_000_001],
] as const) {
  test(`weights that change right after staged do not reach the file${title}`, async (t) => {
    const folder = await scratchFolder(t)
    // More than two pieces of staging memory, in tensors that do not end where pieces do.
    const arraysNow = () => ({ a: counted(10), b: counted(length), c: counted(77, 5) })
    await saveCheckpoint(join(folder, 'plain.ckpt'), modelOf(arraysNow()))
    await using saver = new BackgroundSaver({ stagingBytes })
    // For the first one the other thread is still being started.
    for (let i = 0; i < 2; i++) {
      const arrays = arraysNow()
      const { staged, durable } = saver.save(join(folder, 'background.ckpt'), modelOf(arrays))!
      await staged
      for (const array of Object.values(arrays)) array.fill(-1)
      await durable
      const files = ['plain.ckpt', 'background.ckpt'].map((name) => readFile(join(folder, name)))
      const [plain, background] = await Promise.all(files)
      t.true(plain!.equals(background!))
    }
  })
}

test('weights that change before staged are an error, and no file of old and new ones', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver({ stagingBytes: 1 })
  const weights = counted(5_000_000)
  const save = saver.save(join(folder, 'a.ckpt'), modelOf({ weights }))!
  const failed = t.throwsAsync(save.staged, { code: 'CKPT_TENSOR_CHANGED', message: /"weights"/ })
  await new Promise(setImmediate)
  weights[weights.length - 1] = -1
  await failed
  t.deepEqual(await readdir(folder), [])
})

test('tensors that have to be fetched are fetched one after the other, before staged', async (t) => {
  const folder = await scratchFolder(t)
  const events: string[] = []
  const fetched = (name: string): TensorLike => ({
    dtype: 'float32',
    shape: [MIB],
    data: async () => {
      events.push(`fetch ${name}`)
      await new Promise(setImmediate)
      events.push(`fetched ${name}`)
      return new Float32Array(MIB).fill(name.charCodeAt(0))
    },
  })
  const model = { stateDict: () => ({ a: fetched('a'), b: fetched('b'), c: fetched('c') }) }
  await using saver = new BackgroundSaver({ stagingBytes: 1 })
  const save = saver.save(join(folder, 'background.ckpt'), model)!
  await save.staged
  events.push('staged')
  const expected = ['a', 'b', 'c'].flatMap((name) => [`fetch ${name}`, `fetched ${name}`])
  t.deepEqual(events, [...expected, 'staged'])
  await save.durable
  await saveCheckpoint(join(folder, 'plain.ckpt'), model)
  const files = ['plain.ckpt', 'background.ckpt'].map((name) => readFile(join(folder, name)))
  const [plain, background] = await Promise.all(files)
  t.true(plain!.equals(background!))
})

test('many small tensors, empty ones and tied ones are saved as saveCheckpoint does', async (t) => {
  const folder = await scratchFolder(t)
  const arrays: Record<string, Float32Array> = {}
  for (let i = 0; i < 3000; i++) arrays[`t.${i}`] = counted(i % 40, i)
  arrays.tied = arrays['t.39']!
  const model = modelOf(arrays)
  await using saver = new BackgroundSaver()
  const report = await saver.save(join(folder, 'background.ckpt'), model)!.durable
  t.is(report.tensors, 3001)
  await saveCheckpoint(join(folder, 'plain.ckpt'), model)
  const files = ['plain.ckpt', 'background.ckpt'].map((name) => readFile(join(folder, name)))
  const [plain, background] = await Promise.all(files)
  t.true(plain!.equals(background!))
})

test('one saver saves one checkpoint after the other', async (t) => {
  const folder = await scratchFolder(t)
  const weights = counted(1000)
  await using saver = new BackgroundSaver()
  for (let step = 0; step < 5; step++) {
    weights.fill(step)
    await saver.save(join(folder, `${step}.ckpt`), modelOf({ weights }), null, { step })!.staged
  }
  await saver.flush()
  for (let step = 0; step < 5; step++) {
    weights.fill(step)
    await saveCheckpoint(join(folder, 'plain.ckpt'), modelOf({ weights }), null, { step })
    const plain = await readFile(join(folder, 'plain.ckpt'))
    t.true(plain.equals(await readFile(join(folder, `${step}.ckpt`))), `step ${step}`)
  }
})

test('wait: a second save is staged when the first is durable, in the state of its call', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver({ whenBusy: 'wait' })
  const { model, bring } = heldModel()
  const first = saver.save(join(folder, 'a.ckpt'), model)!
  const weights = counted(4)
  const second = saver.save(join(folder, 'b.ckpt'), modelOf({ w: weights }))!
  const order: string[] = []
  const noted = [
    first.durable.then(() => order.push('first durable')),
    second.staged.then(() => order.push('second staged')),
  ]
  bring(counted(4))
  await Promise.all(noted)
  t.deepEqual(order, ['first durable', 'second staged'])
  await second.durable
  await saveCheckpoint(join(folder, 'c.ckpt'), modelOf({ w: counted(4) }))
  t.deepEqual(await readFile(join(folder, 'b.ckpt')), await readFile(join(folder, 'c.ckpt')))
})

test('wait: weights that change while a save waits for its turn are an error of that save', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver({ whenBusy: 'wait' })
  const { model, bring } = heldModel()
  const first = saver.save(join(folder, 'a.ckpt'), model)!
  const weights = counted(4)
  const second = saver.save(join(folder, 'b.ckpt'), modelOf({ w: weights }))!
  const failed = t.throwsAsync(second.staged, { code: 'CKPT_TENSOR_CHANGED' })
  weights.fill(9)
  bring(counted(4))
  await first.durable
  await failed
  t.deepEqual(await readdir(folder), ['a.ckpt'])
})

test('a save is of the moment of its call, whatever happens in the same turn of the event loop', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await using saver = new BackgroundSaver()
  const weights = counted(2_000_000)
  const optimizer = {
    step: 1,
    stateDict: () => ({ tensors: {}, attributes: { step: optimizer.step } }),
  }
  const { durable } = saver.save(path, modelOf({ weights }), optimizer, { step: 1 })!
  weights.fill(2)
  optimizer.step = 2
  await durable
  await using checkpoint = await loadCheckpoint(path)
  t.is(checkpoint.optimizer!.attributes.step, 1)
  // AVA's comparison would look at each element as a property.
  t.true(isDeepStrictEqual(checkpoint.model.get('weights').data, counted(2_000_000)))
})

test('weights in memory that change while one is fetched are an error, or the old ones', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  for (const stagingBytes of [Number.POSITIVE_INFINITY, 1]) {
    await using saver = new BackgroundSaver({ stagingBytes })
    for (const changed of ['a', 'z'] as const) {
      const arrays = { a: counted(1000), z: counted(1000) }
      const gpu = {
        dtype: 'float32' as const,
        shape: [1],
        data: async () => {
          arrays[changed].fill(-1)
          return new Float32Array(1)
        },
      }
      const tensorOf = (data: Float32Array) => ({ shape: [data.length], data })
      const model = { stateDict: () => ({ a: tensorOf(arrays.a), gpu, z: tensorOf(arrays.z) }) }
      const save = saver.save(path, model)!
      if (changed === 'z') {
        await t.throwsAsync(save.staged, { code: 'CKPT_TENSOR_CHANGED' })
        continue
      }
      await save.durable
      await using checkpoint = await loadCheckpoint(path)
      t.deepEqual(checkpoint.model.get('a').data, counted(1000))
    }
  }
})

test('an abort ends a save that hangs, or waits for one that hangs, and later saves continue', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver()
  const reason = new Error('enough')
  const never = () => new Promise<never>(() => {})
  const lazy = { dtype: 'float32' as const, shape: [1], data: never }
  for (const stateDict of [() => ({ lazy }), never]) {
    const hanging = new AbortController()
    const waiting = new AbortController()
    const first = saver.save(join(folder, 'a.ckpt'), { stateDict }, null, {
      signal: hanging.signal,
    })!
    const second = saver.save(join(folder, 'b.ckpt'), modelOf({ w: counted(4) }), null, {
      signal: waiting.signal,
    })!
    const third = saver.save(join(folder, 'c.ckpt'), modelOf({ w: counted(4) }))!
    waiting.abort(reason)
    t.is(await t.throwsAsync(second.durable), reason)
    t.true(saver.busy)
    hanging.abort(reason)
    t.is(await t.throwsAsync(first.durable), reason)
    await third.durable
    t.false(saver.busy)
    t.deepEqual(await readdir(folder), ['c.ckpt'])
  }
})

test.serial('a relative path is that of the folder at the time of the call', async (t) => {
  const folder = await scratchFolder(t)
  const [one, two] = [join(folder, 'one'), join(folder, 'two')]
  await Promise.all([mkdir(one), mkdir(two)])
  const before = process.cwd()
  t.teardown(() => process.chdir(before))
  await using saver = new BackgroundSaver()
  const model = modelOf({ w: counted(4) })
  process.chdir(one)
  const first = saver.save('a.ckpt', model)!
  const second = saver.save('b.ckpt', model)!
  await mkdir('c.ckpt')
  const failing = saver.save('c.ckpt', model)!
  process.chdir(two)
  const error = await t.throwsAsync(failing.durable, { code: 'CKPT_NOT_COMMITTED' })
  t.is((error as CheckpointError).path, 'c.ckpt', 'named as it was given')
  await Promise.all([first.durable, second.durable])
  t.deepEqual(await readdir(one), ['a.ckpt', 'b.ckpt', 'c.ckpt'])
  t.deepEqual(await readdir(two), [])
})

test('wait: a second save takes place although the first has failed', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver()
  await mkdir(join(folder, 'a.ckpt'))
  const first = saver.save(join(folder, 'a.ckpt'), modelOf({ w: counted(4) }))!
  const failed = t.throwsAsync(first.durable, { code: 'CKPT_NOT_COMMITTED' })
  const second = saver.save(join(folder, 'b.ckpt'), modelOf({ w: counted(4) }))!
  await failed
  await t.notThrowsAsync(second.durable)
})

test('skip: a second save does not take place', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver({ whenBusy: 'skip' })
  const { model, bring } = heldModel()
  const first = saver.save(join(folder, 'a.ckpt'), model)!
  t.true(saver.busy)
  t.is(saver.save(join(folder, 'b.ckpt'), model), null)
  bring(counted(4))
  await first.durable
  await saver.flush()
  t.false(saver.busy)
  t.deepEqual(await readdir(folder), ['a.ckpt'])
  t.not(saver.save(join(folder, 'b.ckpt'), model), null)
})

test('error: a second save throws, and the first is not disturbed', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver({ whenBusy: 'error' })
  const { model, bring } = heldModel()
  const first = saver.save(join(folder, 'a.ckpt'), model)!
  t.throws(() => saver.save(join(folder, 'b.ckpt'), model), { code: 'CKPT_BUSY' })
  bring(counted(4))
  await first.durable
  t.deepEqual(await readdir(folder), ['a.ckpt'])
})

for (const stagingBytes of [Number.POSITIVE_INFINITY, 1]) {
  test(`a failure before staged leaves nothing behind, and the saver works on (${stagingBytes})`, async (t) => {
    const folder = await scratchFolder(t)
    await using saver = new BackgroundSaver({ stagingBytes })
    const lost = () => Promise.reject(new Error('the device was lost'))
    const model = {
      stateDict: () => ({
        a: { shape: [2_000_000], data: counted(2_000_000) },
        b: { dtype: 'float32' as const, shape: [4], data: lost },
      }),
    }
    // More often than there are pieces of staging memory: each has to be handed back.
    for (let n = 0; n < 3; n++) {
      const save = saver.save(join(folder, 'a.ckpt'), model)!
      await t.throwsAsync(save.staged, { message: 'the device was lost' })
      await t.throwsAsync(save.durable, { message: 'the device was lost' })
    }
    t.deepEqual(await readdir(folder), [])
    await saver.save(join(folder, 'a.ckpt'), modelOf({ w: counted(4) }))!.durable
    t.deepEqual(await readdir(folder), ['a.ckpt'])
  })

  test(`a failure to write names its cause, and keeps what was there (${stagingBytes})`, async (t) => {
    const folder = await scratchFolder(t)
    await using saver = new BackgroundSaver({ stagingBytes })
    const blocked = join(folder, 'file', 'a.ckpt')
    await writeFile(join(folder, 'file'), 'not a folder')
    const save = saver.save(blocked, modelOf({ w: counted(5_000_000) }))!
    const error = await t.throwsAsync(save.durable, { code: 'CKPT_NOT_COMMITTED' })
    t.like(error, { name: 'CheckpointError', path: blocked })
    t.regex(error.message, /ENOTDIR|EEXIST/)
    t.is((error.cause as NodeJS.ErrnoException).code?.startsWith('E'), true)
    t.is(await readFile(join(folder, 'file'), 'utf8'), 'not a folder')
    await t.notThrowsAsync(saver.save(join(folder, 'b.ckpt'), modelOf({ w: counted(4) }))!.durable)
  })
}

test('misuse is thrown at once, or by staged', async (t) => {
  t.throws(() => new BackgroundSaver({ whenBusy: 'never' as 'skip' }), { instanceOf: TypeError })
  t.throws(() => new BackgroundSaver({ stagingBytes: 0 }), { instanceOf: RangeError })
  t.throws(() => new BackgroundSaver({ stagingByte: 9 } as object), { message: /stagingByte/ })
  await using saver = new BackgroundSaver()
  t.throws(() => saver.save('', modelOf({})), { instanceOf: TypeError })
  t.throws(() => saver.save('a', modelOf({}), null, { steps: 5 } as object), { message: /steps/ })
  const folder = await scratchFolder(t)
  const save = saver.save(join(folder, 'a.ckpt'), {} as ReturnType<typeof modelOf>)!
  await t.throwsAsync(save.staged, { instanceOf: TypeError, message: /stateDict/ })
  t.deepEqual(await readdir(folder), [])
})

test('a save that is aborted rejects with the reason, and leaves what was there', async (t) => {
  const folder = await scratchFolder(t)
  const path = join(folder, 'a.ckpt')
  await saveCheckpoint(path, modelOf({ w: counted(4) }))
  const before = await readFile(path)
  await using saver = new BackgroundSaver()
  const reason = new Error('enough')
  const model = modelOf({ w: counted(3_000_000) })

  t.is(
    await t.throwsAsync(
      saver.save(path, model, null, { signal: AbortSignal.abort(reason) })!.staged,
    ),
    reason,
  )

  const whileStaging = new AbortController()
  const { model: held, bring } = heldModel()
  const first = saver.save(path, held, null, { signal: whileStaging.signal })!
  whileStaging.abort(reason)
  bring(counted(4))
  t.is(await t.throwsAsync(first.durable), reason)

  const afterwards = new AbortController()
  const second = saver.save(path, model, null, { signal: afterwards.signal })!
  await second.staged
  afterwards.abort(reason)
  t.is(await t.throwsAsync(second.durable), reason)

  t.deepEqual(await readdir(folder), ['a.ckpt'])
  t.true(before.equals(await readFile(path)))
})

test('progress rises to the length of the file, which is reported once', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver()
  const reports: { done: number; total: number }[] = []
  const { byteLength } = await saver.save(
    join(folder, 'a.ckpt'),
    modelOf({ w: counted(3_000_000) }),
    null,
    { onProgress: (progress) => reports.push(progress) },
  )!.durable
  t.true(reports.length > 2)
  t.true(reports.every(({ total }) => total === byteLength))
  const done = reports.map((report) => report.done)
  t.deepEqual(
    done,
    [...new Set(done)].sort((a, b) => a - b),
  )
  t.is(done.at(-1), byteLength)
})

test('what onProgress throws fails the save, and nothing is saved', async (t) => {
  const folder = await scratchFolder(t)
  await using saver = new BackgroundSaver()
  for (const at of [0, 1]) {
    const save = saver.save(join(folder, 'a.ckpt'), modelOf({ w: counted(1_500_000) }), null, {
      onProgress({ done, total }) {
        if (done >= at * total) throw new Error('no more')
      },
    })!
    await t.throwsAsync(save.durable, { message: 'no more' })
  }
  t.deepEqual(await readdir(folder), [])
})

test('flush waits for all saves, those that fail too; close does, and nothing comes after it', async (t) => {
  const folder = await scratchFolder(t)
  const saver = new BackgroundSaver()
  await saver.flush()
  const model = modelOf({ w: counted(1000) })
  const settled: string[] = []
  await mkdir(join(folder, 'b.ckpt'))
  for (const name of ['a', 'b', 'c']) {
    saver.save(join(folder, `${name}.ckpt`), model)!.durable.then(
      () => settled.push(`${name} saved`),
      () => settled.push(`${name} failed`),
    )
  }
  await saver.flush()
  t.deepEqual(settled, ['a saved', 'b failed', 'c saved'])
  saver.save(join(folder, 'd.ckpt'), model)!.durable.then(() => settled.push('d saved'))
  await saver.close()
  t.is(settled.at(-1), 'd saved')
  await saver.close()
  t.throws(() => saver.save(join(folder, 'e.ckpt'), model), { instanceOf: TypeError })
})
