import test from 'ava'
import { restoreCheckpoint, StateMismatchError } from '../../../src/index.js'
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

test.serial('saving and restoring leave no tensor behind', async (t) => {
  for (const [name, make] of Object.entries(optimizers)) {
    const optimizer = make(tf)
    const model = classifier(tf, optimizer)
    const states = both(optimizer, model)
    await train(tf, model, 0, 2)
    const before = tf.memory()
    await using checkpoint = await saved(...states)
    t.deepEqual(tf.memory(), before, `${name}, saved`)
    await restoreCheckpoint(checkpoint, ...states)
    t.deepEqual(tf.memory(), before, `${name}, restored`)
    await train(tf, model, 2, 3)
    t.deepEqual(tf.memory(), before, `${name}, trained on`)

    const fresh = make(tf)
    const copy = classifier(tf, fresh)
    const unrestored = tf.memory().numTensors
    await restoreCheckpoint(checkpoint, ...both(fresh, copy))
    const restored = tf.memory().numTensors
    const buffers = [...checkpoint.optimizer!.keys()].filter((key) => key.includes('/'))
    t.is(restored - unrestored, buffers.length, `${name}, restored afresh`)
    await train(tf, copy, 2, 3)
    t.is(tf.memory().numTensors, restored, `${name}, trained afresh`)

    const starting = make(tf)
    await using start = await saved(...both(starting, classifier(tf, starting)))
    const made = tf.memory().numTensors
    await restoreCheckpoint(start, ...both(fresh, copy))
    t.is(tf.memory().numTensors, made - buffers.length, `${name}, taken back`)
  }
})

test.serial('a restore that fails leaves no tensor behind', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  await using checkpoint = await saved(...states)
  const optimizer = tf.train.adam(0.01)
  const [, state] = both(optimizer, classifier(tf, optimizer))
  const before = tf.memory()
  const failing = altered(checkpoint.optimizer!, {
    get: (name) => {
      const tensor = checkpoint.optimizer!.get(name)
      if (name !== 'v/head/bias') return tensor
      return Object.assign(Object.create(tensor), {
        readInto: () => Promise.reject(new Error('the disk is gone')),
        dtype: tensor.dtype,
        shape: tensor.shape,
      })
    },
  })
  await t.throwsAsync(async () => state.loadStateDict!(failing), { message: 'the disk is gone' })
  t.deepEqual(tf.memory(), before)
  t.is(optimizer.iterations, 0)
  t.deepEqual(optimizer.accumulatedFirstMoment, [])
})

test('a state has the same names before the first step and after it', async (t) => {
  for (const make of Object.values(optimizers)) {
    const optimizer = make(tf)
    const model = classifier(tf, optimizer)
    const names = async () => [...(await saved(...both(optimizer, model))).optimizer!.keys()]
    const before = await names()
    await train(tf, model, 0, 1)
    t.deepEqual(await names(), before)
  }
})

test('buffers are known by the names of their parameters', async (t) => {
  const { states } = await trainedAdam(tf, 3)
  const { optimizer } = await saved(...states)
  const parameters = [
    'dense_1/kernel',
    'dense_1/bias',
    'batch_normalization_1/gamma',
    'batch_normalization_1/beta',
    'dense_2/kernel',
    'dense_2/bias',
    'head/kernel',
    'head/bias',
  ]
  t.deepEqual(
    [...optimizer!.keys()],
    [
      'accBeta1',
      'accBeta2',
      ...parameters.map((name) => `m/${name}`),
      ...parameters.map((name) => `v/${name}`),
    ],
  )
  t.is(optimizer!.kind, 'Adam')
  t.deepEqual(optimizer!.attributes, {
    iterations: 3,
    learningRate: 0.01,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-7,
    order: parameters,
    numbering: 'place',
  })
})

test('an optimizer that has made no step is restored completely', async (t) => {
  for (const make of Object.values(optimizers)) {
    const optimizer = make(tf)
    const model = classifier(tf, optimizer)
    await train(tf, model, 0, 3)
    const fresh = make(tf)
    const states = both(fresh, classifier(tf, fresh))
    await restoreCheckpoint(await saved(...both(optimizer, model)), ...states)
    t.is(fresh.iterations, 3)
    t.deepEqual(await contents(...states), await contents(...both(optimizer, model)))
  }
})

test('a checkpoint from before the first step takes an optimizer back to that point', async (t) => {
  for (const make of Object.values(optimizers)) {
    const optimizer = make(tf)
    const model = classifier(tf, optimizer)
    const states = both(optimizer, model)
    await using start = await saved(...states)
    const starting = await contents(...states)
    await train(tf, model, 0, 3)
    const trained = await contents(...states)
    t.notDeepEqual(trained, starting)
    await restoreCheckpoint(start, ...states)
    t.is(optimizer.iterations, 0)
    t.deepEqual(await contents(...states), starting)
    await train(tf, model, 0, 3)
    t.deepEqual(await contents(...states), trained)
  }
})

test('the learning rate comes back, in the tensor that SGD steps with as well', async (t) => {
  for (const name of ['sgd', 'momentum'] as const) {
    const optimizer = optimizers[name]!(tf)
    const model = classifier(tf, optimizer)
    optimizer.setLearningRate(0.007)
    await train(tf, model, 0, 1)
    const fresh = optimizers[name]!(tf)
    const copy = classifier(tf, fresh)
    await restoreCheckpoint(await saved(...both(optimizer, model)), ...both(fresh, copy))
    t.is(fresh.learningRate, 0.007)
    t.is(fresh.c.dataSync()[0], -Math.fround(0.007))
    fresh.setLearningRate(0.3)
    t.is((await saved(...both(fresh, copy))).optimizer!.get('c').data[0], -Math.fround(0.3))
  }
})

