import test from 'ava'
import { parseOptions } from '../../bench/options.js'
import {
  fillTensor,
  isFilled,
  stateBytes,
  transformerState,
  uniformState,
} from '../../bench/state.js'

test('the state is GPT-2 small with AdamW: 124 M parameters and 592 tensors', (t) => {
  const spec = transformerState('gpt2')
  t.is(spec.length, 592)
  const parameters = spec.filter(({ state }) => state === 'model')
  t.is(parameters.length, 148)
  t.is(stateBytes(parameters) / 4, 124_439_808)
  // Parameters and two moments as long, and a step count for each.
  t.is(stateBytes(spec), 3 * stateBytes(parameters) + 4 * 148)
  t.is(new Set(spec.map(({ state, name }) => `${state}.${name}`)).size, 592)
})

test('contents follow from the names, are numbers from 1 to 2, and differ between tensors', (t) => {
  const [a, b, again] = [new Float32Array(1000), new Float32Array(1000), new Float32Array(1000)]
  fillTensor(a, 0)
  fillTensor(b, 1)
  fillTensor(again, 0)
  t.deepEqual(a, again)
  t.notDeepEqual(a, b)
  t.true(a.every((value) => value >= 1 && value < 2))
  t.true(isFilled(a, 0))
  t.false(isFilled(new Float32Array(1000), 0))
})

test('uniform states have names of their own', (t) => {
  const spec = uniformState(100, 16)
  t.is(new Set(spec.map(({ name }) => name)).size, 100)
  t.is(stateBytes(spec), 100 * 16 * 4)
})

test('options are checked before anything is measured', (t) => {
  t.like(parseOptions(['--only', 'restore,save', '--rounds', '2', '--out', 'none']), {
    only: ['save', 'restore'],
    rounds: 2,
    size: 'gpt2',
    out: undefined,
  })
  t.like(parseOptions(['--only', 's3,save']), {
    only: ['save', 's3-save', 's3-restore', 's3-memory'],
  })
  for (const wrong of [['--only', 'x'], ['--rounds', '0'], ['--size', 'huge'], ['--nothing']]) {
    t.throws(() => parseOptions(wrong), { instanceOf: TypeError }, wrong.join(' '))
  }
})
