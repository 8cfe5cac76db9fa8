/**
 * Trains a small network that is written in plain JavaScript, and saves a checkpoint every few steps.
 * Interrupt it at any time and run it again. It resumes from the newest checkpoint, and ends with the
 * same weights, to the last bit, as without the interruption.
 *
 *     node train.js --run runs/mine --steps 400 --seed 1
 */

import { parseArgs } from 'node:util'
import { CheckpointManager } from 'lightwatch-checkpoint'
import { treeState } from 'lightwatch-checkpoint/tree'
import { Training } from './training.js'

const { values } = parseArgs({
  options: {
    run: { type: 'string', default: 'runs/mine' },
    steps: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
  },
})
const steps = Number(values.steps)
const config = {
  seed: Number(values.seed),
  hidden: 16,
  batch: 32,
  learningRate: 0.05,
  momentum: 0.9,
}

// ---- What has a state, as plain trees -------------------------------------------------------------

const training = new Training(config)
const stateOf = (name, options) =>
  treeState(
    () => training[name],
    (tree) => {
      training[name] = tree
    },
    options,
  )
const model = stateOf('params')
const optimizer = stateOf('velocity', { kind: 'SGD' })
const sampler = stateOf('order')

// ---- Training -------------------------------------------------------------------------------------

const manager = new CheckpointManager(values.run, {
  save: { everySteps: 20, steps: [steps] },
  keep: { newest: 3 },
})
const extras = { sampler }
const resumed = await manager.restoreLatest(model, optimizer, { extras })
if (resumed !== null) console.log(`resumed after step ${resumed.step}`)

for (let step = (resumed?.step ?? 0) + 1; step <= steps; step++) {
  const loss = training.step()
  process.send?.({ event: 'step', step, steps })
  await manager.save(model, optimizer, { epoch: training.order.epoch, step, loss, config, extras })
  if (step % 100 === 0) {
    const percent = (100 * training.accuracy()).toFixed(1)
    console.log(`step ${step} of ${steps}: loss ${loss.toFixed(4)}, ${percent} % of the points`)
  }
}
await manager.close()
