import test from 'ava'
import { add, sum } from '../support/trainer/operations.js'
import { Variable } from '../support/trainer/variable.js'

const leaf = (...elements: number[]) =>
  new Variable([elements.length], Float32Array.from(elements), true)

test('a variable is made over the memory that is given, and not over a copy', (t) => {
  const data = Float32Array.of(1, 2, 3, 4)
  const variable = new Variable([2, 2], data)
  t.is(variable.data, data)
})

test('data that does not fill the shape is refused with both lengths', (t) => {
  t.throws(() => new Variable([2, 3], new Float32Array(5)), {
    instanceOf: RangeError,
    message: 'a Variable of shape [2,3] has 6 elements, but 5 were given',
  })
})

test('only a variable of one element has an item', (t) => {
  t.is(new Variable([], Float32Array.of(3)).item(), 3)
  t.is(new Variable([1, 1], Float32Array.of(3)).item(), 3)
  t.throws(() => leaf(1, 2).item(), { instanceOf: RangeError })
  t.throws(() => new Variable([0], new Float32Array(0)).item(), { instanceOf: RangeError })
})

test('backward starts at a scalar only', (t) => {
  t.throws(() => leaf(1, 2).backward(), { instanceOf: RangeError })
})

test('gradients add up over calls of backward until they are zeroed', (t) => {
  const a = leaf(1, 2)
  sum(a).backward()
  sum(a).backward()
  t.deepEqual(a.grad, Float32Array.of(2, 2))
  a.zeroGrad()
  t.is(a.grad, null)
  sum(a).backward()
  t.deepEqual(a.grad, Float32Array.of(1, 1))
})

test('a variable that is used several times gets the sum over all its uses', (t) => {
  const a = leaf(1, 2)
  const twice = add(a, a)
  sum(add(twice, add(twice, a))).backward()
  t.deepEqual(a.grad, Float32Array.of(5, 5))
})

test('two leaves never share the memory of a gradient', (t) => {
  const a = leaf(1, 2)
  const b = leaf(3, 4)
  const handsOnTheSameArray = Variable.of([], Float32Array.of(0), [a, b], () => {
    const gradient = Float32Array.of(1, 1)
    return [gradient, gradient]
  })
  handsOnTheSameArray.backward()
  a.grad!.fill(7)
  t.deepEqual(b.grad, Float32Array.of(1, 1))
})

test('a variable without a gradient gets none, and results of such variables alone are not recorded', (t) => {
  const constant = new Variable([2], Float32Array.of(1, 2))
  const a = leaf(3, 4)
  sum(add(a, constant)).backward()
  t.is(constant.grad, null)
  t.deepEqual(a.grad, Float32Array.of(1, 1))
  t.false(add(constant, constant).requiresGrad)
})

test('a graph that is deeper than any call stack is walked', (t) => {
  const a = leaf(1)
  let total: Variable = a
  for (let i = 0; i < 50_000; i++) total = add(total, a)
  total.backward()
  t.deepEqual(a.grad, Float32Array.of(50_001))
})
