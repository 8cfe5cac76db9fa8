import test from 'ava'
import { gradientsMatch } from '../support/trainer/finite-differences.js'
import { meanSquaredError } from '../support/trainer/loss.js'
import { Rng } from '../support/trainer/rng.js'
import { SGD } from '../support/trainer/sgd.js'
import { TiedAutoencoder } from '../support/trainer/tied-autoencoder.js'
import { Variable } from '../support/trainer/variable.js'

const rng = new Rng(3)
const inputs = new Variable(
  [8, 6],
  Float32Array.from({ length: 48 }, () => rng.normal()),
)

test('tied weights have two names over the same memory', (t) => {
  const state = new TiedAutoencoder(6, 3, new Rng(1)).stateDict()
  t.deepEqual(
    [...state.keys()],
    ['encoder.weight', 'encoder.bias', 'decoder.weight', 'decoder.bias'],
  )
  t.is(state.get('encoder.weight')!.data, state.get('decoder.weight')!.data)
  t.deepEqual(state.get('encoder.weight')!.shape, state.get('decoder.weight')!.shape)
})

test('tied weights are one parameter to an optimizer', (t) => {
  const model = new TiedAutoencoder(6, 3, new Rng(1))
  const names = Array.from(model.namedParameters(), ([name]) => name)
  t.deepEqual(names, ['encoder.weight', 'encoder.bias', 'decoder.bias'])
  const optimizer = new SGD(model.namedParameters(), { lr: 0.1, momentum: 0.9 })
  t.deepEqual(
    [...optimizer.stateDict().tensors.keys()],
    names.map((name) => `momentum_buffer/${name}`),
  )
})

test('the gradient of tied weights is the sum over both of their uses', (t) => {
  const model = new TiedAutoencoder(6, 3, new Rng(1))
  gradientsMatch(t, () => meanSquaredError(model.forward(inputs), inputs), model.parameters())
})

test('training lowers the error of the reconstruction', (t) => {
  const model = new TiedAutoencoder(6, 3, new Rng(1))
  const optimizer = new SGD(model.namedParameters(), { lr: 0.1, momentum: 0.9 })
  const losses: number[] = []
  for (let step = 0; step < 200; step++) {
    const loss = meanSquaredError(model.forward(inputs), inputs)
    optimizer.zeroGrad()
    loss.backward()
    optimizer.step()
    losses.push(loss.item())
  }
  t.true(losses.at(-1)! < losses[0]! / 2, `${losses[0]} became ${losses.at(-1)}`)
})
