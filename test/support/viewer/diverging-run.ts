/**
 * A real training that goes wrong, the same on each machine: a deep network learns ten noisy patterns. From step 600 on its
 * learning rate rises, until it diverges. The input layer never trains.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { saveCheckpoint } from '../../../src/index.js'

/** Steps between two checkpoints, and the last step. */
export const EVERY = 10
export const LAST = 1000

const [PIXELS, WIDTH, BLOCKS, DIGITS, BATCH] = [64, 32, 8, 10, 24] as const
const RISES_FROM = 600
const [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-7] as const

/** The file of a step. */
export function nameOf(step: number): string {
  return `step-${String(step).padStart(6, '0')}.ckpt`
}

/** Writes the run's checkpoints into a folder, about 14 MB. */
export async function writeDivergingRun(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  const random = randomFrom(20)
  const layers = [
    layer('pixels', PIXELS, WIDTH, random),
    ...Array.from({ length: BLOCKS }, (_, i) => layer(`block${i + 1}`, WIDTH, WIDTH, random)),
    layer('digit', WIDTH, DIGITS, random),
  ]
  const patterns = Array.from({ length: DIGITS * PIXELS }, random)
  let [loss, seen, right] = [Math.log(DIGITS), 0, 0]
  for (let step = 0; step <= LAST; step++) {
    const learningRate = 0.0008 * (step < RISES_FROM ? 1 : 1.02 ** (step - RISES_FROM))
    if (step > 0) {
      const batch = drawn(patterns, random)
      const found = descend(layers, batch)
      for (const each of layers.slice(1)) update(each, step, learningRate)
      loss = found.loss
      seen += BATCH
      right += found.right
    }
    if (step % EVERY !== 0) continue
    const isMeasured = step % 100 === 0 && step > 0
    await saveCheckpoint(
      join(folder, nameOf(step)),
      { stateDict: () => ({ tensors: weightsOf(layers), kind: 'Sequential' }) },
      {
        stateDict: () => ({
          tensors: momentsOf(layers),
          kind: 'Adam',
          attributes: { learningRate, beta1: BETA1, beta2: BETA2, epsilon: EPSILON },
        }),
      },
      {
        ...{ step, epoch: Math.floor(step / 125), loss },
        metrics: isMeasured ? { accuracy: right / seen } : {},
        config: { seed: 20, batch: BATCH, blocks: BLOCKS, width: WIDTH },
        durable: false,
      },
    )
    if (isMeasured) [seen, right] = [0, 0]
  }
}

/** A layer's weights, by rows of its inputs and then the bias, and what Adam keeps of them. */
interface Layer {
  readonly name: string
  readonly inputs: number
  readonly outputs: number
  readonly weights: Float32Array
  readonly m: Float32Array
  readonly v: Float32Array
  readonly gradient: Float64Array
}

function layer(name: string, inputs: number, outputs: number, random: () => number): Layer {
  const size = (inputs + 1) * outputs
  const scale = Math.sqrt(6 / inputs)
  const weights = Float32Array.from({ length: size }, (_, i) =>
    i < inputs * outputs ? (2 * random() - 1) * scale : 0,
  )
  const [m, v] = [new Float32Array(size), new Float32Array(size)]
  return { name, inputs, outputs, weights, m, v, gradient: new Float64Array(size) }
}

interface Batch {
  readonly pixels: Float64Array
  readonly labels: readonly number[]
}

function drawn(patterns: readonly number[], random: () => number): Batch {
  const labels = Array.from({ length: BATCH }, () => Math.floor(random() * DIGITS))
  const pixels = Float64Array.from({ length: BATCH * PIXELS }, (_, i) => {
    const pattern = patterns[labels[Math.floor(i / PIXELS)]! * PIXELS + (i % PIXELS)]!
    return pattern - 0.5 + 1.6 * (random() - 0.5)
  })
  return { pixels, labels }
}

