import test, { type ExecutionContext } from 'ava'
import {
  loadCheckpoint,
  type ManagerOptions,
  type SavedReport,
  type Stateful,
} from '../../src/index.js'
import { CheckpointManager } from '../support/built.js'
import { scratchFolder } from '../support/scratch.js'

async function managed(t: ExecutionContext, options: ManagerOptions = {}) {
  const warnings: string[] = []
  const onWarning = (message: string) => void warnings.push(message)
  const manager = new CheckpointManager(await scratchFolder(t), { onWarning, ...options })
  t.teardown(() => manager.close().catch(() => {}))
  return { manager, warnings }
}

const stepsIn = async (manager: { list(): Promise<readonly { step: number }[]> }) =>
  (await manager.list()).map(({ step }) => step)

/** A model of a trained vector and of one that something else changes, and an optimizer for the former. */
function states() {
  const weight = new Float32Array(3)
  const mean = new Float32Array(3)
  const model: Stateful = {
    stateDict: () => ({
      weight: { shape: [3], data: weight },
      mean: { shape: [3], data: mean },
    }),
  }
  const optimizer: Stateful = {
    stateDict: () => ({ 'exp_avg/weight': { shape: [3], data: new Float32Array(3) } }),
  }
  return { weight, mean, model, optimizer }
}

test('onSaved is told of each checkpoint that is durable, in order', async (t) => {
  const reports: SavedReport[] = []
  const { manager } = await managed(t, {
    save: { everySteps: 2 },
    onSaved: (report) => reports.push(report),
  })
  const { model, weight } = states()
  for (let step = 1; step <= 4; step++) {
    weight[0]!++
    await manager.save(model, null, { step })
  }
  await manager.flush()
  t.deepEqual(
    reports.map(({ step, sequence, tensors }) => [step, sequence, tensors]),
    [
      [2, 0, 2],
      [4, 1, 2],
    ],
  )
  for (const { path, step, byteLength, durability } of reports) {
    await using checkpoint = await loadCheckpoint(path)
    t.is(checkpoint.step, step)
    t.true(byteLength > 0)
    t.is(durability, 'durable' as never)
  }
})

test('old checkpoints are removed only when onSaved has finished with the new one', async (t) => {
  let finish = () => {}
  const finished = new Promise<void>((resolve) => {
    finish = resolve
  })
  const { manager } = await managed(t, {
    keep: { newest: 1 },
    onSaved: ({ step }) => (step === 2 ? finished : undefined),
  })
  const { model, weight } = states()
  for (const step of [1, 2]) {
    weight[0]!++
    await manager.save(model, null, { step })
  }
  while ((await manager.list()).length < 2) await new Promise((resolve) => setTimeout(resolve, 5))
  finish()
  await manager.flush()
  t.deepEqual(await stepsIn(manager), [2])
})

test('an onSaved that fails is a warning, and fails no save', async (t) => {
  for (const onSaved of [
    () => {
      throw new Error('no network')
    },
    () => Promise.reject(new Error('no network')),
  ]) {
    const { manager, warnings } = await managed(t, { onSaved })
    await manager.save(states().model, null, { step: 1 })
    await manager.flush()
    t.regex(warnings[0]!, /onSaved failed for .*: no network/)
    t.is(warnings.length, 1)
  }
})

test('options of the wrong kind are refused', async (t) => {
  const folder = await scratchFolder(t)
  for (const options of [{ onSaved: 'log' }, { saveOnClose: 1 }]) {
    t.throws(() => new CheckpointManager(folder, options as never), { instanceOf: TypeError })
  }
})

test('a run that saves the weights of the checkpoint before is warned, once', async (t) => {
  const { manager, warnings } = await managed(t)
  const { model, optimizer, weight, mean } = states()
  for (let step = 1; step <= 4; step++) {
    // A running mean changes without training.
    mean[0]!++
    if (step <= 2) weight[0]!++
    await manager.save(model, optimizer, { step })
    await manager.flush()
    t.is(warnings.length, step < 3 ? 0 : 1)
  }
  t.regex(warnings[0]!, /the steps 2 and 3 have the same trained tensors/)
})

test('frozen weights alone, or the same step twice, are no reason for a warning', async (t) => {
  const { manager, warnings } = await managed(t)
  const { weight, mean } = states()
  const model: Stateful = {
    stateDict: () => ({
      attributes: { frozen: ['mean'] },
      tensors: { weight: { shape: [3], data: weight }, mean: { shape: [3], data: mean } },
    }),
  }
  for (const step of [1, 1, 2]) {
    if (step === 2) weight[0]!++
    await manager.save(model, null, { step, force: true })
    await manager.flush()
  }
  t.deepEqual(warnings, [])
  mean[0]!++
  await manager.save(model, null, { step: 3 })
  await manager.flush()
  t.is(warnings.length, 1)
})

test('close saves the last step where that is asked for, and only if it was not saved', async (t) => {
  for (const [saveOnClose, last, steps] of [
    [true, 5, [4, 5]],
    [true, 4, [4]],
    [false, 5, [4]],
  ] as const) {
    const { manager } = await managed(t, { save: { everySteps: 4 }, saveOnClose })
    const { model, weight } = states()
    for (let step = 1; step <= last; step++) {
      weight[0]!++
      await manager.save(model, null, { step, epoch: step })
    }
    await manager.close()
    t.deepEqual(await stepsIn(manager), [...steps])
    t.is((await manager.latest())!.epoch, last === 5 && saveOnClose ? 5 : 4)
    await t.throwsAsync(manager.save(model, null, { step: 9 }), { message: /has been closed/ })
  }
})

test('a training that throws is saved, and its error is thrown on', async (t) => {
  const { manager } = await managed(t, { save: { everySteps: 100 } })
  const { model, weight } = states()
  const failure = new Error('the data ended')
  const error = await t.throwsAsync(
    manager.run(async () => {
      for (let step = 1; ; step++) {
        if (step === 4) throw failure
        weight[0]!++
        await manager.save(model, null, { step })
      }
    }),
  )
  t.is(error, failure)
  await using checkpoint = await loadCheckpoint((await manager.latest())!.path)
  t.is(checkpoint.step, 3)
  t.is(checkpoint.model.get('weight').data[0], 3)
})

test('a training that ends gives its result once everything is durable', async (t) => {
  const { manager } = await managed(t)
  const { model } = states()
  const result = await manager.run(async () => {
    await manager.save(model, null, { step: 1 })
    return 'trained'
  })
  t.is(result, 'trained')
  t.deepEqual(await stepsIn(manager), [1])
})

test('where the last save fails too, the error of the training is thrown and the other one warned of', async (t) => {
  const { manager, warnings } = await managed(t, { save: { everySteps: 100 } })
  const model: Stateful = {
    stateDict: () => ({
      weight: { shape: [1], dtype: 'float32', data: () => Promise.reject(new Error('lost')) },
    }),
  }
  await t.throwsAsync(
    manager.run(async () => {
      await manager.save(model, null, { step: 1 })
      throw new Error('out of memory')
    }),
    { message: 'out of memory' },
  )
  t.regex(warnings.join('\n'), /its last step was not saved: lost/)
})
