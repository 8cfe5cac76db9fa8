import test from 'ava'
import { tensorflowModule } from '../../../src/adapters/tensorflow/tensorflow.js'
import { type Optimizer, restoreCheckpoint } from '../../../src/index.js'
import { both, contents, saved, trainedAdam } from '../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  noise,
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

test('buffers follow the names of variables, not their order', async (t) => {
  const make = () => ({
    a: tf.variable(tf.tensor1d(noise(4, 1))),
    b: tf.variable(tf.tensor1d(noise(4, 2))),
    c: tf.variable(tf.scalar(0.5)),
  })
  type Variables = ReturnType<typeof make>
  const step = (optimizer: Untyped, { a, b, c }: Variables, list: readonly unknown[]) =>
    optimizer.minimize(
      () => tf.add(tf.sum(tf.square(tf.mul(a, c))), tf.sum(tf.pow(tf.sub(b, a), 4))),
      false,
      list,
    )
  for (const make1 of Object.values(optimizers)) {
    const optimizer = make1(tf)
    const variables = make()
    for (let i = 0; i < 3; i++) {
      step(optimizer, variables, [variables.a, variables.b, variables.c])
    }
    const fresh = make1(tf)
    const others = make()
    await restoreCheckpoint(await saved(...both(optimizer, variables)), ...both(fresh, others))
    step(optimizer, variables, [variables.a, variables.b, variables.c])
    step(fresh, others, [others.c, others.b, others.a])
    t.false(Object.hasOwn(fresh, 'applyGradients'))
    step(optimizer, variables, [variables.a, variables.b, variables.c])
    step(fresh, others, [others.c, others.b, others.a])
    const [, state] = both(optimizer, variables)
    const [, other] = both(fresh, others)
    const tensors = async (s: Optimizer) =>
      ((await contents(s)) as { tensors: unknown }[])[0]!.tensors
    t.deepEqual(await tensors(other), await tensors(state))
    t.deepEqual(
      await contents(tensorflowModule(others)),
      await contents(tensorflowModule(variables)),
    )
  }
})

test('what wraps applyGradients between a restore and the first step stays in place', async (t) => {
  const { states } = await trainedAdam(tf, 2)
  const optimizer = tf.train.adam(0.01)
  const model = classifier(tf, optimizer)
  await restoreCheckpoint(await saved(...states), ...both(optimizer, model))
  const inner = optimizer.applyGradients
  let calls = 0
  const counting = function (this: unknown, gradients: unknown) {
    calls++
    inner.call(this, gradients)
  }
  optimizer.applyGradients = counting
  await train(tf, model, 2, 4)
  t.is(calls, 2)
  t.is(optimizer.applyGradients, counting)
})

test('a variable that joins later gets buffers of its own', async (t) => {
  const a = tf.variable(tf.tensor1d([1, 2]))
  const b = tf.variable(tf.tensor1d([3, 4, 5]))
  const optimizer = tf.train.adam(0.1)
  const loss = () => tf.add(tf.sum(tf.square(a)), tf.sum(tf.square(b)))
  optimizer.minimize(loss, false, [a])
  const states = both(optimizer, { b, a })
  await using checkpoint = await saved(...states)
  t.deepEqual(checkpoint.optimizer!.attributes.order, ['a'])
  t.deepEqual([...checkpoint.optimizer!.get('v/b').data], [0, 0, 0])
  const fresh = tf.train.adam(0.1)
  await restoreCheckpoint(checkpoint, ...both(fresh, { b, a }))
  t.is(fresh.accumulatedFirstMoment.length, 1)
  fresh.minimize(loss, false, [b, a])
  const after = await saved(...both(fresh, { b, a }))
  t.deepEqual(after.optimizer!.attributes.order, ['b', 'a'])
})
