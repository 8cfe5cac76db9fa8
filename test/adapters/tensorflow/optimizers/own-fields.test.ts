import test from 'ava'
import {
  tensorflowModule,
  tensorflowOptimizer,
} from '../../../../src/adapters/tensorflow/tensorflow.js'
import {
  MemorySink,
  restoreCheckpoint,
  StateMismatchError,
  saveCheckpoint,
} from '../../../../src/index.js'
import {
  IDENTICAL_KINDS,
  identicalKinds,
  refusedKinds,
} from '../../../support/adapters/optimizers/own.js'
import {
  altered,
  both,
  contents,
  saved,
  weightsOf,
} from '../../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  tensorflow,
  train,
  type Untyped,
} from '../../../support/adapters/tensorflow-trainings.js'

let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

const made = (kind: (typeof IDENTICAL_KINDS)[number]) => {
  const { optimizer, hidden } = identicalKinds(tf)[kind]()
  const model = classifier(tf, optimizer)
  const state = tensorflowOptimizer(optimizer, model, hidden && { hidden })
  return { optimizer, model, states: [tensorflowModule(model), state] as const }
}
const silent = { strict: false, onWarning: () => {} }

test('what cannot be reached is refused by the names of class and field, and nothing is written', async (t) => {
  for (const [kind, [make, named]] of Object.entries(refusedKinds(tf))) {
    const optimizer = make()
    const model = classifier(tf, optimizer)
    const sink = new MemorySink()
    const error = await t.throwsAsync(saveCheckpoint(sink, ...both(optimizer, model)), {
      instanceOf: TypeError,
    })
    for (const name of named) t.true(error!.message.includes(name), `${kind}: ${error!.message}`)
    t.throws(() => sink.bytes, undefined, kind)
  }
})

test('a hook that has nothing to save lets functions through', async (t) => {
  const [make] = refusedKinds(tf).functions!
  const optimizer = make()
  const model = classifier(tf, optimizer)
  const hidden = { get: () => null, set: () => {} }
  const { schedule, hooks } = optimizer
  const states = [
    tensorflowModule(model),
    tensorflowOptimizer(optimizer, model, { hidden }),
  ] as const
  await restoreCheckpoint(await saved(...states), ...states)
  t.is(optimizer.schedule, schedule)
  t.is(optimizer.hooks, hooks)
  t.is(typeof hooks[0], 'function')
})

test('a hook must have both functions', (t) => {
  const model = classifier(tf)
  for (const hidden of [{}, { get: () => 1 }, 3, null]) {
    t.throws(() => tensorflowOptimizer(tf.train.adam(), model, { hidden } as never), {
      instanceOf: TypeError,
      message: /hidden must have functions get and set/,
    })
  }
})

test('tensors of own classes are called by their fields and by the names of parameters', async (t) => {
  for (const [kind, names] of [
    [
      'GrokFast, averages by variable name',
      ['averages.dense_1/kernel', 'accBeta1', 'accumulatedFirstMoment.head/bias/m.variable'],
    ],
    ['Lion, a Map by variable name', ['momentum.dense_2/bias']],
    ['Prodigy, tensors that are replaced', ['slots.batch_normalization_1/gamma.x0']],
    ['AdamG, nested lists', ['state.buffers[0][1]']],
    [
      'Lookahead, an optimizer in an optimizer',
      ['slow.head/kernel', 'inner.accumulatedSecondMoment.head/kernel/v.variable'],
    ],
    ['a Map by variables', ['byVariable.head/kernel', 'best.weights']],
    ['private fields, with a hook', ['hidden/head/kernel']],
  ] as const) {
    const { model, states } = made(kind)
    await train(tf, model, 0, 2)
    const { optimizer } = await saved(...states)
    for (const name of names) t.true(optimizer!.has(name), `${kind}: ${[...optimizer!.keys()]}`)
  }
})

