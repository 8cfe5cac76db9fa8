import test from 'ava'
import { tensorflowModule } from '../../../src/adapters/tensorflow/tensorflow.js'
import {
  type Checkpoint,
  type LoadedState,
  restoreCheckpoint,
  type Stateful,
  StateMismatchError,
} from '../../../src/index.js'
import {
  altered,
  both,
  contents,
  saved,
  trainedAdam,
  weightsOf,
} from '../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  optimizers,
  tensorflow,
  train,
  type Untyped,
} from '../../support/adapters/tensorflow-trainings.js'

let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

/** Restores without strictness; the report and the warnings. */
async function lenient(checkpoint: Checkpoint, model: Stateful, optimizer: Stateful) {
  const warnings: string[] = []
  const report = await restoreCheckpoint(checkpoint, model, optimizer, {
    strict: false,
    onWarning: (message) => warnings.push(message),
  })
  return { report, warnings }
}

/** The file of `checkpoint` with another optimizer's attributes. */
async function withAttributes(
  checkpoint: Checkpoint,
  change: { readonly [name: string]: unknown },
) {
  const { kind, attributes } = checkpoint.optimizer!
  const changed = Object.entries({ ...attributes, ...change }).filter(([, value]) => value !== null)
  const state = {
    kind: kind!,
    attributes: Object.fromEntries(changed),
    tensors: checkpoint.optimizer!,
  }
  return saved({ stateDict: () => checkpoint.model }, { stateDict: () => state as never })
}

test('an optimizer of another class is refused before the model is written, and left as it is without strictness', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  await using checkpoint = await saved(...states)
  for (const [name, make] of Object.entries(optimizers)) {
    if (name === 'adam') continue
    const optimizer = make(tf)
    const model = classifier(tf, optimizer)
    await train(tf, model, 5, 6)
    const others = both(optimizer, model)
    const [weights, before] = [weightsOf(model), await contents(others[1])]
    await t.throwsAsync(restoreCheckpoint(checkpoint, ...others), {
      instanceOf: StateMismatchError,
    })
    t.deepEqual(weightsOf(model), weights, name)
    const { report, warnings } = await lenient(checkpoint, ...others)
    t.deepEqual(await contents(others[1]), before, name)
    t.is(warnings.length, 1)
    t.is(report.tensors, checkpoint.model.size)
    const unexpected = report.unexpected.filter(({ state }) => state === 'optimizer')
    t.is(unexpected.length, checkpoint.optimizer!.size)
    t.notDeepEqual(weightsOf(model), weights)
  }
})

test('a hyper-parameter that only one side has is refused, or skipped without strictness', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  await using checkpoint = await withAttributes(await saved(...states), {
    decay: 0.1,
    epsilon: null,
    learningRate: 0.7,
  })
  const optimizer = tf.train.adam(0.01, 0.9, 0.999, 1e-5)
  const model = classifier(tf, optimizer)
  const others = both(optimizer, model)
  const before = await contents(...others)
  const error = await t.throwsAsync(restoreCheckpoint(checkpoint, ...others), {
    instanceOf: StateMismatchError,
  })
  t.deepEqual(error!.missing, [{ state: 'optimizer', tensor: 'epsilon' }])
  t.deepEqual(error!.unexpected, [{ state: 'optimizer', tensor: 'decay' }])
  t.deepEqual(await contents(...others), before)
  const { warnings } = await lenient(checkpoint, ...others)
  t.is(warnings.length, 1)
  t.is(optimizer.epsilon, 1e-5)
  t.is(optimizer.learningRate, 0.7)
  t.is(optimizer.iterations, 2)
  t.false('decay' in optimizer)
})

test('attributes that no optimizer has are an error in any case, before the model is written', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  const whole = await saved(...states)
  const optimizer = tf.train.adam(0.01)
  const model = classifier(tf, optimizer)
  const before = weightsOf(model)
  for (const change of [{ iterations: -1 }, { order: 'a' }, { frozen: 3 }, { beta1: '0.9' }]) {
    await using checkpoint = await withAttributes(whole, change)
    for (const strict of [true, false]) {
      const options = { strict, onWarning: () => {} }
      const error = await t.throwsAsync(
        restoreCheckpoint(checkpoint, ...both(optimizer, model), options),
        { instanceOf: StateMismatchError },
      )
      t.deepEqual(
        error!.mismatched.map(({ tensor }) => tensor),
        Object.keys(change),
      )
    }
  }
  t.deepEqual(weightsOf(model), before)
})

