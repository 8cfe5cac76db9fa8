/**
 * A whole training run, made from one seed: everything that a checkpoint must restore. Two processes that call this
 * with the same options have the same run.
 */

import { AdamW } from './adamw.js'
import { type Dataset, gaussianMixture, split } from './data.js'
import { MLP } from './mlp.js'
import { Rng } from './rng.js'
import { ShuffledSampler } from './sampler.js'
import { SGD } from './sgd.js'
import { trainSteps } from './train.js'

export interface RunOptions {
  readonly seed?: number
  readonly optimizer?: 'SGD' | 'AdamW'
  /** Widths of the model, from the number of features to the number of classes. */
  readonly sizes?: readonly [number, ...number[], number]
}

export interface Run {
  readonly model: MLP
  readonly optimizer: SGD | AdamW
  readonly sampler: ShuffledSampler
  /** Draws the noise that is added to the inputs, so that a run depends on its state. */
  readonly rng: Rng
  readonly training: Dataset
  readonly heldOut: Dataset
  /** Takes this number of steps, and returns their losses. */
  train(steps: number): number[]
}

// Each a multiple of the number of clusters of the default sizes, 4 classes of 3.
const TRAINING_SAMPLES = 480
const HELD_OUT_SAMPLES = 240
// Does not divide the number of samples, so that an epoch ends with a shorter batch.
const BATCH_SIZE = 28
const NOISE_DEVIATION = 0.05

export function createRun({
  seed = 1,
  optimizer = 'AdamW',
  sizes = [3, 32, 4],
}: RunOptions = {}): Run {
  const data = gaussianMixture(
    {
      length: TRAINING_SAMPLES + HELD_OUT_SAMPLES,
      width: sizes[0],
      classes: sizes[sizes.length - 1]!,
    },
    new Rng(seed, 0),
  )
  const [training, heldOut] = split(data, TRAINING_SAMPLES)
  const model = new MLP(sizes, 'tanh', new Rng(seed, 1))
  const parameters = model.namedParameters()
  const run = {
    model,
    optimizer:
      optimizer === 'SGD'
        ? new SGD(parameters, { lr: 0.1, momentum: 0.9, nesterov: true, weightDecay: 1e-4 })
        : new AdamW(parameters, { lr: 0.01 }),
    sampler: new ShuffledSampler({ length: TRAINING_SAMPLES, batchSize: BATCH_SIZE, seed }),
    rng: new Rng(seed, 2),
    training,
    heldOut,
  }
  const noise = { rng: run.rng, deviation: NOISE_DEVIATION }
  return {
    ...run,
    train: (steps) => trainSteps(model, run.optimizer, run.sampler, training, steps, noise),
  }
}