test.serial(
  'a restore into an optimizer that has been used makes it what was saved, and leaves no tensor behind',
  async (t) => {
    for (const kind of IDENTICAL_KINDS) {
      const { model, states } = made(kind)
      await train(tf, model, 0, 2)
      await using checkpoint = await saved(...states)
      const before = await contents(...states)
      const weights = weightsOf(model)
      await train(tf, model, 2, 6)
      const { numTensors } = tf.memory()
      await restoreCheckpoint(checkpoint, ...states)
      t.deepEqual(await contents(...states), before, kind)
      t.deepEqual(weightsOf(model), weights, kind)
      if (!kind.startsWith('private')) t.is(tf.memory().numTensors, numTensors, kind)
      const again = made(kind)
      await restoreCheckpoint(checkpoint, ...again.states)
      await train(tf, model, 2, 6)
      await train(tf, again.model, 2, 6)
      t.deepEqual(await contents(...again.states), await contents(...states), kind)
    }
  },
)

test('a checkpoint from before the first step takes an optimizer back there', async (t) => {
  for (const kind of [
    'Lion, a Map by variable name',
    'Lookahead, an optimizer in an optimizer',
  ] as const) {
    const { model, states } = made(kind)
    await using start = await saved(...states)
    const starting = await contents(...states)
    await train(tf, model, 0, 3)
    await restoreCheckpoint(start, ...states)
    t.deepEqual(await contents(...states), starting)
  }
})

test('an optimizer of another class is refused, and stays as it is without strictness', async (t) => {
  const lion = made('Lion, a Map by variable name')
  await train(tf, lion.model, 0, 2)
  await using checkpoint = await saved(...lion.states)
  const adamw = made('AdamW, derived')
  await train(tf, adamw.model, 0, 2)
  const before = await contents(adamw.states[1])
  await t.throwsAsync(restoreCheckpoint(checkpoint, ...adamw.states), {
    instanceOf: StateMismatchError,
    message: /"optimizer" is "AdamW" here and "Lion" in the checkpoint/,
  })
  t.deepEqual(await contents(adamw.states[1]), before)
  await restoreCheckpoint(checkpoint, ...adamw.states, silent)
  t.deepEqual(await contents(adamw.states[1]), before)
})

test('a field that a newer version of the class has is missing, and one of another sort does not match', async (t) => {
  const { model, states } = made('AdamW, derived')
  await train(tf, model, 0, 2)
  await using checkpoint = await saved(...states)
  const newer = made('AdamW, derived')
  newer.optimizer.clip = 5
  newer.optimizer.weightDecay = 'linear'
  const error = await t.throwsAsync(restoreCheckpoint(checkpoint, ...newer.states), {
    instanceOf: StateMismatchError,
  })
  const { missing, mismatched } = error as StateMismatchError
  t.deepEqual(missing, [{ state: 'optimizer', tensor: 'clip' }])
  t.like(mismatched[0], { tensor: 'weightDecay', expected: 'a string', actual: 'a number' })
})

test('a file of version 0.1.0, which took a derived class for its base, restores what it has', async (t) => {
  const adam = tf.train.adam(0.01)
  const model = classifier(tf, adam)
  await train(tf, model, 0, 3)
  await using checkpoint = await saved(...both(adam, model))
  const derived = made('AdamW, derived')
  await t.throwsAsync(restoreCheckpoint(checkpoint, ...derived.states), {
    instanceOf: StateMismatchError,
    message: /version 0\.1\.0 left the other fields out/,
  })
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  await restoreCheckpoint(checkpoint, ...derived.states, { strict: false, onWarning })
  t.regex(warnings[0]!, /of the class Adam has, and this is AdamW/)
  t.is(derived.optimizer.iterations, 3)
  t.is(derived.optimizer.weightDecay, 0.1)
  const [, buffers] = both(adam, model)
  const plain = await saved(buffers)
  const restored = await saved(derived.states[1])
  t.deepEqual(
    restored.model.get('accumulatedFirstMoment.head/kernel/m.variable').data,
    plain.model.get('m/head/kernel').data,
  )
})

test("fields that were added to one of TensorFlow.js's own optimizers are saved as well", async (t) => {
  const make = () => {
    const optimizer = tf.train.adam(0.01)
    optimizer.warmUp = { steps: 10 }
    optimizer.maximum = tf.keep(tf.scalar(3))
    return optimizer
  }
  const optimizer = make()
  const model = classifier(tf, optimizer)
  await train(tf, model, 0, 2)
  optimizer.warmUp.steps = 4
  const fresh = make()
  const copy = classifier(tf, fresh)
  await using checkpoint = await saved(...both(optimizer, model))
  t.true(checkpoint.optimizer!.has('m/head/kernel'))
  await restoreCheckpoint(checkpoint, ...both(fresh, copy))
  t.deepEqual(fresh.warmUp, { steps: 4 })
  t.deepEqual(await contents(...both(fresh, copy)), await contents(...both(optimizer, model)))
})

