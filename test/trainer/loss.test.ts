import test from 'ava'
import { gradientsMatch } from '../support/trainer/finite-differences.js'
import { meanSquaredError, softmaxCrossEntropy } from '../support/trainer/loss.js'
import { Rng } from '../support/trainer/rng.js'
import { sizeOf, Variable } from '../support/trainer/variable.js'

function drawn(shape: readonly number[], seed: number): Variable {
  const rng = new Rng(seed)
  return new Variable(
    shape,
    new Float32Array(sizeOf(shape)).map(() => rng.normal()),
    true,
  )
}

test('the mean squared error is the mean of the squared differences', (t) => {
  const prediction = new Variable([2, 2], Float32Array.of(1, 2, 3, 4))
  const target = new Variable([2, 2], Float32Array.of(1, 0, 6, 4))
  t.is(meanSquaredError(prediction, target).item(), (0 + 4 + 9 + 0) / 4)
})

test('the gradients of the mean squared error match finite differences', (t) => {
  const prediction = drawn([3, 2], 1)
  const target = drawn([3, 2], 2)
  gradientsMatch(t, () => meanSquaredError(prediction, target), [prediction, target])
})

test('the cross entropy is the mean of -log softmax at the labels', (t) => {
  const logits = new Variable([2, 3], Float32Array.of(1, 2, 3, 0, -1, 0.5))
  const row = (logs: number[], label: number) =>
    -Math.log(Math.exp(logs[label]!) / logs.reduce((sum, log) => sum + Math.exp(log), 0))
  const expected = (row([1, 2, 3], 2) + row([0, -1, 0.5], 0)) / 2
  t.true(Math.abs(softmaxCrossEntropy(logits, [2, 0]).item() - expected) < 1e-6)
})

test('the gradient of the cross entropy matches finite differences', (t) => {
  const logits = drawn([4, 3], 3)
  gradientsMatch(t, () => softmaxCrossEntropy(logits, [0, 2, 1, 1]), [logits])
})

test('logits beyond the range of exp give a finite cross entropy', (t) => {
  const logits = new Variable([2, 2], Float32Array.of(1000, 0, -1000, 0), true)
  const loss = softmaxCrossEntropy(logits, [1, 1])
  t.is(loss.item(), 500)
  loss.backward()
  t.deepEqual(logits.grad, Float32Array.of(0.5, -0.5, 0, 0))
})

test('labels and targets that do not fit are refused', (t) => {
  const logits = drawn([2, 3], 4)
  t.throws(() => softmaxCrossEntropy(logits, [0]), { instanceOf: RangeError })
  t.throws(() => softmaxCrossEntropy(logits, [0, 3]), {
    message: 'softmaxCrossEntropy: label 3 is none of 3 classes',
  })
  t.throws(() => meanSquaredError(logits, drawn([3, 2], 5)), { instanceOf: RangeError })
})
