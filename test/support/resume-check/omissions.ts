/**
 * A run whose next step depends on everything that trainers forget to save: weights, two moments, a scheduler, frozen
 * flags, a random generator, a position in the data. Each can be left out of what is saved, and is compared all the same.
 */

import {
  loadCheckpoint,
  restoreCheckpoint,
  type Stateful,
  saveCheckpoint,
} from '../../../src/index.js'
import type { Attributes } from '../../../src/public.js'
import type { ResumableRun } from '../../../src/resume-check/resume-check.js'

/** What a run can forget to save. */
export const OMISSIONS = ['moments', 'scheduler', 'frozen', 'rng', 'position', 'closure'] as const
export type Omission = (typeof OMISSIONS)[number]

const SAMPLES = 11
const SIZE = 3

export function createRun(forgets: Omission | null): ResumableRun {
  const weights = { a: new Float32Array(SIZE), b: new Float32Array(SIZE) }
  const m = { a: new Float32Array(SIZE), b: new Float32Array(SIZE) }
  const v = { a: new Float32Array(SIZE), b: new Float32Array(SIZE) }
  let schedule: Attributes = { lr: 0.1, warmup: 4 }
  let frozen: readonly string[] = []
  let rng: Attributes = { state: 1 }
  let position: Attributes = { index: 0, epoch: 0 }
  // Nothing can see this one, so that it is not compared either.
  let hidden = 0

  const random = () => {
    rng = { state: (Math.imul(Number(rng.state), 1664525) + 1013904223) >>> 0 }
    return Number(rng.state) / 2 ** 32
  }
  const vectors = (prefix: string, arrays: typeof weights) =>
    Object.entries(arrays).map(([name, data]) => [prefix + name, { shape: [SIZE], data }] as const)
  const attributesOf = (get: () => Attributes, set: (saved: Attributes) => void): Stateful => ({
    stateDict: () => ({ attributes: get(), tensors: {} }),
    loadAttributes: set,
  })
  const model: Stateful = {
    stateDict: () => ({ attributes: { frozen }, tensors: vectors('', weights) }),
    loadAttributes: (saved) => {
      frozen = saved.frozen as string[]
    },
  }
  const optimizer: Stateful = {
    stateDict: () => ({ tensors: [...vectors('exp_avg/', m), ...vectors('exp_avg_sq/', v)] }),
  }
  const extras = {
    scheduler: attributesOf(
      () => schedule,
      (saved) => {
        schedule = saved
      },
    ),
    rng: attributesOf(
      () => rng,
      (saved) => {
        rng = saved
      },
    ),
    position: attributesOf(
      () => position,
      (saved) => {
        position = saved
      },
    ),
  }

  const step = () => {
    const index = Number(position.index)
    const next = (index + 1) % SAMPLES
    position = { index: next, epoch: Number(position.epoch) + (next === 0 ? 1 : 0) }
    schedule = { lr: Number(schedule.lr) * 0.97, warmup: Math.max(0, Number(schedule.warmup) - 1) }
    if (index === 5) frozen = ['b']
    if (forgets === 'closure') hidden++
    for (const name of ['a', 'b'] as const) {
      if (frozen.includes(name)) continue
      for (let i = 0; i < SIZE; i++) {
        const gradient = Math.sin(index + i) + random() + hidden - weights[name][i]!
        m[name][i] = 0.9 * m[name][i]! + 0.1 * gradient
        v[name][i] = 0.99 * v[name][i]! + 0.01 * gradient ** 2
        weights[name][i]! += (Number(schedule.lr) * m[name][i]!) / (Math.sqrt(v[name][i]!) + 1e-3)
      }
    }
  }

  // What is saved, with the part left out.
  const halfOfMoments: Stateful = { stateDict: () => ({ tensors: vectors('exp_avg/', m) }) }
  const unfrozen: Stateful = { stateDict: () => ({ tensors: vectors('', weights) }) }
  const savedStates = (): [Stateful, Stateful, { [name: string]: Stateful }] => [
    forgets === 'frozen' ? unfrozen : model,
    forgets === 'moments' ? halfOfMoments : optimizer,
    Object.fromEntries(Object.entries(extras).filter(([name]) => name !== forgets)),
  ]
  return {
    ...{ model, optimizer, extras, step },
    save: (path) => {
      const [savedModel, savedOptimizer, savedExtras] = savedStates()
      return saveCheckpoint(path, savedModel, savedOptimizer, { extras: savedExtras })
    },
    async restore(path) {
      const [savedModel, savedOptimizer, savedExtras] = savedStates()
      await using checkpoint = await loadCheckpoint(path)
      await restoreCheckpoint(checkpoint, savedModel, savedOptimizer, { extras: savedExtras })
    },
  }
}
