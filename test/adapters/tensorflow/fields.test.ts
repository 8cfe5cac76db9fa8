import test from 'ava'
import { tensorflowOptimizer } from '../../../src/adapters/tensorflow/tensorflow.js'
import { trainedAdam } from '../../support/adapters/tensorflow-states.js'
import {
  classifier,
  INSTALL_MS,
  tensorflow,
  type Untyped,
} from '../../support/adapters/tensorflow-trainings.js'

let tf: Untyped
test.before('TensorFlow.js is installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits')
  tf = await tensorflow('cpu')
})

test('an optimizer without the expected fields is refused, with its version', async (t) => {
  for (const [change, message] of [
    [
      (o: Untyped) => delete o.accBeta2,
      /expected a float32 scalar accBeta2, found undefined \(this is tfjs-layers 4\.22\.0\)/,
    ],
    [(o: Untyped) => delete o.accumulatedFirstMoment, /expected a list accumulatedFirstMoment/],
    [
      (o: Untyped) => o.accumulatedSecondMoment.pop(),
      /accumulatedSecondMoment to be in the order of accumulatedFirstMoment/,
    ],
    [
      (o: Untyped) => o.accumulatedFirstMoment.splice(0, 1, undefined),
      /\{ originalName, variable \} in accumulatedFirstMoment, found undefined/,
    ],
    [
      (o: Untyped) => o.accumulatedFirstMoment.push(o.accumulatedFirstMoment[0]),
      /expected one dense_Dense\d+\/kernel\/m in accumulatedFirstMoment, found two/,
    ],
    [
      (o: Untyped) => {
        o.accumulatedFirstMoment[0].originalName += 'x'
      },
      /expected a name in accumulatedFirstMoment to end in \/m/,
    ],
    [
      (o: Untyped) => {
        o.accumulatedFirstMoment[0].variable = o.accBeta1
      },
      /to be \[5,7\] as its variable is, found \[\]/,
    ],
    [
      (o: Untyped) => {
        o.getConfig = () => ({ learningRate: 3 })
      },
      /expected a field learningRate that is 3, as in getConfig\(\), found 0.01/,
    ],
    [
      (o: Untyped) => {
        Object.defineProperty(o, 'iterations', { value: 77 })
      },
      /a counter iterations_ behind iterations/,
    ],
  ] as const) {
    const { optimizer, states } = await trainedAdam(tf, 1)
    change(optimizer)
    t.throws(() => states[1].stateDict(), { instanceOf: TypeError, message })
  }
})

test('an argument that is not an optimizer is refused at once', (t) => {
  const model = classifier(tf)
  for (const [optimizer, found] of [
    [model.optimizer, /found undefined: .*model\.compile\(\)/],
    [null, /found null/],
    ['adam', /found a string/],
    [Promise.resolve(tf.train.adam()), /is an await missing\?/],
    [model, /which is a model: pass the optimizer first/],
  ] as const) {
    t.throws(() => tensorflowOptimizer(optimizer as never, model), {
      instanceOf: TypeError,
      message: found,
    })
  }
  t.throws(() => tensorflowOptimizer(tf.train.adam(), undefined as never), {
    message: /expected a TensorFlow\.js layers model/,
  })
})

test('buffers of variables that were not given are refused', async (t) => {
  const { optimizer, model } = await trainedAdam(tf, 1)
  const part = { kernel: model.weights[0].read() }
  t.throws(() => tensorflowOptimizer(optimizer, part).stateDict(), {
    instanceOf: TypeError,
    message: /buffer "dense_Dense\d+\/bias\/m" of a variable that was not given/,
  })
})
