import test from 'ava'
import {
  type FitCallbackOptions,
  type FitManager,
  tensorflowCallback,
} from '../../../src/adapters/tensorflow/tensorflow.js'
import type { ManagerOptions } from '../../../src/index.js'
import { both, weightsOf } from '../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  noise,
  tensorflow,
  type Untyped,
} from '../../support/adapters/tensorflow-trainings.js'
import { CheckpointManager } from '../../support/built.js'
import { scratchFolder } from '../../support/scratch.js'

let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

const SAMPLES = 20
// An epoch of five batches.
const fitArguments = { batchSize: 4, shuffle: false, verbose: 0, yieldEvery: 'never' }

function data() {
  const labels = new Float32Array(SAMPLES * 3)
  for (let i = 0; i < SAMPLES; i++) labels[3 * i + (i % 3)] = 1
  return [tf.tensor2d(noise(SAMPLES * 5, 1), [SAMPLES, 5]), tf.tensor2d(labels, [SAMPLES, 3])]
}

function compiled() {
  const optimizer = tf.train.adam(0.01)
  const model = classifier(tf)
  model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] })
  return { model, states: both(optimizer, model) }
}

/** Fits with a manager over `folder`, from its newest checkpoint on. */
async function fit(
  folder: string,
  epochs: number,
  managerOptions: ManagerOptions,
  { options = {}, more = {} }: { options?: FitCallbackOptions; more?: object } = {},
) {
  const { model, states } = compiled()
  await using manager = new CheckpointManager(folder, managerOptions)
  const callback = tensorflowCallback(manager, ...states, options)
  const [x, y] = data()
  const start = await callback.resume()
  const history = await model.fit(x, y, {
    ...fitArguments,
    epochs,
    ...start,
    ...more,
    callbacks: callback,
  })
  const list = await manager.list()
  return { model, history, start, step: callback.step, list, best: await best(manager) }
}

async function best(manager: InstanceType<typeof CheckpointManager>) {
  return manager.best({ metric: 'val_loss', mode: 'min' })
}

const positions = (list: readonly { epoch: number; step: number }[]) =>
  list.map(({ epoch, step }) => [epoch, step])

test('after every epoch a checkpoint is saved, with what fit reports of it', async (t) => {
  const [x, y] = data()
  const more = { validationData: [x, y] }
  const { list, history, best } = await fit(await scratchFolder(t), 3, {}, { more })
  t.deepEqual(positions(list), [
    [1, 5],
    [2, 10],
    [3, 15],
  ])
  for (const [i, { loss, metrics }] of list.entries()) {
    const { loss: losses, ...others } = history.history
    t.is(loss, losses[i])
    t.deepEqual(Object.keys(metrics).sort(), ['acc', 'val_acc', 'val_loss'])
    for (const [name, values] of Object.entries<number[]>(others)) t.is(metrics[name], values[i])
  }
  t.is(best?.step, 15)
})

test('a resumed fit counts on, and ends with the weights, bit for bit, of the one that never stopped', async (t) => {
  const whole = await fit(await scratchFolder(t), 4, {})
  const folder = await scratchFolder(t)
  const first = await fit(folder, 2, {})
  t.deepEqual(first.start, { initialEpoch: 0 })
  t.notDeepEqual(weightsOf(first.model), weightsOf(whole.model))
  const second = await fit(folder, 4, {})
  t.deepEqual(second.start, { initialEpoch: 2 })
  t.is(second.step, 20)
  t.deepEqual(positions(second.list), positions(whole.list))
  t.deepEqual(weightsOf(second.model), weightsOf(whole.model))
  t.deepEqual(
    [...first.history.history.loss, ...second.history.history.loss],
    whole.history.history.loss,
  )
})

test('asked after every batch, the manager saves by its rules, and at the end of an epoch with the metrics of the epoch', async (t) => {
  const [x, y] = data()
  const settings = { options: { ask: 'batch' as const }, more: { validationData: [x, y] } }
  const { list } = await fit(
    await scratchFolder(t),
    2,
    { save: { everySteps: 2, steps: [5] } },
    settings,
  )
  t.deepEqual(positions(list), [
    [0, 2],
    [0, 4],
    [1, 5],
    [1, 6],
    [1, 8],
    [2, 10],
  ])
  const withValidation = list.filter(({ metrics }) => 'val_loss' in metrics)
  t.deepEqual(positions(withValidation), [
    [1, 5],
    [2, 10],
  ])
  t.true(list.every(({ metrics }) => !('size' in metrics) && !('batch' in metrics)))
})

test('from the middle of an epoch, the epoch is begun anew', async (t) => {
  const folder = await scratchFolder(t)
  const options = { ask: 'batch' as const }
  const rules = { save: { steps: [7] } }
  const { model, states } = compiled()
  const manager = new CheckpointManager(folder, rules)
  const callback = tensorflowCallback(manager, ...states, options)
  const [x, y] = data()
  const stop = { onBatchEnd: () => callback.step === 8 && Promise.reject(new Error('stopped')) }
  const fitted = model.fit(x, y, { ...fitArguments, epochs: 3, callbacks: [callback, stop] })
  await t.throwsAsync(fitted, { message: 'stopped' })
  await manager.close()
  const resumed = await fit(folder, 3, rules, { options })
  t.deepEqual(resumed.start, { initialEpoch: 1 })
  t.deepEqual(positions(resumed.list), [
    [1, 7],
    [3, 17],
  ])
})

test('the final state is always saved, and durable when fit returns', async (t) => {
  const { list } = await fit(await scratchFolder(t), 2, { save: { steps: [1000] } })
  t.deepEqual(positions(list), [[2, 10]])
})