test('buffers follow parameters that are renamed, of TensorFlow.js’s and of own classes', async (t) => {
  const named = (optimizer: Untyped, prefix: string) => {
    const { dense } = tf.layers
    const kernelInitializer = tf.initializers.glorotUniform({ seed: 3 })
    const head = dense({
      units: 3,
      name: `${prefix}head`,
      activation: 'softmax',
      kernelInitializer,
    })
    const layers = [
      dense({ inputShape: [5], units: 4, name: `${prefix}base`, kernelInitializer }),
      head,
    ]
    const model = tf.sequential({ layers })
    model.compile({ optimizer, loss: 'categoricalCrossentropy' })
    return model
  }
  const kinds = identicalKinds(tf)
  for (const make of [
    () => tf.train.adam(0.01),
    () => kinds['Lion, a Map by variable name']().optimizer,
    () => kinds['GrokFast, averages by variable name']().optimizer,
  ]) {
    const [from, to] = [make(), make()]
    const [old, renamed] = [named(from, 'module.'), named(to, '')]
    await train(tf, old, 0, 3)
    const rename = (name: string) => name.replaceAll('module.', '')
    for (const option of [rename, { 'module.': '' }]) {
      if (typeof option === 'object' && from.getClassName() === 'Lion') continue
      await restoreCheckpoint(await saved(...both(from, old)), ...both(to, renamed), {
        rename: option,
      })
      t.is(to.iterations, 3)
    }
    await train(tf, old, 3, 6)
    await train(tf, renamed, 3, 6)
    t.deepEqual(weightsOf(renamed), weightsOf(old))
  }
})

test('a variable without a name is refused where its number may be a position', (t) => {
  const variables = { w: tf.variable(tf.tensor1d([1, 2])) }
  const optimizer = tf.train.adam(0.01)
  optimizer.averages = { [variables.w.name]: tf.variable(tf.tensor1d([0, 0])) }
  t.throws(() => tensorflowOptimizer(optimizer, variables).stateDict(), {
    instanceOf: TypeError,
    message: /name your variables, tf\.variable\(value, true, 'w1'\)/,
  })
})

test('one tensor in two fields, and an object that holds itself, stay one', async (t) => {
  const make = () => {
    const optimizer = tf.train.sgd(0.1)
    const shared = tf.keep(tf.scalar(2))
    optimizer.left = { shared }
    optimizer.right = [shared]
    optimizer.left.self = optimizer.left
    return optimizer
  }
  const optimizer = make()
  const fresh = make()
  const model = classifier(tf, optimizer)
  await restoreCheckpoint(await saved(...both(optimizer, model)), ...both(fresh, model))
  t.is(fresh.left.shared, fresh.right[0])
  t.is(fresh.left.self, fresh.left)
})

test.serial(
  'a restore that fails leaves no tensor behind, and the optimizer as it was',
  async (t) => {
    const { model, states } = made('Prodigy, tensors that are replaced')
    await train(tf, model, 0, 2)
    await using checkpoint = await saved(...states)
    const fresh = made('Prodigy, tensors that are replaced')
    const { numTensors } = tf.memory()
    const failing = altered(checkpoint.optimizer!, {
      get: (name) => {
        const tensor = checkpoint.optimizer!.get(name)
        if (name !== 'slots.head/bias.v') return tensor
        const { dtype, shape } = tensor
        const readInto = () => Promise.reject(new Error('the disk is gone'))
        return Object.assign(Object.create(tensor), { readInto, dtype, shape })
      },
    })
    await t.throwsAsync(async () => fresh.states[1].loadStateDict!(failing), {
      message: 'the disk is gone',
    })
    t.is(tf.memory().numTensors, numTensors)
    t.deepEqual(fresh.optimizer.slots, {})
  },
)
