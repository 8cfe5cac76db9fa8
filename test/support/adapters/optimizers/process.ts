/**
 * A process that trains with every optimizer of a class of its own and saves checkpoints in a folder:
 * `process.ts <folder> <whole | first | second>`. `whole` trains without a break, `first` the first part, and
 * `second` goes on from what `first` has saved.
 */

import { join } from 'node:path'
import {
  tensorflowModule,
  tensorflowOptimizer,
} from '../../../../src/adapters/tensorflow/tensorflow.js'
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from '../../../../src/index.js'
import { classifier, tensorflow, train } from '../tensorflow-trainings.js'
import { IDENTICAL_KINDS, identicalKinds } from './own.js'

// Not a multiple of what the optimizers do in every third or fourth step.
const FIRST = 7
const WHOLE = 18

const [folder, part] = process.argv.slice(2) as [string, string]
const tf = await tensorflow('cpu')
const kinds = identicalKinds(tf)
const names = [...IDENTICAL_KINDS]
// Backwards, so that what TensorFlow.js numbers has other numbers than it had when it was saved.
if (part === 'second') names.reverse()
for (const name of names) {
  const { optimizer, hidden } = kinds[name]()
  const model = classifier(tf, optimizer)
  const state = tensorflowOptimizer(optimizer, model, hidden === undefined ? {} : { hidden })
  const states = [tensorflowModule(model), state] as const
  if (part === 'second') {
    await using checkpoint = await loadCheckpoint(join(folder, `${name}-first.ckpt`))
    await restoreCheckpoint(checkpoint, ...states)
  }
  const step = part === 'first' ? FIRST : WHOLE
  await train(tf, model, part === 'second' ? FIRST : 0, step)
  await saveCheckpoint(join(folder, `${name}-${part}.ckpt`), ...states, { step })
}
