import test from 'ava'
import type { Attribute } from '../../src/format/attributes.js'
import { AdamW } from '../support/trainer/adamw.js'
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

function take(optimizer: AdamW, variable: Variable, gradients: readonly number[][]): void {
  for (const gradient of gradients) {
    variable.grad = Float32Array.from(gradient)
    optimizer.step()
  }
}

function close(actual: Float32Array, expected: readonly number[]): boolean {
  return expected.every((value, i) => Math.abs(actual[i]! - value) < 1e-6)
}

test('the first step is the learning rate against the sign of the gradient', (t) => {
  const w = parameter()
  take(new AdamW([['w', w]], { lr: 0.01, weightDecay: 0 }), w, GRADIENTS.slice(0, 1))
  t.true(close(w.data, [0.49, -0.99, 1.99]), String(w.data))
})

test('weight decay shrinks the parameter apart from the gradient', (t) => {
  const w = parameter()
  take(new AdamW([['w', w]], { lr: 0.1, weightDecay: 0.5 }), w, [[0, 0, 0]])
  t.true(close(w.data, [0.5 * 0.95, -0.95, 2 * 0.95]), String(w.data))
})

test('steps follow the formula of PyTorch', (t) => {
  const [lr, beta1, beta2, eps, decay] = [0.05, 0.8, 0.95, 1e-3, 0.1]
  const w = parameter()
  const optimizer = new AdamW([['w', w]], { lr, betas: [beta1, beta2], eps, weightDecay: decay })
  take(optimizer, w, GRADIENTS)

  const theta = [...START]
  const m = [0, 0, 0]
  const v = [0, 0, 0]
  for (const [t0, gradient] of GRADIENTS.entries()) {
    for (const [i, g] of gradient.entries()) {
      theta[i]! -= lr * decay * theta[i]!
      m[i] = beta1 * m[i]! + (1 - beta1) * g
      v[i] = beta2 * v[i]! + (1 - beta2) * g ** 2
      const mHat = m[i]! / (1 - beta1 ** (t0 + 1))
      const vHat = v[i]! / (1 - beta2 ** (t0 + 1))
      theta[i]! -= (lr * mHat) / (Math.sqrt(vHat) + eps)
    }
  }
  const { tensors, attributes } = optimizer.stateDict()
  t.true(close(w.data, theta), `${w.data} instead of ${theta}`)
  t.true(close(tensors.get('exp_avg/w')!.data, m))
  t.true(close(tensors.get('exp_avg_sq/w')!.data, v))
  t.is(attributes.step, 3)
})

test('all buffers exist before the first step, under the names of their parameters', (t) => {
  const named = [['a', parameter()] as const, ['b', parameter()] as const]
  const { kind, attributes, tensors } = new AdamW(named).stateDict()
  t.is(kind, 'AdamW')
  t.deepEqual([...tensors.keys()], ['exp_avg/a', 'exp_avg/b', 'exp_avg_sq/a', 'exp_avg_sq/b'])
  t.deepEqual(attributes, {
    lr: 1e-3,
    betas: [0.9, 0.999],
    eps: 1e-8,
    weight_decay: 1e-2,
    step: 0,
  })
})

test('an optimizer continues to the bit from copied buffers and loaded attributes', (t) => {
  const [w, resumed] = [parameter(), parameter()]
  const optimizer = new AdamW([['w', w]], { lr: 0.05 })
  take(optimizer, w, GRADIENTS)

  const other = new AdamW([['w', resumed]], { lr: 1, betas: [0, 0] })
  resumed.data.set(w.data)
  const saved = optimizer.stateDict()
  for (const [name, { data }] of other.stateDict().tensors) data.set(saved.tensors.get(name)!.data)
  other.loadAttributes(saved.attributes)

  take(optimizer, w, GRADIENTS)
  take(other, resumed, GRADIENTS)
  t.deepEqual(resumed.data, w.data)
  t.deepEqual(other.stateDict(), optimizer.stateDict())
})

test('attributes that do not fit are refused as a whole', (t) => {
  const optimizer = new AdamW([['w', parameter()]])
  const before = optimizer.attributes()
  const refused: { [key: string]: Attribute }[] = [
    { ...before, lr: Number.POSITIVE_INFINITY },
    { ...before, lr: 0.5, betas: [0.9] },
    { ...before, lr: 0.5, betas: [0.9, 1] },
    { ...before, lr: 0.5, step: -1 },
    { ...before, lr: 0.5, step: 1.5 },
    { lr: 0.5, momentum: 0.9, nesterov: false, weight_decay: 0 },
  ]
  for (const attributes of refused) {
    t.throws(() => optimizer.loadAttributes(attributes), { instanceOf: TypeError })
    t.deepEqual(optimizer.attributes(), before)
  }
})