test.serial(
  'a scope that is open around a restore does not take the restored tensors away',
  async (t) => {
    const optimizer = tf.train.momentum(0.1, 0.9)
    const model = classifier(tf, optimizer)
    await train(tf, model, 0, 2)
    const fresh = tf.train.momentum(0.2, 0.8)
    const copy = classifier(tf, fresh)
    await using checkpoint = await saved(...both(optimizer, model))
    tf.engine().startScope()
    await restoreCheckpoint(checkpoint, ...both(fresh, copy))
    tf.engine().endScope()
    await train(tf, model, 2, 4)
    await train(tf, copy, 2, 4)
    t.deepEqual(weightsOf(copy), weightsOf(model))
  },
)

test('a checkpoint of another architecture is refused, and nothing is touched', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  await using checkpoint = await saved(...states)
  const refused = async (optimizer: Untyped, model: Untyped): Promise<StateMismatchError> => {
    const others = both(optimizer, model)
    await train(tf, model, 0, 1)
    const before = await contents(...others)
    const error = await t.throwsAsync(restoreCheckpoint(checkpoint, ...others))
    t.deepEqual(await contents(...others), before)
    if (!(error instanceof StateMismatchError)) throw error
    return error
  }

  const adam = tf.train.adam(0.01)
  const wide = tf.sequential({
    layers: [
      tf.layers.dense({ inputShape: [5], units: 7 }),
      tf.layers.batchNormalization(),
      tf.layers.dense({ units: 9, activation: 'tanh' }),
      tf.layers.dense({ units: 3, activation: 'softmax', name: 'head' }),
    ],
  })
  wide.compile({ optimizer: adam, loss: 'categoricalCrossentropy' })
  const { mismatched, missing } = await refused(adam, wide)
  t.deepEqual(missing, [])
  t.deepEqual(
    mismatched.map(({ state, tensor }) => `${state} ${tensor}`),
    [
      ...['dense_2/kernel', 'dense_2/bias', 'head/kernel'].map((name) => `model ${name}`),
      ...['m', 'v'].flatMap((word) =>
        ['dense_2/kernel', 'dense_2/bias', 'head/kernel'].map(
          (name) => `optimizer ${word}/${name}`,
        ),
      ),
    ],
  )

  for (const make of Object.values(optimizers)) {
    const optimizer = make(tf)
    if (optimizer.getClassName() === 'Adam') continue
    const error = await refused(optimizer, classifier(tf, optimizer))
    t.true(error.missing.length + error.unexpected.length > 0)
  }
})

test('without strictness, a new head keeps its own weights and buffers', async (t) => {
  const { states } = await trainedAdam(tf, 3)
  const make = (optimizer: Untyped) => {
    const { dense, batchNormalization } = tf.layers
    const layers = [
      dense({ inputShape: [5], units: 7 }),
      batchNormalization(),
      dense({ units: 6, activation: 'tanh' }),
      dense({ units: 3, activation: 'softmax', name: 'new_head' }),
    ]
    const model = tf.sequential({ layers })
    model.compile({ optimizer, loss: 'categoricalCrossentropy' })
    return model
  }
  for (const steps of [0, 2]) {
    const optimizer = tf.train.adam(0.01)
    const model = make(optimizer)
    await train(tf, model, 0, steps)
    const others = both(optimizer, model)
    const before = await saved(...others)
    await using checkpoint = await saved(...states)
    await restoreCheckpoint(checkpoint, ...others, { strict: false, onWarning: () => {} })
    const after = await saved(...others)
    t.deepEqual(
      after.optimizer!.get('m/dense_1/kernel').data,
      checkpoint.optimizer!.get('m/dense_1/kernel').data,
    )
    const head = 'new_head/kernel'
    t.deepEqual(after.model.get(head).data, before.model.get(head).data)
    t.deepEqual(after.optimizer!.get(`m/${head}`).data, before.optimizer!.get(`m/${head}`).data)
    await train(tf, model, 2, 4)
    t.is(optimizer.iterations, 5)
  }
})

test('an optimizer of another kind, or with other lists, refuses a state that is handed to it', async (t) => {
  const make = (optimizer: Untyped) => both(optimizer, classifier(tf, optimizer))
  await using adam = await saved(...make(tf.train.adam(0.1)))
  const [, sgd] = make(tf.train.sgd(0.1))
  await t.throwsAsync(async () => sgd.loadStateDict!(adam.optimizer!), {
    instanceOf: TypeError,
    message: /found that of Adam in the checkpoint/,
  })
  await using plain = await saved(...make(tf.train.rmsprop(0.1)))
  const [, centered] = make(tf.train.rmsprop(0.1, 0.9, 0, 1e-7, true))
  await t.throwsAsync(async () => centered.loadStateDict!(plain.optimizer!), {
    instanceOf: TypeError,
    message: /centered .*: expected true, as here, found false/,
  })
})

test('attributes that no optimizer has are refused before anything changes', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  await using checkpoint = await saved(...states)
  const before = await contents(...states)
  for (const [attributes, message] of [
    [{ iterations: -1 }, /iterations .*found -1/],
    [{ iterations: 1.5 }, /iterations .*found 1.5/],
    [{ order: 'a' }, /order .*: expected a list of names, found a/],
    [{ beta1: '0.9' }, /beta1 .*: expected a number, found 0.9/],
    [{ decay: 1 }, /decay .*: expected no such attribute, found 1/],
  ] as const) {
    const state = checkpoint.optimizer!
    const changed = altered(state, { attributes: { ...state.attributes, ...attributes } })
    await t.throwsAsync(async () => states[1].loadStateDict!(changed), {
      instanceOf: TypeError,
      message,
    })
  }
  t.deepEqual(await contents(...states), before)
})
