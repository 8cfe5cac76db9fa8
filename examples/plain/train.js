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

/** The data's order: a generator (mulberry32), and the position in the shuffled indices. */
let order = { random: config.seed >>> 0, epoch: 0, next: 0, indices: new Uint32Array(0) }

function random() {
  order.random = (order.random + 0x6d2b79f5) >>> 0
  let t = Math.imul(order.random ^ (order.random >>> 15), order.random | 1)
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
}

const layer = (inputs, outputs) => ({
  weight: Float32Array.from({ length: inputs * outputs }, () => (random() - 0.5) * 2),
  bias: new Float32Array(outputs),
})
let params = { layers: [layer(2, config.hidden), layer(config.hidden, 1)] }
let velocity = {
  layers: params.layers.map(({ weight, bias }) => ({
    weight: new Float32Array(weight.length),
    bias: new Float32Array(bias.length),
  })),
}

const model = treeState(
  () => params,
  (tree) => {
    params = tree
  },
)
const optimizer = treeState(
  () => velocity,
  (tree) => {
    velocity = tree
  },
  { kind: 'SGD' },
)
const sampler = treeState(
  () => order,
  (tree) => {
    order = tree
  },
)

// ---- Data: is a point inside the circle? ----------------------------------------------------------

const points = Array.from({ length: 600 }, () => [random() * 2 - 1, random() * 2 - 1])
const inside = points.map(([x, y]) => (x * x + y * y < 0.5 ? 1 : 0))
order.indices = Uint32Array.from(points, (_, i) => i)
shuffle()

function shuffle() {
  const { indices } = order
  for (let i = indices.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1))
    ;[indices[i], indices[j]] = [indices[j], indices[i]]
  }
}

function nextBatch() {
  if (order.next + config.batch > order.indices.length) {
    order.epoch++
    order.next = 0
    shuffle()
  }
  order.next += config.batch
  return order.indices.slice(order.next - config.batch, order.next)
}

// ---- A step ---------------------------------------------------------------------------------------

function forward(point) {
  const [first, second] = params.layers
  const hidden = Array.from(first.bias, (bias, h) =>
    Math.tanh(bias + point[0] * first.weight[2 * h] + point[1] * first.weight[2 * h + 1]),
  )
  const logit = hidden.reduce((sum, value, h) => sum + value * second.weight[h], second.bias[0])
  return { hidden, probability: 1 / (1 + Math.exp(-logit)) }
}

/** Damps the velocity, then adds a part of the gradient to it. */
function trainStep(batch) {
  for (const { weight, bias } of velocity.layers) {
    for (const v of [weight, bias]) for (let i = 0; i < v.length; i++) v[i] *= config.momentum
  }
  const [first, second] = velocity.layers
  const output = params.layers[1].weight
  let loss = 0
  for (const i of batch) {
    const point = points[i]
    const { hidden, probability } = forward(point)
    loss -= Math.log(inside[i] === 1 ? probability : 1 - probability) / batch.length
    const error = (probability - inside[i]) / batch.length
    second.bias[0] += error
    hidden.forEach((value, h) => {
      second.weight[h] += error * value
      const back = error * output[h] * (1 - value * value)
      first.bias[h] += back
      first.weight[2 * h] += back * point[0]
      first.weight[2 * h + 1] += back * point[1]
    })
  }
  params.layers.forEach((layer, l) => {
    for (const name of ['weight', 'bias']) {
      const change = velocity.layers[l][name]
      for (let i = 0; i < change.length; i++) layer[name][i] -= config.learningRate * change[i]
    }
  })
  return loss
}

// ---- Training -------------------------------------------------------------------------------------

const manager = new CheckpointManager(values.run, {
  save: { everySteps: 20, steps: [steps] },
  keep: { newest: 3 },
})
const extras = { sampler }
const resumed = await manager.restoreLatest(model, optimizer, { extras })
if (resumed !== null) console.log(`resumed after step ${resumed.step}`)

for (let step = (resumed?.step ?? 0) + 1; step <= steps; step++) {
  const loss = trainStep(nextBatch())
  process.send?.({ event: 'step', step, steps })
  await manager.save(model, optimizer, { epoch: order.epoch, step, loss, config, extras })
  if (step % 100 === 0) {
    const right = points.filter(
      (point, i) => forward(point).probability > 0.5 === (inside[i] === 1),
    )
    const percent = ((100 * right.length) / points.length).toFixed(1)
    console.log(`step ${step} of ${steps}: loss ${loss.toFixed(4)}, ${percent} % of the points`)
  }
}
await manager.close()
