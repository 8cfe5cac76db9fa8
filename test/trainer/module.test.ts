import test from 'ava'
import { Linear } from '../support/trainer/linear.js'
import { Module } from '../support/trainer/module.js'
import { Rng } from '../support/trainer/rng.js'
import { Variable } from '../support/trainer/variable.js'

class Pair extends Module {
  constructor(first: string, second: string) {
    super()
    // A parameter between two modules: the order of names is that of registration, not of kind.
    this.register(first, new Linear(3, 2, new Rng(1)))
    this.register('scale', new Variable([], Float32Array.of(1), true))
    this.register(second, new Linear(2, 1, new Rng(2)))
  }

  forward(input: Variable): Variable {
    return input
  }
}

test('names are dotted paths, in the order of registration', (t) => {
  const names = ['b.weight', 'b.bias', 'scale', 'a.weight', 'a.bias']
  t.deepEqual([...new Pair('b', 'a').stateDict().keys()], names)
  t.deepEqual(
    Array.from(new Pair('b', 'a').namedParameters(), ([name]) => name),
    names,
  )
})

test('the state dict is over the memory of the parameters', (t) => {
  const linear = new Linear(3, 2, new Rng(1))
  const { shape, data } = linear.stateDict().get('weight')!
  t.is(data, linear.weight.data)
  t.deepEqual(shape, [2, 3])
})

test('a name can be registered once only', (t) => {
  t.throws(() => new Pair('a', 'a'), {
    instanceOf: TypeError,
    message: "the name 'a' is already registered",
  })
  t.throws(() => new Pair('', 'a'), { instanceOf: TypeError })
})
