/** TensorFlow.js for the tests of its adapter, and small trainings with each of its optimizers. */

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { digits, installPackages } from '../../../scripts/install-packages.js'

// TensorFlow.js is installed beside the example and not here, so its types are unknown. That they fit
// the adapter's has a test of its own.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Untyped = any

/** How long an install may take, on a slow line. */
export const INSTALL_MS = 300_000

/** The core's namespace and the layers' in one, as `@tensorflow/tfjs` has them; installed if need be. */
export async function tensorflow(backend: string): Promise<Untyped> {
  await installPackages(digits)
  const { resolve } = createRequire(join(digits, 'package.json'))
  const load = (name: string): Promise<Untyped> =>
    import(pathToFileURL(resolve(`@tensorflow/${name}`)).href)
  const core = await load('tfjs-core')
  const layers = await load('tfjs-layers')
  await load(`tfjs-backend-${backend}`)
  core.enableProdMode()
  if (!(await core.setBackend(backend))) throw new Error(`no backend ${backend}`)
  return { ...core, ...layers }
}

/** Every optimizer, and those settings that come with further state. */
export const optimizers: { readonly [name: string]: (tf: Untyped) => Untyped } = {
  sgd: (tf) => tf.train.sgd(0.1),
  momentum: (tf) => tf.train.momentum(0.05, 0.9),
  nesterov: (tf) => tf.train.momentum(0.05, 0.9, true),
  adagrad: (tf) => tf.train.adagrad(0.1, 0.2),
  adadelta: (tf) => tf.train.adadelta(0.5, 0.9),
  rmsprop: (tf) => tf.train.rmsprop(0.01, 0.9, 0.3),
  'rmsprop-centered': (tf) => tf.train.rmsprop(0.01, 0.9, 0.3, 1e-4, true),
  adam: (tf) => tf.train.adam(0.01),
  adamax: (tf) => tf.train.adamax(0.02, 0.9, 0.999, 1e-7, 0.01),
}

/** Numbers between -1 and 1, the same for the same seed. */
export function noise(length: number, seed: number): Float32Array {
  return Float32Array.from({ length }, (_, i) => {
    const x = Math.sin((i + 1) * 12.9898 + (seed + 1) * 78.233) * 43758.5453
    return 2 * (x - Math.floor(x)) - 1
  })
}

/**
 * A classifier: two dense layers that TensorFlow.js numbers, one that has a name, and a batch
 * normalization, two of whose weights are not trainable. Compiled where an optimizer is given.
 */
export function classifier(tf: Untyped, optimizer?: Untyped, classes = 3): Untyped {
  const start = (seed: number) => tf.initializers.glorotUniform({ seed })
  const { dense, batchNormalization } = tf.layers
  const model = tf.sequential({
    layers: [
      dense({ inputShape: [5], units: 7, kernelInitializer: start(1) }),
      batchNormalization(),
      dense({ units: 6, activation: 'tanh', kernelInitializer: start(2) }),
      dense({ units: classes, activation: 'softmax', kernelInitializer: start(3), name: 'head' }),
    ],
  })
  if (optimizer !== undefined) model.compile({ optimizer, loss: 'categoricalCrossentropy' })
  return model
}

/** Trains a classifier on the batches `from` to `to`, which depend on nothing but their number. */
export async function train(tf: Untyped, model: Untyped, from: number, to: number): Promise<void> {
  for (let step = from; step < to; step++) {
    const labels = new Float32Array(8 * 3)
    for (let i = 0; i < 8; i++) labels[i * 3 + ((i * step + i) % 3)] = 1
    const x = tf.tensor2d(noise(8 * 5, step), [8, 5])
    const y = tf.tensor2d(labels, [8, 3])
    await model.trainOnBatch(x, y)
    x.dispose()
    y.dispose()
  }
}