test('a centered RMSProp refuses the state of one that is not, even without strictness', async (t) => {
  const plain = tf.train.rmsprop(0.1)
  await using checkpoint = await saved(...both(plain, classifier(tf, plain)))
  const centered = tf.train.rmsprop(0.1, 0.9, 0, 1e-7, true)
  const model = classifier(tf, centered)
  const before = weightsOf(model)
  const error = await t.throwsAsync(lenient(checkpoint, ...both(centered, model)), {
    instanceOf: StateMismatchError,
  })
  t.is(error!.mismatched[0]!.tensor, 'centered')
  t.deepEqual(weightsOf(model), before)
})

test('if one buffer of a parameter is missing, its buffers stay as they are, with a report', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  const { kind, attributes } = (await saved(...states)).optimizer!
  const whole = await saved(...states)
  const tensors = [...whole.optimizer!].filter(([name]) => name !== 'v/head/bias')
  await using checkpoint = await saved(
    { stateDict: () => whole.model },
    { stateDict: () => ({ kind: kind!, attributes, tensors }) },
  )
  const optimizer = tf.train.adam(0.01)
  const others = both(optimizer, classifier(tf, optimizer))
  const { report } = await lenient(checkpoint, ...others)
  t.deepEqual(report.missing, [{ state: 'optimizer', tensor: 'v/head/bias' }])
  t.deepEqual(report.unexpected, [{ state: 'optimizer', tensor: 'm/head/bias' }])
  t.is(report.tensors, whole.model.size + whole.optimizer!.size - 2)
  t.deepEqual([...(await saved(...others)).optimizer!.get('m/head/bias').data], [0, 0, 0])
})

test('which parameters are frozen is a part of the state of every optimizer, in both directions', async (t) => {
  const make = (name: string, frozen: boolean) => {
    const optimizer = optimizers[name]!(tf)
    const model = classifier(tf)
    model.layers[0].trainable = !frozen
    model.compile({ optimizer, loss: 'categoricalCrossentropy' })
    return { optimizer, model, states: both(optimizer, model) }
  }
  for (const name of ['sgd', 'momentum', 'adam']) {
    for (const frozen of [true, false]) {
      // Trained whole, so that there are buffers of what is frozen later.
      const there = make(name, false)
      await train(tf, there.model, 0, 1)
      there.model.layers[0].trainable = !frozen
      there.model.compile({ optimizer: there.optimizer, loss: 'categoricalCrossentropy' })
      await using checkpoint = await saved(...there.states)
      const here = make(name, !frozen)
      const before = weightsOf(here.model)
      await t.throwsAsync(restoreCheckpoint(checkpoint, ...here.states), {
        code: 'CKPT_STATE_MISMATCH',
        message: /frozen (here|in the checkpoint)|unexpected in the checkpoint: optimizer: "m/,
      })
      t.deepEqual(weightsOf(here.model), before)
      const { warnings } = await lenient(checkpoint, ...here.states)
      // The model says so too, unless the optimizer has told the same.
      t.true(warnings.some((warning) => /frozen (here|in the checkpoint)/.test(warning)))
      t.is(warnings.length, name === 'sgd' || frozen ? 1 : 2)
      const same = make(name, frozen)
      if (frozen) continue
      await t.notThrowsAsync(restoreCheckpoint(checkpoint, ...same.states))
    }
  }
})

test('a state of version 0.1.0 does not say what is frozen, and is restored', async (t) => {
  const optimizer = tf.train.sgd(0.1)
  const model = classifier(tf, optimizer)
  const { frozen, ...attributes } = (await saved(...both(optimizer, model))).optimizer!.attributes
  t.deepEqual(frozen, [])
  await using checkpoint = await withAttributes(await saved(...both(optimizer, model)), {
    ...attributes,
    frozen: null,
  })
  const other = tf.train.sgd(0.1)
  const copy = classifier(tf)
  copy.layers[0].trainable = false
  copy.compile({ optimizer: other, loss: 'categoricalCrossentropy' })
  await t.notThrowsAsync(restoreCheckpoint(checkpoint, ...both(other, copy)))
})

test('one variable under two names is one tensor, and refuses two', async (t) => {
  const shared = tf.variable(tf.tensor1d([1, 2]))
  const module = tensorflowModule({ a: shared, b: shared })
  const { model } = await saved(module)
  t.is(new Set([...model].map(([, tensor]) => tensor.segment())).size, 1)
  const apart = { a: tf.variable(tf.tensor1d([3, 4])), b: tf.variable(tf.tensor1d([5, 6])) }
  await using untied = await saved(tensorflowModule(apart))
  await t.throwsAsync(restoreCheckpoint(untied, module), { code: 'CKPT_STATE_MISMATCH' })
  t.deepEqual([...shared.dataSync()], [1, 2])
})

test('a state that does not come through restoreCheckpoint is validated as well', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  await using checkpoint = await saved(...states)
  const state: LoadedState = altered(checkpoint.optimizer!, { kind: 'SGD' })
  await t.throwsAsync(async () => states[1].loadStateDict!(state), { instanceOf: TypeError })
})
