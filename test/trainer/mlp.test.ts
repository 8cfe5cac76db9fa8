import test from 'ava'
import { gradientsMatch } from '../support/trainer/finite-differences.js'
import { meanSquaredError, softmaxCrossEntropy } from '../support/trainer/loss.js'
import { MLP } from '../support/trainer/mlp.js'
import { Rng } from '../support/trainer/rng.js'
import { Variable } from '../support/trainer/variable.js'

const rng = new Rng(5)
const normal = (rows: number, columns: number) =>
  new Variable(
    [rows, columns],
    Float32Array.from({ length: rows * columns }, () => rng.normal()),
  )

test('an MLP has a weight and a bias for each layer', (t) => {
  const state = new MLP([64, 32, 10], 'relu', new Rng(1)).stateDict()
  t.deepEqual(
    Array.from(state, ([name, { shape }]) => [name, shape]),
    [
      ['layers.0.weight', [32, 64]],
      ['layers.0.bias', [32]],
      ['layers.1.weight', [10, 32]],
      ['layers.1.bias', [10]],
    ],
  )
})

test('the activation stands between layers and not after the last', (t) => {
  const single = new MLP([1, 1], 'relu', new Rng(1))
  single.stateDict().get('layers.0.weight')!.data[0] = -1
  single.stateDict().get('layers.0.bias')!.data[0] = 0
  t.is(single.forward(new Variable([1, 1], Float32Array.of(2))).item(), -2)
})

for (const activation of ['relu', 'tanh'] as const) {
  test(`the gradients of a whole ${activation} MLP match finite differences, with each loss`, (t) => {
    const model = new MLP([3, 5, 4, 2], activation, new Rng(7))
    const inputs = normal(4, 3)
    const target = normal(4, 2)
    const parameters = model.parameters()
    t.is(parameters.length, 6)
    gradientsMatch(t, () => meanSquaredError(model.forward(inputs), target), parameters)
    gradientsMatch(t, () => softmaxCrossEntropy(model.forward(inputs), [0, 1, 1, 0]), parameters)
  })
}

test('the same seed gives the same parameters, and another seed others', (t) => {
  const weights = (seed: number) => new MLP([4, 3], 'tanh', new Rng(seed)).stateDict()
  t.deepEqual(weights(1), weights(1))
  t.notDeepEqual(weights(1), weights(2))
})
