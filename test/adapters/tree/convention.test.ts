import test from 'ava'
import { pytorchStyle } from '../../../src/adapters/tree/tree.js'
import {
  loadCheckpoint,
  MemorySink,
  restoreCheckpoint,
  type Stateful,
  type StateMismatchError,
  saveCheckpoint,
} from '../../../src/index.js'

/** A linear model and an Adam as PyTorch has them: buffers by number, created in the first step. */
class Linear {
  weight = Float32Array.of(1, 2)
  state_dict() {
    return { weight: { shape: [1, 2], data: this.weight } }
  }
  load_state_dict({ weight }: { weight: { data: Float32Array } }) {
    this.weight.set(weight.data)
  }
}

class Adam {
  state: { [index: string]: { step: number; exp_avg: Float32Array } } = {}
  param_groups = [{ lr: 0.1, betas: [0.9, 0.999], params: [0], foreach: null }]
  #model: Linear
  constructor(model: Linear) {
    this.#model = model
  }
  step() {
    this.state[0] ??= { step: 0, exp_avg: new Float32Array(2) }
    const slot = this.state[0]
    slot.step++
    for (let i = 0; i < 2; i++) {
      slot.exp_avg[i] = 0.9 * slot.exp_avg[i]! + 0.1 * this.#model.weight[i]!
      this.#model.weight[i]! -= this.param_groups[0]!.lr * slot.exp_avg[i]!
    }
  }
  state_dict() {
    return { state: this.state, param_groups: this.param_groups }
  }
  load_state_dict({ state, param_groups }: Pick<Adam, 'state' | 'param_groups'>) {
    this.state = state
    this.param_groups = param_groups
  }
}

async function savedOf(model: Stateful, optimizer?: Stateful) {
  const sink = new MemorySink()
  await saveCheckpoint(sink, model, optimizer)
  return loadCheckpoint(sink.bytes)
}

const run = (steps: number) => {
  const model = new Linear()
  const optimizer = new Adam(model)
  for (let i = 0; i < steps; i++) optimizer.step()
  return { model, optimizer, states: [pytorchStyle(model), pytorchStyle(optimizer)] as const }
}

test('a run is resumed exactly, into an optimizer that has no buffers yet', async (t) => {
  const whole = run(5)
  const half = run(2)
  await using checkpoint = await savedOf(...half.states)
  t.true(checkpoint.optimizer!.has('state.0.exp_avg'))
  const resumed = run(0)
  await restoreCheckpoint(checkpoint, ...resumed.states)
  for (let i = 0; i < 3; i++) resumed.optimizer.step()
  t.deepEqual(resumed.model.weight, whole.model.weight)
  t.deepEqual(resumed.optimizer.state, whole.optimizer.state)
  t.deepEqual(resumed.optimizer.param_groups, whole.optimizer.param_groups)
})

test('the other spelling, Maps and promises do as well', async (t) => {
  const make = () => {
    const values = new Map<string, unknown>([['w', { shape: [2], data: new Float32Array(2) }]])
    let loaded: unknown
    return {
      values,
      loaded: () => loaded,
      stateDict: async () => values,
      loadStateDict: async (dict: Map<string, { data: Float32Array }>) => {
        loaded = dict
        values.set('w', { shape: [2], data: dict.get('w')!.data })
      },
    }
  }
  const [from, to] = [make(), make()]
  from.values.set('w', { shape: [2], data: Float32Array.of(3, 4) })
  await restoreCheckpoint(await savedOf(pytorchStyle(from)), pytorchStyle(to))
  t.true(to.loaded() instanceof Map)
  t.deepEqual((to.values.get('w') as { data: Float32Array }).data, Float32Array.of(3, 4))
})

test('what one side alone has is an error before anything changes, but for what is empty here', async (t) => {
  const { states } = run(1)
  await using checkpoint = await savedOf(...states)
  const other = run(0)
  Object.assign(other.optimizer.param_groups[0]!, { decay: 0.1 })
  Object.assign(other.optimizer, { state: { 1: { step: 1 } } })
  const error = await t.throwsAsync(restoreCheckpoint(checkpoint, ...other.states), {
    code: 'CKPT_STATE_MISMATCH',
  })
  const { missing, unexpected } = error as StateMismatchError
  t.deepEqual(missing.map(({ tensor }) => tensor).sort(), ['param_groups[0].decay', 'state.1.step'])
  t.deepEqual(unexpected.map(({ tensor }) => tensor).sort(), ['state.0.exp_avg', 'state.0.step'])
  t.deepEqual([...other.model.weight], [1, 2])
})

test('an object that initialises its weights after it has loaded them is found by the read-back', async (t) => {
  class Forgetful extends Linear {
    override load_state_dict(dict: { weight: { data: Float32Array } }) {
      super.load_state_dict(dict)
      this.weight.fill(0)
    }
  }
  await using checkpoint = await savedOf(pytorchStyle(new Linear()))
  await t.throwsAsync(restoreCheckpoint(checkpoint, pytorchStyle(new Forgetful())), {
    code: 'CKPT_RESTORE_INCOMPLETE',
    message: /model: "weight" has other elements/,
  })
})

test('what has neither spelling is refused', (t) => {
  for (const object of [{}, null, { state_dict: () => ({}) }, { stateDict: 1, loadStateDict: 2 }]) {
    t.throws(() => pytorchStyle(object as never), {
      instanceOf: TypeError,
      message: /state_dict\(\) and load_state_dict\(\)/,
    })
  }
})
