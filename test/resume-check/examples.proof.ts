/** What the examples would forget to save is found, and called by its name. */

import test, { type ExecutionContext } from 'ava'
import { checkResume } from '../../src/resume-check/resume-check.js'
import { INSTALL_MS, jax } from '../support/adapters/jax-install.js'
import { tensorflow } from '../support/adapters/tensorflow-trainings.js'
import type { Forgetful } from '../support/resume-check/examples.js'
import { scratchFolder } from '../support/scratch.js'
import '../support/resume-check/processes.js'

const module = new URL('../support/resume-check/examples.ts', import.meta.url)
const BEFORE = 4
const check = async (t: ExecutionContext, forgetful: Omit<Forgetful, 'folder'>) => {
  const argument: Forgetful = { ...forgetful, folder: await scratchFolder(t) }
  return checkResume(module, { before: BEFORE, after: 2, argument })
}

test.before('TensorFlow.js and jax-js are installed', async (t) => {
  t.timeout(INSTALL_MS, 'npm ci in examples/digits and examples/jax')
  await tensorflow('cpu')
  await jax()
})

for (const example of ['digits', 'fit', 'jax', 'plain'] as const) {
  test.serial(`${example}: a run that forgets nothing is identical`, async (t) => {
    const { identical, message } = await check(t, { example, forgets: null })
    t.true(identical, message)
  })
}

for (const [example, forgets, count, names] of [
  ['digits', 'sampler', 3, ['sampler: order', 'sampler: position', 'sampler: random']],
  [
    'digits',
    'optimizer',
    27,
    ['optimizer: accBeta1', 'optimizer: accBeta2', 'optimizer: m/dense_1/kernel'],
  ],
  ['digits', 'frozen', 3, ['model: frozen[0]', 'model: frozen[1]', 'optimizer: frozen']],
  ['fit', 'sampler', 3, ['sampler: order', 'sampler: position', 'sampler: random']],
  ['jax', 'key', 1, ['key: [0]']],
  ['jax', 'nu', 4, ['optimizer: [0].nu.layers[0].weight', 'optimizer: [0].nu.layers[0].bias']],
  ['jax', 'count', 1, ['optimizer: [0].count']],
  ['plain', 'sampler', 1, ['sampler: next']],
  ['plain', 'velocity', 4, ['optimizer: layers[0].weight', 'optimizer: layers[0].bias']],
] as const) {
  test.serial(
    `${example}: ${forgets}, forgotten, is found by name directly after the restore`,
    async (t) => {
      const { verdict, step, tensors, attributes, other, message } = await check(t, {
        example,
        forgets,
      })
      t.is(verdict, 'not-restored', message)
      t.is(step, BEFORE)
      const found = [
        ...tensors.map(({ state, tensor }) => `${state}: ${tensor}`),
        ...attributes.map(({ state, path }) => `${state}: ${path}`),
        ...other,
      ]
      t.is(found.length, count, message)
      t.deepEqual(found.slice(0, names.length), [...names])
    },
  )
}
