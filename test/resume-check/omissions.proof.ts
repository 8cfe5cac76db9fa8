/** Whatever a run forgets to save is found, and called by its name. */

import test from 'ava'
import { checkResume } from '../../src/resume-check/resume-check.js'
import type { Omission } from '../support/resume-check/omissions.js'
import '../support/resume-check/processes.js'

const module = new URL('../support/resume-check/omissions.ts', import.meta.url)
const check = (forgets: Omission | null) =>
  checkResume(module, { before: 8, after: 2, argument: forgets })

test('a run that forgets nothing is identical', async (t) => {
  const { identical, message } = await check(null)
  t.true(identical, message)
})

for (const [forgets, what, names] of [
  ['moments', 'half of the moments', ['optimizer: exp_avg_sq/a', 'optimizer: exp_avg_sq/b']],
  ['scheduler', 'the scheduler', ['scheduler: lr', 'scheduler: warmup']],
  ['frozen', 'which weights are frozen', ['model: frozen[0]']],
  ['rng', 'the random generator', ['rng: state']],
  ['position', 'the position in the data', ['position: index']],
] as const) {
  test(`${what}, forgotten, is found by name directly after the restore`, async (t) => {
    const { verdict, step, tensors, attributes, message } = await check(forgets)
    t.is(verdict, 'not-restored')
    t.is(step, 8)
    const found = [
      ...tensors.map(({ state, tensor }) => `${state}: ${tensor}`),
      ...attributes.map(({ state, path }) => `${state}: ${path}`),
    ]
    t.deepEqual(found, [...names])
    for (const name of names) t.true(message.includes(name.split(': ')[1]!), message)
  })
}

test('what a closure holds is not compared, and shows in the first tensor of the next step', async (t) => {
  const { verdict, step, tensors } = await check('closure')
  t.is(verdict, 'diverged')
  t.is(step, 9)
  t.like(tensors[0], { state: 'model', tensor: 'a', index: 0 })
})
