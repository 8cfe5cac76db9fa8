/**
 * Small versions of the examples' trainings, with the examples' own modules, for the resume check. Each can forget one part
 * of what it has to save; the part is compared all the same.
 */

import { cp, mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { digits, plain } from '../../../scripts/install-packages.js'
import { jaxTree } from '../../../src/adapters/jax.js'
import {
  tensorflowCallback,
  tensorflowModule,
  tensorflowOptimizer,
} from '../../../src/adapters/tensorflow/tensorflow.js'
import { treeState } from '../../../src/adapters/tree/tree.js'
import {
  CheckpointManager,
  loadCheckpoint,
  restoreCheckpoint,
  type Stateful,
  saveCheckpoint,
} from '../../../src/index.js'
import type { ResumableRun } from '../../../src/resume-check/resume-check.js'
import { jax } from '../adapters/jax-install.js'
import { createTraining } from '../adapters/jax-training.js'
import { classifier, noise, tensorflow, type Untyped } from '../adapters/tensorflow-trainings.js'

/** An example, and what it forgets. */
export interface Forgetful {
  readonly example: 'digits' | 'fit' | 'jax' | 'plain'
  readonly forgets: 'sampler' | 'optimizer' | 'frozen' | 'key' | 'nu' | 'count' | 'velocity' | null
  /** For what the run writes itself; the caller removes it. */
  readonly folder: string
}

export function createRun({ example, forgets, folder }: Forgetful): Promise<ResumableRun> {
  switch (example) {
    case 'digits':
      return createDigits(forgets)
    case 'fit':
      return createFit(forgets, folder)
    case 'jax':
      return createJax(forgets)
    default:
      return createPlain(forgets)
  }
}

interface Saved {
  readonly model: Stateful
  readonly optimizer?: Stateful | null
  readonly extras?: { readonly [name: string]: Stateful }
  /** For a restore that lets differences pass. */
  readonly strict?: boolean
}

/** Saves less than the run has. */
function saves({ model, optimizer = null, extras = {}, strict = true }: Saved) {
  return {
    save: (path: string) => saveCheckpoint(path, model, optimizer, { extras }),
    async restore(path: string) {
      await using checkpoint = await loadCheckpoint(path)
      await restoreCheckpoint(checkpoint, model, optimizer, { extras, strict })
    },
  }
}

const moduleOf = (folder: string, name: string): Promise<Untyped> =>
  import(pathToFileURL(join(folder, name)).href)

const SAMPLES = 20
const BATCH = 8

/** What both examples with TensorFlow.js have: a classifier, Adam, and the data in the order of the sampler. */
async function createClassifier() {
  const tf = await tensorflow('cpu')
  const { Sampler } = await moduleOf(digits, 'sampler.js')
  const sampler = new Sampler(SAMPLES, 1)
  const adam = tf.train.adam(0.01)
  const model = classifier(tf, adam)
  const nextBatch = () => {
    const numbers: number[] = [...sampler.next(BATCH)]
    const images = numbers.flatMap((number) => [...noise(5, number)])
    const labels = tf.oneHot(
      numbers.map((number) => number % 3),
      3,
    )
    return { xs: tf.tensor2d(images, [numbers.length, 5]), ys: labels }
  }
  return { tf, sampler, adam, model, nextBatch }
}

async function createDigits(forgets: Forgetful['forgets']): Promise<ResumableRun> {
  const { tf, sampler, adam, model: network, nextBatch } = await createClassifier()
  const [model, optimizer] = [tensorflowModule(network), tensorflowOptimizer(adam, network)]
  const extras = { sampler }
  let step = 0
  return {
    ...{ model, optimizer, extras },
    async step() {
      const { xs, ys } = nextBatch()
      await network.trainOnBatch(xs, ys)
      tf.dispose([xs, ys])
      step++
      // Forgotten after a resume from a later step.
      if (forgets === 'frozen' && step === 3) network.layers.at(-1).trainable = false
    },
    ...saves({
      model,
      optimizer: forgets === 'optimizer' ? null : optimizer,
      extras: forgets === 'sampler' ? {} : extras,
      strict: forgets !== 'frozen',
    }),
  }
}

async function createFit(forgets: Forgetful['forgets'], scratch: string): Promise<ResumableRun> {
  const { sampler, adam, model: network, nextBatch } = await createClassifier()
  const [model, optimizer] = [tensorflowModule(network), tensorflowOptimizer(adam, network)]
  const extras = { sampler }
  const callbackOf = (folder: string) =>
    tensorflowCallback(new CheckpointManager(folder), model, optimizer, {
      extras: forgets === 'sampler' ? {} : extras,
    })
  const data = {
    size: null,
    iterator: async () => ({ next: async () => ({ value: nextBatch(), done: false }) }),
  }
  const folder = await mkdtemp(join(scratch, 'fit-'))
  let callback = callbackOf(folder)
  let epoch = 0
  return {
    ...{ model, optimizer, extras },
    async step() {
      const options = { batchesPerEpoch: 2, initialEpoch: epoch, epochs: epoch + 1, verbose: 0 }
      await network.fitDataset(data, { ...options, callbacks: [callback] })
      epoch++
    },
    save: (path) => cp(folder, path, { recursive: true }),
    async restore(path) {
      callback = callbackOf(path)
      epoch = (await callback.resume()).initialEpoch
    },
  }
}

async function createJax(forgets: Forgetful['forgets']): Promise<ResumableRun> {
  const { numpy } = await jax()
  const { model, optimizer, extras, trees, train } = await createTraining('cpu')
  // Adam's own part of the chain, without what is forgotten.
  const adam = (): Untyped => trees()[1][0]
  const part = jaxTree(
    numpy,
    () =>
      Object.fromEntries(Object.entries(adam()).filter(([name]) => name !== forgets)) as Untyped,
    (restored: Untyped) => void Object.assign(adam(), restored),
  )
  return {
    ...{ model, optimizer, extras },
    step: () => train(1),
    ...saves({
      model,
      optimizer: forgets === 'nu' || forgets === 'count' ? part : optimizer,
      extras: forgets === 'key' ? {} : extras,
    }),
  }
}

async function createPlain(forgets: Forgetful['forgets']): Promise<ResumableRun> {
  const { Training } = await moduleOf(plain, 'training.js')
  const config = { seed: 1, hidden: 4, batch: 32, learningRate: 0.05, momentum: 0.9 }
  const training = new Training(config)
  const stateOf = (name: string) =>
    treeState(
      () => training[name],
      (tree) => {
        training[name] = tree
      },
    )
  const [model, optimizer] = [stateOf('params'), stateOf('velocity')]
  const extras = { sampler: stateOf('order') }
  return {
    ...{ model, optimizer, extras },
    step: () => training.step(),
    ...saves({
      model,
      optimizer: forgets === 'velocity' ? null : optimizer,
      extras: forgets === 'sampler' ? {} : extras,
    }),
  }
}
