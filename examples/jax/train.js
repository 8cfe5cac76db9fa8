/**
 * Trains a small network with jax-js, and saves a checkpoint every few steps. Interrupt it at any time
 * and run it again. It resumes from the newest checkpoint, and ends with the same weights, to the last
 * bit, as without the interruption.
 *
 *     node train.js --run runs/mine --steps 300 --seed 1
 */

import { parseArgs } from 'node:util'
import { defaultDevice, numpy as np, random, tree, valueAndGrad } from '@jax-js/jax'
import { CheckpointManager } from 'lightwatch-checkpoint'
import { jaxTree } from 'lightwatch-checkpoint/jax'
import { adam, initAdam } from './adam.js'
import { accuracy, initModel, loss, spirals } from './model.js'

const SAVE_EVERY = 20 // steps
const KEEP = 3 // checkpoints
const BATCH = 32

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'runs/mine' },
    steps: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
    device: { type: 'string', default: 'wasm' },
  },
})
const steps = Number(values.steps)
const config = { seed: Number(values.seed), batch: BATCH, learningRate: 0.03 }
defaultDevice(values.device)

// ---- What has a state: the parameters, the optimizer's tree, and the key of the random numbers ------

let params = initModel(random.key(config.seed))
let optState = initAdam(params)
let key = random.key(config.seed + 1)

const modelState = jaxTree(
  np,
  () => params,
  (restored) => {
    params = restored
  },
)
const optimizerState = jaxTree(
  np,
  () => optState,
  (restored) => {
    optState = restored
  },
  { kind: 'Adam' },
)
const keyState = jaxTree(
  np,
  () => ({ key }),
  (restored) => {
    key = restored.key
  },
)

// ---- Training ------------------------------------------------------------------------------------

const data = spirals(256)
const lossAndGradient = valueAndGrad(loss)

/** The next batch: random points with a little noise. Advances the key. */
function nextBatch() {
  const [next, forIndices, forNoise] = random.split(key, 3)
  key = next
  const draws = random.uniform(forIndices, [BATCH]).dataSync()
  const points = new Float32Array(BATCH * 2)
  const labels = new Float32Array(BATCH * 2)
  draws.forEach((draw, i) => {
    const index = Math.floor(draw * data.classes.length)
    points.set(data.points.subarray(2 * index, 2 * index + 2), 2 * i)
    labels[2 * i + data.classes[index]] = 1
  })
  const inputs = np.array(points, { shape: [BATCH, 2] })
  const noise = random.normal(forNoise, [BATCH, 2]).mul(0.02)
  return [inputs.add(noise), np.array(labels, { shape: [BATCH, 2] })]
}

const manager = new CheckpointManager(values.run, {
  save: { everySteps: SAVE_EVERY, steps: [steps] },
  keep: { newest: KEEP },
})
const extras = { key: keyState }
const resumed = await manager.restoreLatest(modelState, optimizerState, { extras })
if (resumed !== null) console.log(`resumed after step ${resumed.step}`)

for (let step = (resumed?.step ?? 0) + 1; step <= steps; step++) {
  const [inputs, labels] = nextBatch()
  const [value, gradients] = lossAndGradient(tree.ref(params), inputs, labels)
  const lossOfStep = value.item()
  ;[params, optState] = adam(config.learningRate, params, gradients, optState)
  process.send?.({ event: 'step', step, steps })
  const saved = await manager.save(modelState, optimizerState, {
    step,
    loss: lossOfStep,
    config,
    extras,
  })
  if (saved && step % 100 === 0) {
    const percent = (100 * accuracy(params, data)).toFixed(1)
    console.log(
      `step ${step} of ${steps}: loss ${lossOfStep.toFixed(4)}, ${percent} % of the points`,
    )
  }
}
await manager.close()
