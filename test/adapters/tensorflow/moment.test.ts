import test from 'ava'
import { tensorflowModule } from '../../../src/adapters/tensorflow/tensorflow.js'
import {
  loadCheckpoint,
  MemorySink,
  type Module,
  type Optimizer,
  saveCheckpoint,
} from '../../../src/index.js'
import { both } from '../../support/adapters/tensorflow-states.js'
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

/** States that call `change` when they have been collected, before any tensor is fetched. */
function changing([model, optimizer]: [Module, Optimizer], change: () => unknown) {
  const last: Optimizer = {
    async stateDict() {
      const dict = await optimizer.stateDict()
      await change()
      return dict
    },
  }
  return [model, last] as const
}

const changed = { code: 'CKPT_TENSOR_CHANGED', message: /await the save/ }

test('a step between the collection and the fetch of a tensor is an error, with every optimizer', async (t) => {
  for (const [name, make] of Object.entries(optimizers)) {
    const optimizer = make(tf)
    const model = classifier(tf, optimizer)
    await train(tf, model, 0, 1)
    const states = changing(both(optimizer, model), () => train(tf, model, 1, 2))
    await t.throwsAsync(saveCheckpoint(new MemorySink(), ...states), changed, name)
  }
})

test('a tensor that is assigned, replaced or disposed of meanwhile is named', async (t) => {
  const changes: { readonly [name: string]: (training: Untyped) => void } = {
    'head/bias': ({ model }) => model.layers[3].bias.val.assign(tf.zeros([3])),
    'head/kernel': ({ model }) => model.layers[3].kernel.val.dispose(),
    'accumulator/dense_1/kernel': ({ optimizer }) =>
      optimizer.accumulatedGrads[0].variable.assign(tf.ones([5, 7])),
  }
  for (const [name, change] of Object.entries(changes)) {
    const optimizer = tf.train.adagrad(0.1)
    const model = classifier(tf, optimizer)
    await train(tf, model, 0, 1)
    const states = changing(both(optimizer, model), () => change({ model, optimizer }))
    const save = saveCheckpoint(new MemorySink(), ...states)
    const error = await t.throwsAsync<Error & { tensor?: string }>(save, changed)
    t.is(error!.tensor, name)
  }
  const sgd = tf.train.sgd(0.1)
  const states = changing(both(sgd, classifier(tf, sgd)), () => sgd.setLearningRate(0.2))
  const error = await t.throwsAsync<Error & { tensor?: string }>(
    saveCheckpoint(new MemorySink(), ...states),
    changed,
  )
  t.is(error!.tensor, 'c')
})

test('a change after the fetch does not matter', async (t) => {
  const variables = { a: tf.variable(tf.tensor1d([1, 2])), b: tf.variable(tf.tensor1d([3, 4])) }
  const module = tensorflowModule(variables)
  const extra = {
    stateDict: () => ({
      later: {
        dtype: 'int8' as const,
        shape: [1],
        data: () => {
          variables.a.assign(tf.tensor1d([7, 8]))
          return Int8Array.of(1)
        },
      },
    }),
  }
  const sink = new MemorySink()
  await saveCheckpoint(sink, module, extra)
  t.deepEqual([...variables.a.dataSync()], [7, 8])
  t.deepEqual([...(await loadCheckpoint(sink.bytes)).model.get('a').data], [1, 2])
})