/** Computes the gradients of a batch. */
function descend(layers: readonly Layer[], { pixels, labels }: Batch) {
  const outputs: Float64Array[] = [pixels]
  for (const each of layers) outputs.push(forward(each, outputs.at(-1)!, each === layers.at(-1)))
  let [loss, right] = [0, 0]
  let slope = new Float64Array(BATCH * DIGITS)
  for (const [n, label] of labels.entries()) {
    const scores = outputs.at(-1)!.subarray(n * DIGITS, (n + 1) * DIGITS)
    const most = Math.max(...scores)
    const sum = scores.reduce((total, score) => total + Math.exp(score - most), 0)
    if (scores[label] === most) right++
    loss += (Math.log(sum) + most - scores[label]!) / BATCH
    for (let k = 0; k < DIGITS; k++) {
      slope[n * DIGITS + k] = (Math.exp(scores[k]! - most) / sum - (k === label ? 1 : 0)) / BATCH
    }
  }
  for (let i = layers.length - 1; i > 0; i--) slope = backward(layers[i]!, outputs[i]!, slope)
  return { loss, right }
}

function forward({ inputs, outputs, weights }: Layer, x: Float64Array, isLast: boolean) {
  const y = new Float64Array(BATCH * outputs)
  for (let n = 0; n < BATCH; n++) {
    for (let o = 0; o < outputs; o++) y[n * outputs + o] = weights[inputs * outputs + o]!
    for (let i = 0; i < inputs; i++) {
      const value = x[n * inputs + i]!
      if (value === 0) continue
      for (let o = 0; o < outputs; o++) y[n * outputs + o]! += value * weights[i * outputs + o]!
    }
  }
  if (!isLast) for (let k = 0; k < y.length; k++) if (y[k]! < 0) y[k] = 0
  return y
}

/** Sets the layer's gradient; returns the slope of its input, which was what a ReLU gave. */
function backward(
  { inputs, outputs, weights, gradient }: Layer,
  x: Float64Array,
  slope: Float64Array,
) {
  const before = new Float64Array(BATCH * inputs)
  gradient.fill(0)
  for (let n = 0; n < BATCH; n++) {
    for (let o = 0; o < outputs; o++) gradient[inputs * outputs + o]! += slope[n * outputs + o]!
    for (let i = 0; i < inputs; i++) {
      const value = x[n * inputs + i]!
      if (value <= 0) continue
      let sum = 0
      for (let o = 0; o < outputs; o++) {
        const part = slope[n * outputs + o]!
        gradient[i * outputs + o]! += value * part
        sum += weights[i * outputs + o]! * part
      }
      before[n * inputs + i] = sum
    }
  }
  return before
}

function update({ weights, m, v, gradient }: Layer, step: number, learningRate: number): void {
  const [first, second] = [1 - BETA1 ** step, 1 - BETA2 ** step]
  for (const [i, slope] of gradient.entries()) {
    m[i] = BETA1 * m[i]! + (1 - BETA1) * slope
    v[i] = BETA2 * v[i]! + (1 - BETA2) * slope * slope
    weights[i]! -= (learningRate * (m[i]! / first)) / (Math.sqrt(v[i]! / second) + EPSILON)
  }
}

/** The kernel and the bias of an array of a layer. */
function parts({ inputs, outputs }: Layer, data: Float32Array) {
  return [
    ['kernel', { shape: [inputs, outputs], data: data.subarray(0, inputs * outputs) }],
    ['bias', { shape: [outputs], data: data.subarray(inputs * outputs) }],
  ] as const
}

function weightsOf(layers: readonly Layer[]) {
  return Object.fromEntries(
    layers.flatMap((each) =>
      parts(each, each.weights).map(([part, tensor]) => [`${each.name}/${part}`, tensor]),
    ),
  )
}

function momentsOf(layers: readonly Layer[]) {
  return Object.fromEntries(
    layers
      .slice(1)
      .flatMap((each) =>
        (['m', 'v'] as const).flatMap((key) =>
          parts(each, each[key]).map(([part, tensor]) => [`${each.name}/${part}/${key}`, tensor]),
        ),
      ),
  )
}

/** Numbers from 0 to 1, the same for a seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
}
