/**
 * Trains a small GPT of @genai-fi/nanogpt on a sentence, with its own AdamW, and saves a checkpoint every few steps.
 * Interrupt it at any time and run it again. It resumes from the newest checkpoint, and ends with the same weights,
 * to the last bit, as without the interruption.
 *
 *     node train.js --run runs/mine --steps 200
 */

import { parseArgs } from 'node:util'
import { CheckpointManager } from 'lightwatch-checkpoint'
import { tensorflowModule, tensorflowOptimizer } from 'lightwatch-checkpoint/tensorflow'
import { treeState } from 'lightwatch-checkpoint/tree'

// The package is built for browsers. Its copy of TensorFlow.js takes Node for Node, and then lacks the module `util`,
// which the bundle has left out. In a worker of a browser it does not need that module.
globalThis.WorkerGlobalScope ??= class {}
const { models, TeachableLLM, training } = await import('@genai-fi/nanogpt')
// Both copies of TensorFlow.js share one engine.
const tf = await import('@tensorflow/tfjs-core')

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'runs/mine' },
    steps: { type: 'string', default: '200' },
  },
})
const steps = Number(values.steps)
const BATCH = 4
const BLOCK = 16

// ---- A generator in the place of Math.random (mulberry32), which the model draws from in every step ----

const random = { state: 1 }
Math.random = () => {
  random.state = (random.state + 0x6d2b79f5) >>> 0
  let t = Math.imul(random.state ^ (random.state >>> 15), random.state | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

// ---- The model, its optimizer and a step ---------------------------------------------------------------

const text = 'the quick brown fox jumps over the lazy dog. '.repeat(4)
const vocabulary = [...new Set(text)].sort()
const tokens = Int32Array.from(text, (letter) => vocabulary.indexOf(letter))

await TeachableLLM.selectBackend('cpu')
const model = new models.NanoGPTV1({
  vocabSize: vocabulary.length,
  blockSize: BLOCK,
  nLayer: 2,
  nHead: 2,
  nEmbed: 16,
  mlpFactor: 2,
})
const adamW = new training.AdamWOptimizer({
  learningRate: 0.01,
  beta1: 0.9,
  beta2: 0.99,
  weightDecay: 0.01,
  warmupSteps: 20,
  decayEpochs: 4,
  epochSteps: 100,
  minLearningRate: 1e-4,
  lossScaling: 1,
})

/** Letters of the text, and for each the letter after it. */
function nextBatch() {
  const starts = Array.from({ length: BATCH }, () =>
    Math.floor(Math.random() * (tokens.length - BLOCK)),
  )
  const from = (shift) =>
    tf.tensor2d(
      Int32Array.from(
        starts.flatMap((start) => [...tokens.slice(start + shift, start + shift + BLOCK)]),
      ),
      [BATCH, BLOCK],
      'int32',
    )
  return { xs: from(0), ys: tf.oneHot(from(1), vocabulary.length) }
}

function trainStep() {
  return tf.tidy(() => {
    const { xs, ys } = nextBatch()
    const { value, grads } = tf.variableGrads(() =>
      tf.losses.softmaxCrossEntropy(ys, model.forward({ training: true }, xs)),
    )
    adamW.applyGradients(grads)
    return value.dataSync()[0]
  })
}

// ---- Training -------------------------------------------------------------------------------------

// The model makes its weights when it is first used.
tf.tidy(() => void model.forward({}, nextBatch().xs))

const variables = Object.fromEntries(model.variables.map((weight) => [weight.name, weight]))
const modelState = tensorflowModule(variables)
const optimizerState = tensorflowOptimizer(adamW, variables)
const extras = {
  rng: treeState(
    () => random,
    (saved) => void Object.assign(random, saved),
  ),
}

const manager = new CheckpointManager(values.run, {
  save: { everySteps: 20, steps: [steps] },
  keep: { newest: 3 },
})
const resumed = await manager.restoreLatest(modelState, optimizerState, { extras })
if (resumed !== null) console.log(`resumed after step ${resumed.step}`)
let loss = null
for (let step = (resumed?.step ?? 0) + 1; step <= steps; step++) {
  loss = trainStep()
  process.send?.({ event: 'step', step, steps })
  await manager.save(modelState, optimizerState, { step, loss, extras })
}
await manager.close()
console.log(`step ${steps}: loss ${loss?.toFixed(4)}`)
