/**
 * A process that trains with every optimizer and saves checkpoints in a folder:
 * `tensorflow-process.ts <backend> <folder> <whole | first | second>`. `whole` trains without a break,
 * `first` the first half, and `second` goes on from what `first` has saved.
 */

import { join } from 'node:path'
import {
  tensorflowModule,
  tensorflowOptimizer,
} from '../../../src/adapters/tensorflow/tensorflow.js'
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from '../../../src/index.js'
import { classifier, optimizers, tensorflow, train } from './tensorflow-trainings.js'

const HALF = 7
const WHOLE = 16

const [backend, folder, part] = process.argv.slice(2) as [string, string, string]
const tf = await tensorflow(backend)
const names = Object.keys(optimizers)
// Backwards, so that what TensorFlow.js numbers has other numbers than it had when it was saved.
if (part === 'second') names.reverse()
for (const name of names) {
  const optimizer = optimizers[name]!(tf)
  const model = classifier(tf, optimizer)
  const states = [tensorflowModule(model), tensorflowOptimizer(optimizer, model)] as const
  if (part === 'second') {
    await using checkpoint = await loadCheckpoint(join(folder, `${name}-first.ckpt`))
    await restoreCheckpoint(checkpoint, ...states)
  }
  const step = part === 'first' ? HALF : WHOLE
  await train(tf, model, part === 'second' ? HALF : 0, step)
  await saveCheckpoint(join(folder, `${name}-${part}.ckpt`), ...states, { step })
}
