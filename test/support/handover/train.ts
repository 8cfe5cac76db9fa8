/**
 * One leg of a run that several languages train in turns: `train.ts FROM STEPS TO`. FROM is the checkpoint of the
 * leg before, or `-` for a new run. train.py and train.cpp do the same, operation by operation, in float32.
 */

import {
  type Attributes,
  loadCheckpoint,
  restoreCheckpoint,
  saveCheckpoint,
} from '../../../src/index.js'

const INPUTS = 5
const STEPS_AN_EPOCH = 16

const { fround } = Math

/** A linear regression. */
const weight = new Float32Array(INPUTS)
const bias = new Float32Array(1)
const model = {
  stateDict: () => ({
    kind: 'Linear',
    tensors: {
      weight: { shape: [1, INPUTS], data: weight },
      bias: { shape: [1], data: bias },
    },
  }),
}

/** SGD with momentum. */
const hyper = { lr: 0.05, momentum: 0.9 }
const velocity = { weight: new Float32Array(INPUTS), bias: new Float32Array(1) }
const optimizer = {
  stateDict: () => ({
    kind: 'SGD',
    attributes: hyper,
    tensors: {
      'momentum_buffer/weight': { shape: [1, INPUTS], data: velocity.weight },
      'momentum_buffer/bias': { shape: [1], data: velocity.bias },
    },
  }),
  loadAttributes(attributes: Attributes) {
    Object.assign(hyper, attributes)
  },
}

/** Draws the data: a generator whose state is an integer below 2^31 (Park and Miller). */
const sampler = { state: 1 }
const samplerState = {
  stateDict: () => ({ attributes: sampler, tensors: {} }),
  loadAttributes(attributes: Attributes) {
    Object.assign(sampler, attributes)
  },
}

/** From -1 to 1, in steps that a float32 holds exactly. */
function draw(): number {
  sampler.state = Number((BigInt(sampler.state) * 48271n) % 2147483647n)
  return (sampler.state % 2001) / 1024 - 1
}

/** One step; returns the loss before it. Every operation is rounded to float32. */
function train(): number {
  const inputs = Array.from({ length: INPUTS }, draw)
  const wanted = fround(inputs[0]! - fround(inputs[1]! * 0.5))
  let sum = bias[0]!
  for (const [i, input] of inputs.entries()) sum = fround(sum + fround(weight[i]! * input))
  const error = fround(sum - wanted)
  for (const [i, input] of inputs.entries()) {
    update(weight, velocity.weight, i, fround(error * input))
  }
  update(bias, velocity.bias, 0, error)
  return fround(error * error)
}

function update(values: Float32Array, momentum: Float32Array, i: number, gradient: number): void {
  momentum[i] = fround(fround(fround(hyper.momentum) * momentum[i]!) + gradient)
  values[i] = fround(values[i]! - fround(fround(hyper.lr) * momentum[i]!))
}

const [from, steps, to] = process.argv.slice(2) as [string, string, string]
let step = 0
let loss: number | null = null
if (from !== '-') {
  await using checkpoint = await loadCheckpoint(from)
  const extras = { sampler: samplerState }
  ;({ step, loss } = await restoreCheckpoint(checkpoint, model, optimizer, { extras }))
}
for (let n = 0; n < Number(steps); n++, step++) loss = train()
await saveCheckpoint(to, model, optimizer, {
  epoch: Math.floor(step / STEPS_AN_EPOCH),
  step,
  loss,
  metrics: { 'loss/train': loss ?? Number.NaN },
  config: '{"inputs":5,"data":"drawn"}',
  extras: { sampler: samplerState },
})
