/**
 * The same classifier, trained by `model.fitDataset`: TensorFlow.js runs the loop, and a callback saves a
 * checkpoint after every epoch. Interrupt it at any time and run it again. It resumes from the last
 * complete epoch, and ends with the same weights, to the last bit, as without the interruption.
 *
 *     node fit.js --run runs/fit --epochs 8 --seed 1
 */

import { parseArgs } from 'node:util'
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import '@tensorflow/tfjs-backend-wasm'
import { CheckpointManager } from 'lightwatch-checkpoint'
import {
  tensorflowCallback,
  tensorflowModule,
  tensorflowOptimizer,
} from 'lightwatch-checkpoint/tensorflow'
import { CLASSES, loadDigits, PIXELS } from './digits.js'
import { Progress } from './progress.js'
import { Sampler } from './sampler.js'

const BATCH = 64
const TEST_IMAGES = 500

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'runs/fit' },
    epochs: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
  },
})
const epochs = Number(values.epochs)
const seed = Number(values.seed)

tf.enableProdMode()
await tf.setBackend('wasm')

const { train, test } = loadDigits()
const start = (layer) => initializers.heNormal({ seed: seed * 10 + layer })
const model = sequential({
  layers: [
    layers.dense({
      name: 'hidden',
      inputShape: [PIXELS],
      units: 64,
      activation: 'relu',
      kernelInitializer: start(1),
    }),
    layers.dense({
      name: 'digit',
      units: CLASSES,
      activation: 'softmax',
      kernelInitializer: start(2),
    }),
  ],
})
const optimizer = tf.train.adam(0.001)
model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] })

// The data in an order with a state: `fit` would shuffle by Math.random, whose state cannot be saved.
const sampler = new Sampler(train.count, seed)
const batches = {
  size: null,
  iterator: async () => ({
    next: async () => ({ value: batchOf(train, sampler.next(BATCH)), done: false }),
  }),
}

function batchOf(digits, numbers) {
  const images = new Float32Array(numbers.length * PIXELS)
  const labels = new Float32Array(numbers.length * CLASSES)
  numbers.forEach((number, i) => {
    images.set(digits.images.subarray(number * PIXELS, (number + 1) * PIXELS), i * PIXELS)
    labels[i * CLASSES + digits.labels[number]] = 1
  })
  return {
    xs: tf.tensor2d(images, [numbers.length, PIXELS]),
    ys: tf.tensor2d(labels, [numbers.length, CLASSES]),
  }
}

// ---- Training ------------------------------------------------------------------------------------

const manager = new CheckpointManager(values.run, {
  keep: { newest: 2, best: { count: 1, metric: 'val_acc', mode: 'max' } },
})
const callback = tensorflowCallback(
  manager,
  tensorflowModule(model),
  tensorflowOptimizer(optimizer, model),
  { extras: { sampler }, config: { seed, batch: BATCH } },
)
const { initialEpoch } = await callback.resume()
if (initialEpoch > 0) console.log(`resumed after epoch ${initialEpoch}`)

const batchesPerEpoch = Math.ceil(train.count / BATCH)
const progress = new Progress(epochs * batchesPerEpoch)
const every = Math.floor(test.count / TEST_IMAGES)
const held = batchOf(
  test,
  Uint32Array.from({ length: TEST_IMAGES }, (_, i) => i * every),
)
await model.fitDataset(batches, {
  batchesPerEpoch,
  epochs,
  initialEpoch,
  validationData: [held.xs, held.ys],
  verbose: 0,
  callbacks: [
    callback,
    {
      onBatchEnd: (_, { loss }) => progress.step(callback.step, loss),
      onEpochEnd: (epoch, { loss, val_acc }) =>
        progress.epoch(epoch + 1, epochs, loss, val_acc, `step ${callback.step}`),
    },
  ],
})
await manager.close()
