import test from 'ava'
import type { Attribute } from '../../src/format/attributes.js'
import { SGD, type SGDOptions } from '../support/trainer/sgd.js'
import { Variable } from '../support/trainer/variable.js'

const START = [0.5, -1, 2]
// One gradient a step.
const GRADIENTS = [
  [0.1, -0.2, 0.3],
  [-0.4, 0.5, 0.6],
  [0.7, 0, -0.8],
]

function parameter(): Variable {
  return new Variable([3], Float32Array.from(START), true)
}

function take(optimizer: SGD, variable: Variable, gradients: readonly number[][]): void {
  for (const gradient of gradients) {
    variable.grad = Float32Array.from(gradient)
    optimizer.step()
  }
}

function close(actual: Float32Array, expected: readonly number[]): boolean {
  return expected.every((value, i) => Math.abs(actual[i]! - value) < 1e-6)
}

test('plain SGD subtracts the learning rate times the gradient', (t) => {
  const w = parameter()
  const optimizer = new SGD([['w', w]], { lr: 0.1 })
  take(optimizer, w, GRADIENTS.slice(0, 1))
  t.true(close(w.data, [0.5 - 0.01, -1 + 0.02, 2 - 0.03]))
})

test('weight decay adds its share of the parameter to the gradient', (t) => {
  const w = parameter()
  take(new SGD([['w', w]], { lr: 0.1, weightDecay: 0.5 }), w, GRADIENTS.slice(0, 1))
  t.true(close(w.data, [0.5 - 0.1 * 0.35, -1 + 0.1 * 0.7, 2 - 0.1 * 1.3]))
})

test('momentum after two steps matches a calculation by hand', (t) => {
  const w = new Variable([1], Float32Array.of(1), true)
  const optimizer = new SGD([['w', w]], { lr: 0.1, momentum: 0.5 })
  take(optimizer, w, [[2], [4]])
  // Velocities 2 and 0.5 * 2 + 4 = 5; 1 - 0.2 - 0.5.
  t.true(close(optimizer.stateDict().tensors.get('momentum_buffer/w')!.data, [5]))
  t.true(close(w.data, [0.3]))
})

for (const nesterov of [false, true]) {
  test(`steps follow PyTorch's formula with momentum and nesterov ${nesterov}`, (t) => {
    const w = parameter()
    const options = { lr: 0.1, momentum: 0.9, nesterov, weightDecay: 0.01 } satisfies SGDOptions
    const optimizer = new SGD([['w', w]], options)
    take(optimizer, w, GRADIENTS)

    const theta = [...START]
    const velocity: (number | undefined)[] = [undefined, undefined, undefined]
    for (const gradient of GRADIENTS) {
      for (let i = 0; i < 3; i++) {
        let g = gradient[i]! + 0.01 * theta[i]!
        const previous = velocity[i]
        const current = previous === undefined ? g : 0.9 * previous + g
        velocity[i] = current
        g = nesterov ? g + 0.9 * current : current
        theta[i] = theta[i]! - 0.1 * g
      }
    }
    t.true(close(w.data, theta), `${w.data} instead of ${theta}`)
    const buffer = optimizer.stateDict().tensors.get('momentum_buffer/w')!
    t.true(close(buffer.data, velocity as number[]))
  })
}

test('momentum buffers exist before the first step, and without momentum never', (t) => {
  const named = [['a', parameter()] as const, ['b', parameter()] as const]
  const { kind, tensors } = new SGD(named, { lr: 0.1, momentum: 0.9 }).stateDict()
  t.is(kind, 'SGD')
  t.deepEqual([...tensors.keys()], ['momentum_buffer/a', 'momentum_buffer/b'])
  t.is(new SGD(named, { lr: 0.1 }).stateDict().tensors.size, 0)
})

test('a step without a gradient changes nothing and names the parameter', (t) => {
  const a = parameter()
  a.grad = Float32Array.of(1, 1, 1)
  const optimizer = new SGD([['a', a] as const, ['b', parameter()] as const], { lr: 0.1 })
  t.throws(() => optimizer.step(), {
    message: 'b has no gradient: step() comes after backward()',
  })
  t.deepEqual(a.data, Float32Array.from(START))
})

test('loaded attributes decide the next step', (t) => {
  const [w, same] = [parameter(), parameter()]
  const optimizer = new SGD([['w', w]], { lr: 0.5, momentum: 0.1 })
  const other = new SGD([['w', same]], { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 0.1 })
  optimizer.loadAttributes(other.attributes())
  t.deepEqual(optimizer.attributes(), other.attributes())
  take(optimizer, w, GRADIENTS)
  take(other, same, GRADIENTS)
  t.deepEqual(w.data, same.data)
})

test('attributes that do not fit are refused as a whole', (t) => {
  const optimizer = new SGD([['w', parameter()]], { lr: 0.1, momentum: 0.9 })
  const before = optimizer.attributes()
  const refused: { [key: string]: Attribute }[] = [
    {},
    { ...before, lr: -1 },
    { ...before, lr: 0.5, momentum: '0.9' },
    { ...before, lr: 0.5, weight_decay: Number.NaN },
    { ...before, lr: 0.5, momentum: 0 },
    { ...before, lr: 0.5, dampening: 0.1 },
  ]
  for (const attributes of refused) {
    t.throws(() => optimizer.loadAttributes(attributes), { instanceOf: TypeError })
    t.deepEqual(optimizer.attributes(), before)
  }
  t.throws(() => new SGD([['w', parameter()]], { lr: 0.1, nesterov: true }), {
    message: "SGD: 'nesterov' needs a momentum",
  })
})