test('after a signal the manager is asked in the middle of an epoch', async (t) => {
  const saves: object[] = []
  const manager: FitManager & { preempted: boolean } = {
    preempted: false,
    save: async (_model, _optimizer, { step, epoch }) => saves.push({ step, epoch }) > 0,
    restoreLatest: async () => null,
    flush: async () => {},
  }
  const { model, states } = compiled()
  const callback = tensorflowCallback(manager, ...states)
  const signal = {
    onBatchEnd: async () => {
      manager.preempted = callback.step === 7
    },
  }
  const [x, y] = data()
  await model.fit(x, y, { ...fitArguments, epochs: 2, callbacks: [callback, signal] })
  t.deepEqual(saves, [
    { step: 5, epoch: 1 },
    { step: 7, epoch: 1 },
    { step: 10, epoch: 2 },
  ])
})

test('a save that fails ends the fit', async (t) => {
  const manager: FitManager = {
    save: () => Promise.reject(new Error('disk full')),
    restoreLatest: async () => null,
    flush: async () => {},
  }
  const { model, states } = compiled()
  const [x, y] = data()
  const callbacks = tensorflowCallback(manager, ...states)
  await t.throwsAsync(model.fit(x, y, { ...fitArguments, epochs: 1, callbacks }), {
    message: 'disk full',
  })
})

test('next to a callback of a class of TensorFlow.js, after it or wrapped, the same is saved', async (t) => {
  const alone = await fit(await scratchFolder(t), 2, {})
  const orders: ((ours: Untyped, stop: Untyped) => Untyped[])[] = [
    (ours, stop) => [stop, ours],
    (ours, stop) => [new tf.CustomCallback(ours, 'never'), stop],
    (ours, stop) => [stop, new tf.CustomCallback(ours, 'never')],
  ]
  for (const inOrder of orders) {
    const { model, states } = compiled()
    await using manager = new CheckpointManager(await scratchFolder(t))
    const ours = tensorflowCallback(manager, ...states)
    const callbacks = inOrder(ours, tf.callbacks.earlyStopping({ monitor: 'loss', patience: 5 }))
    const [x, y] = data()
    await model.fit(x, y, { ...fitArguments, epochs: 2, callbacks })
    const list = await manager.list()
    t.deepEqual(
      list.map(({ step, loss, metrics }) => ({ step, loss, metrics })),
      alone.list.map(({ step, loss, metrics }) => ({ step, loss, metrics })),
    )
  }
})

test('asked by epoch, a rule that counts batches saves when that many have passed', async (t) => {
  const { list } = await fit(await scratchFolder(t), 5, { save: { everySteps: 8 } })
  t.deepEqual(positions(list), [
    [2, 10],
    [4, 20],
    [5, 25],
  ])
})

test('wrong arguments are refused', (t) => {
  const { states } = compiled()
  t.throws(() => tensorflowCallback({} as FitManager, ...states), {
    message: 'expected a CheckpointManager, not an object',
  })
  const manager = { save: async () => true } as unknown as FitManager
  const { model } = compiled()
  t.throws(() => tensorflowCallback(manager, model as never, model.optimizer as never), {
    message: /pass a TensorFlow\.js model as tensorflowModule\(model\)/,
  })
  t.throws(() => tensorflowCallback(manager, states[0], model.optimizer as never), {
    message: /pass a TensorFlow\.js optimizer as tensorflowOptimizer\(optimizer, model\)/,
  })
  t.throws(() => tensorflowCallback(manager, ...states, { steps: 3 } as never), {
    message: /^tensorflowCallback has no option "steps"; did you mean "step"\?/,
  })
  t.throws(() => tensorflowCallback(manager, ...states, { ask: 'step' as 'batch' }), {
    message: "ask must be 'epoch' or 'batch', not \"step\"",
  })
})

test('it stands next to early stopping in any order, and both do their work', async (t) => {
  const [x, y] = data()
  for (const order of ['first', 'last', 'between']) {
    const { model, states } = compiled()
    const manager = new CheckpointManager(await scratchFolder(t), { save: { everySteps: 1 } })
    const ours = tensorflowCallback(manager, ...states)
    const stop = () => tf.callbacks.earlyStopping({ monitor: 'loss', patience: 0, minDelta: 1e9 })
    const callbacks = {
      first: [ours, stop()],
      last: [stop(), ours],
      between: [stop(), ours, stop()],
    }[order]
    const { epoch } = await model.fit(x, y, { ...fitArguments, epochs: 9, callbacks })
    t.is(epoch.length, 2, order)
    t.deepEqual(positions(await manager.list()).at(-1), [2, 10], order)
    await manager.close()
  }
})

test("a model's fit takes everything else as before", async (t) => {
  const [x, y] = data()
  const { model, states } = compiled()
  const plain = compiled()
  await using manager = new CheckpointManager(await scratchFolder(t))
  tensorflowCallback(manager, ...states)
  tensorflowCallback(manager, ...states)
  const seen: number[] = []
  const onEpochEnd = async (epoch: number) => void seen.push(epoch)
  for (const callbacks of [undefined, { onEpochEnd }, [{ onEpochEnd }]]) {
    await model.fit(x, y, { ...fitArguments, epochs: 1, callbacks })
    await plain.model.fit(x, y, { ...fitArguments, epochs: 1, callbacks })
  }
  t.deepEqual(seen, [0, 0, 0, 0])
  t.deepEqual(Object.keys(model), Object.keys(plain.model))
  t.deepEqual(weightsOf(model), weightsOf(plain.model))
})
