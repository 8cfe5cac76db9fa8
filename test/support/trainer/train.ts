/** The training loop of a classifier, and how well it classifies. */

import { batchOf, type Dataset } from './data.js'
import { softmaxCrossEntropy } from './loss.js'
import type { Module } from './module.js'
import type { Optimizer } from './optimizer.js'
import type { Rng } from './rng.js'
import type { ShuffledSampler } from './sampler.js'
import { Variable } from './variable.js'

/** Augmentation: normal noise on the inputs, so that a run also depends on a generator's state. */
export interface Noise {
  readonly rng: Rng
  readonly deviation: number
}

/** Takes `steps` optimizer steps from where everything stands, and returns the loss of each. */
export function trainSteps(
  model: Module,
  optimizer: Optimizer,
  sampler: ShuffledSampler,
  data: Dataset,
  steps: number,
  noise?: Noise,
): number[] {
  const losses: number[] = []
  for (let step = 0; step < steps; step++) {
    const { inputs, labels } = batchOf(data, sampler.next())
    if (noise !== undefined) {
      for (let i = 0; i < inputs.data.length; i++) {
        inputs.data[i]! += noise.deviation * noise.rng.normal()
      }
    }
    const loss = softmaxCrossEntropy(model.forward(inputs), labels)
    optimizer.zeroGrad()
    loss.backward()
    optimizer.step()
    losses.push(loss.item())
  }
  return losses
}

/** The share of samples whose largest logit is that of their class. */
export function accuracy(model: Module, data: Dataset): number {
  const logits = model.forward(new Variable([data.length, data.width], data.inputs)).data
  let correct = 0
  for (const [i, label] of data.labels.entries()) {
    const row = logits.subarray(i * data.classes, (i + 1) * data.classes)
    if (row.indexOf(Math.max(...row)) === label) correct++
  }
  return correct / data.length
}
