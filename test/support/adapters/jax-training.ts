/**
 * A small training with jax-js, for the tests of its adapter: the example's model and optimizer, with
 * the state in trees. As a program, it trains and saves:
 * `jax-training.ts <device> <folder> <whole | first | second>`. `whole` trains without a break, `first`
 * the first part, and `second` goes on from what `first` has saved.
 */

import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { jaxTree } from '../../../src/adapters/jax.js'
import { loadCheckpoint, restoreCheckpoint, saveCheckpoint } from '../../../src/index.js'
import { jax, jaxFolder, type Untyped } from './jax-install.js'

const FIRST = 4
const WHOLE = 9

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [device, folder, part] = process.argv.slice(2) as [string, string, string]
  const training = await createTraining(device)
  const { model, optimizer, extras } = training
  if (part === 'second') {
    await using checkpoint = await loadCheckpoint(join(folder, 'first.ckpt'))
    await restoreCheckpoint(checkpoint, model, optimizer, { extras })
  }
  const step = part === 'first' ? FIRST : WHOLE
  training.train(part === 'second' ? WHOLE - FIRST : step)
  await saveCheckpoint(join(folder, `${part}.ckpt`), model, optimizer, { step, extras })
}

export async function createTraining(device: string) {
  const { defaultDevice, numpy, random, tree, valueAndGrad } = await jax()
  const example = (name: string): Promise<Untyped> =>
    import(pathToFileURL(join(jaxFolder, name)).href)
  const { adam, initAdam } = await example('adam.js')
  const { initModel, loss } = await example('model.js')
  defaultDevice(device)
  let params = initModel(random.key(1))
  let optState = initAdam(params)
  let key = random.key(2)
  const lossAndGradient = valueAndGrad(loss)
  return {
    model: jaxTree(
      numpy,
      () => params,
      (restored) => {
        params = restored
      },
    ),
    optimizer: jaxTree(
      numpy,
      () => optState,
      (restored) => {
        optState = restored
      },
      { kind: 'Adam' },
    ),
    extras: {
      key: jaxTree(
        numpy,
        () => [key],
        ([restored]) => {
          key = restored
        },
      ),
    },
    /** Everything that has a state now. */
    trees: () => [params, optState, key],
    train(steps: number) {
      for (let step = 0; step < steps; step++) {
        const [next, forInputs] = random.split(key)
        key = next
        const inputs = random.normal(forInputs, [6, 2])
        const labels = numpy.array([0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 0, 1]).reshape([6, 2])
        const [value, gradients] = lossAndGradient(tree.ref(params), inputs, labels)
        value.dispose()
        ;[params, optState] = adam(0.01, params, gradients, optState)
      }
    },
  }
}
