import test from 'ava'
import { gradientsMatch } from '../support/trainer/finite-differences.js'
import { add, matmul, mean, relu, sum, tanh, transpose } from '../support/trainer/operations.js'
import { Rng } from '../support/trainer/rng.js'
import { sizeOf, Variable } from '../support/trainer/variable.js'

/** Elements whose distance from zero is at least 0.1: no kink of relu is near. */
function drawn(shape: readonly number[], seed: number): Variable {
  const rng = new Rng(seed)
  const data = new Float32Array(sizeOf(shape)).map(() => {
    const value = 2 * rng.uniform() - 1
    return value + Math.sign(value) * 0.1
  })
  return new Variable(shape, data, true)
}

/** A scalar that depends on every element of `a` differently and nonlinearly. */
function scalarOf(a: Variable): Variable {
  const flat = new Variable([sizeOf(a.shape), 1], drawn(a.shape, 99).data)
  const row = Variable.of([1, a.data.length], a.data, [a], (gradient) => [gradient])
  return sum(tanh(matmul(row, flat)))
}

test('matmul multiplies matrices', (t) => {
  const a = new Variable([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
  const b = new Variable([3, 2], Float32Array.of(7, 8, 9, 10, 11, 12))
  const product = matmul(a, b)
  t.deepEqual(product.shape, [2, 2])
  t.deepEqual(product.data, Float32Array.of(58, 64, 139, 154))
})

test('the gradients of matmul match finite differences', (t) => {
  const a = drawn([3, 4], 1)
  const b = drawn([4, 2], 2)
  gradientsMatch(t, () => scalarOf(matmul(a, b)), [a, b])
})

test('transpose swaps rows and columns', (t) => {
  const a = new Variable([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
  t.deepEqual(transpose(a).shape, [3, 2])
  t.deepEqual(transpose(a).data, Float32Array.of(1, 4, 2, 5, 3, 6))
})

test('the gradient of transpose matches finite differences', (t) => {
  const a = drawn([3, 4], 3)
  gradientsMatch(t, () => scalarOf(transpose(a)), [a])
})

test('add repeats a bias over the leading dimensions', (t) => {
  const a = new Variable([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6))
  const bias = new Variable([3], Float32Array.of(10, 20, 30))
  t.deepEqual(add(a, bias).data, Float32Array.of(11, 22, 33, 14, 25, 36))
})

test('the gradients of add match finite differences, with and without broadcasting', (t) => {
  const a = drawn([3, 4], 4)
  for (const b of [drawn([3, 4], 5), drawn([4], 6), drawn([], 7)]) {
    gradientsMatch(t, () => scalarOf(add(a, b)), [a, b])
  }
})

test('the gradient of relu matches finite differences', (t) => {
  const a = drawn([3, 4], 8)
  gradientsMatch(t, () => scalarOf(relu(a)), [a])
})

test('the gradient of tanh matches finite differences', (t) => {
  const a = drawn([3, 4], 9)
  gradientsMatch(t, () => scalarOf(tanh(a)), [a])
})

test('sum and mean are scalars over all elements', (t) => {
  const a = new Variable([2, 2], Float32Array.of(1, 2, 3, 6))
  t.deepEqual(sum(a).shape, [])
  t.is(sum(a).item(), 12)
  t.is(mean(a).item(), 3)
})

test('the gradients of sum and mean match finite differences', (t) => {
  const a = drawn([3, 4], 10)
  for (const reduce of [sum, mean]) gradientsMatch(t, () => tanh(reduce(tanh(a))), [a])
})

test('shapes that do not fit are refused by name', (t) => {
  const matrix = drawn([2, 3], 11)
  t.throws(() => matmul(matrix, matrix), { message: 'matmul: [2,3] and [2,3] do not fit' })
  t.throws(() => add(matrix, drawn([2], 12)), {
    message: 'add: [2] cannot be broadcast to [2,3]',
  })
  t.throws(() => transpose(drawn([3], 13)), {
    message: 'transpose wants a matrix, but the shape is [3]',
  })
})
