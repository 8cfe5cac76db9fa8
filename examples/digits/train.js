/**
 * Trains a classifier of handwritten digits, and saves a checkpoint every few steps. Interrupt it at any
 * time and run it again. It resumes from the newest checkpoint, and ends with the same weights, to the
 * last bit, as without the interruption.
 *
 *     node train.js --run runs/mine --epochs 8 --seed 1
 *
 * The checkpoints can be in a bucket instead of a folder (see store.js):
 *
 *     node train.js --run s3://bucket/runs/mine
 */

import { parseArgs } from 'node:util'
// With all of TensorFlow.js, this would be one line: import * as tf from '@tensorflow/tfjs'. These are the parts that
// this example uses, a third of the download.
import * as tf from '@tensorflow/tfjs-core'
import { initializers, layers, sequential } from '@tensorflow/tfjs-layers'
import '@tensorflow/tfjs-backend-wasm'
import {
  isCheckpointError,
  loadCheckpoint,
  restoreCheckpoint,
  saveCheckpoint,
} from 'lightwatch-checkpoint'
import { tensorflowModule, tensorflowOptimizer } from 'lightwatch-checkpoint/tensorflow'
import { CLASSES, loadDigits, PIXELS } from './digits.js'
import { Progress } from './progress.js'
import { Sampler } from './sampler.js'
import { storeOf } from './store.js'

const SAVE_EVERY = 25 // steps
const KEEP = 3 // checkpoints

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'runs/mine' },
    epochs: { type: 'string', default: '8' },
    seed: { type: 'string', default: '1' },
  },
})
const { run } = values
const store = storeOf(run)
const epochs = Number(values.epochs)
const config = { seed: Number(values.seed), batch: 64, learningRate: 0.001 }

tf.enableProdMode()
await tf.setBackend('wasm')

// ---- What has a state: the model, the optimizer and the sampler ----------------------------------

const { train, test } = loadDigits()
const sampler = new Sampler(train.count, config.seed)

const start = (layer) => initializers.heNormal({ seed: config.seed * 10 + layer })
const model = sequential({
  layers: [
    layers.dense({
      name: 'wide',
      inputShape: [PIXELS],
      units: 128,
      activation: 'relu',
      kernelInitializer: start(1),
    }),
    layers.dense({ name: 'narrow', units: 64, activation: 'relu', kernelInitializer: start(2) }),
    layers.dense({
      name: 'digit',
      units: CLASSES,
      activation: 'softmax',
      kernelInitializer: start(3),
    }),
  ],
})
const optimizer = tf.train.adam(config.learningRate)
model.compile({ optimizer, loss: 'categoricalCrossentropy', metrics: ['accuracy'] })

// The model and the optimizer as the library takes them. (The sampler has its own stateDict().)
const modelState = tensorflowModule(model)
const optimizerState = tensorflowOptimizer(optimizer, model)

// ---- Checkpoints ---------------------------------------------------------------------------------

async function save(progress) {
  const name = `step-${String(progress.step).padStart(6, '0')}.ckpt`
  await saveCheckpoint({ store, name }, modelState, optimizerState, {
    ...progress,
    config,
    extras: { sampler },
  })
  for (const old of (await checkpoints()).slice(KEEP)) await store.remove(old.name, old.version)
  return name
}

/** Restores the newest valid checkpoint. Returns its step, or 0 if there is none. */
async function resume() {
  for (const { name } of await checkpoints()) {
    let checkpoint
    try {
      checkpoint = await loadCheckpoint({ store, name })
      await checkpoint.verify()
    } catch (error) {
      // A save is atomic: a kill or a power cut leaves no damaged file. A failing disk may.
      if (!isCheckpointError(error)) throw error
      console.log(`passed over: ${error.message}`)
      continue
    }
    try {
      if (checkpoint.config.seed !== config.seed) throw new Error(`${run} has another seed`)
      const extras = { sampler }
      await restoreCheckpoint(checkpoint, modelState, optimizerState, { extras })
      console.log(`resumed from ${name} in epoch ${checkpoint.epoch + 1}`)
      return checkpoint.step
    } finally {
      await checkpoint.close()
    }
  }
  return 0
}

/** The run's checkpoints, newest first. */
async function checkpoints() {
  const files = await store.list((name) => /^step-\d+\.ckpt$/.test(name))
  return files.sort((a, b) => (a.name < b.name ? 1 : -1))
}

// ---- Training ------------------------------------------------------------------------------------

function batchOf(digits, numbers) {
  const images = new Float32Array(numbers.length * PIXELS)
  const labels = new Float32Array(numbers.length * CLASSES)
  numbers.forEach((number, i) => {
    images.set(digits.images.subarray(number * PIXELS, (number + 1) * PIXELS), i * PIXELS)
    labels[i * CLASSES + digits.labels[number]] = 1
  })
  return [
    tf.tensor2d(images, [numbers.length, PIXELS]),
    tf.tensor2d(labels, [numbers.length, CLASSES]),
  ]
}

/** The share of the test images that the model gets right. */
function accuracyOfTest() {
  return tf.tidy(() => {
    const [images, labels] = batchOf(
      test,
      Uint32Array.from({ length: test.count }, (_, i) => i),
    )
    const right = tf.equal(tf.argMax(model.predict(images), 1), tf.argMax(labels, 1))
    return tf.sum(tf.cast(right, 'int32')).dataSync()[0] / test.count
  })
}

const stepsOfEpoch = Math.ceil(train.count / config.batch)
const steps = epochs * stepsOfEpoch
const progress = new Progress(steps)
let step = await resume()
while (step < steps) {
  const [images, labels] = batchOf(train, sampler.next(config.batch))
  const [loss] = await model.trainOnBatch(images, labels)
  tf.dispose([images, labels])
  step++
  progress.step(step, loss)

  const epoch = Math.floor(step / stepsOfEpoch)
  const endsEpoch = step % stepsOfEpoch === 0
  if (!endsEpoch && step % SAVE_EVERY !== 0) continue
  const metrics = endsEpoch ? { accuracy: accuracyOfTest() } : {}
  progress.saving(step)
  const name = await save({ epoch, step, loss, metrics })
  progress.saved(step)
  if (endsEpoch) progress.epoch(epoch, epochs, loss, metrics.accuracy, name)
}
