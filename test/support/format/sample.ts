/** A small file with everything in it, and what becomes of it when it is changed. */

import type { ExecutionContext } from 'ava'
import {
  CheckpointError,
  type CheckpointErrorCode,
  type CheckpointErrorFields,
  loadCheckpoint,
  MemorySink,
  type Stateful,
  saveCheckpoint,
} from '../../../src/index.js'
import { Patch, type TablePatch } from './patch.js'

/**
 * Saves the sample and returns the file. Its names come in pairs of one length, so that one can be
 * written over the other: `weight` and `shadow`, `lr_a` and `lr_b`, `acc_a` and `acc_b`, `other` and
 * `extra` and `model`.
 */
export async function sampleFile(): Promise<Uint8Array> {
  const shared = Float32Array.of(1, -2, 3.5, Number.NaN, -0, 6)
  const model: Stateful = {
    stateDict: () => ({
      kind: 'Net',
      tensors: {
        weight: { shape: [2, 3], data: shared },
        shadow: { shape: [3, 2], data: shared },
        nothing: { shape: [0, 3], data: new Float32Array(0) },
        scale: { shape: [], data: Float64Array.of(0.125) },
      },
    }),
  }
  const optimizer: Stateful = {
    stateDict: () => ({
      kind: 'AdamW',
      attributes: {
        none: null,
        flag: true,
        step: 12,
        seed: -7n,
        mask: 2n ** 63n,
        lr_a: 0.5,
        mode: 'min',
        betas: [0.9, 0.999],
        group: { lr_a: 1, lr_b: 2 },
      },
      tensors: { 'exp_avg/weight': { shape: [6], data: new Float32Array(6).fill(0.25) } },
    }),
  }
  const other: Stateful = {
    stateDict: () => ({ codes: { shape: [5], data: Uint8Array.of(1, 2, 3, 4, 5) } }),
  }
  const extra: Stateful = {
    stateDict: () => ({ tensors: {}, attributes: { lr_b: Infinity } }),
  }
  const sink = new MemorySink()
  await saveCheckpoint(sink, model, optimizer, {
    epoch: 3,
    step: 1000,
    loss: 0.75,
    metrics: { acc_a: 0.5, acc_b: -0 },
    config: { name: 'größe', layers: [1, 2] },
    extras: { other, extra },
  })
  return sink.bytes
}

/** A table of the sample that a change is about. */
export function stateOf(patch: Patch, name: 'model' | 'optimizer' | 'other' | 'extra'): TablePatch {
  const { root } = patch
  if (name === 'model' || name === 'optimizer') return root.table(name)
  return root.tables('extras')[name === 'other' ? 0 : 1]!
}

const TENSORS = ['weight', 'shadow', 'nothing', 'scale', 'exp_avg/weight', 'codes'] as const

export function tensorOf(patch: Patch, name: (typeof TENSORS)[number]): TablePatch {
  if (name === 'codes') return stateOf(patch, 'other').tables('tensors')[0]!
  if (name === 'exp_avg/weight') return stateOf(patch, 'optimizer').tables('tensors')[0]!
  return stateOf(patch, 'model').tables('tensors')[TENSORS.indexOf(name)]!
}

const ATTRIBUTES = [
  'none',
  'flag',
  'step',
  'seed',
  'mask',
  'lr_a',
  'mode',
  'betas',
  'group',
] as const

/** An entry of the optimizer's attributes. */
export function attributeOf(patch: Patch, key: (typeof ATTRIBUTES)[number]): TablePatch {
  return stateOf(patch, 'optimizer').tables('attributes')[ATTRIBUTES.indexOf(key)]!
}

/** A change to the sample that breaks one rule, and what the error has to say. */
export interface BrokenRule {
  readonly rule: string
  /** What has been done, to complete "... is refused". */
  readonly what: string
  readonly change: (patch: Patch) => void
  readonly code?: CheckpointErrorCode
  readonly fields?: CheckpointErrorFields
  readonly message?: RegExp
}

/** Asserts that the sample, changed and sealed again, is refused for that rule. */
export async function refuses(t: ExecutionContext, broken: BrokenRule): Promise<void> {
  const patch = new Patch(await sampleFile())
  broken.change(patch)
  const error = await t.throwsAsync(loadCheckpoint(patch.seal()), {
    instanceOf: CheckpointError,
    code: broken.code ?? 'CKPT_FORMAT',
  })
  t.is(error!.rule, broken.rule)
  for (const [field, value] of Object.entries(broken.fields ?? {})) {
    t.deepEqual(error![field as keyof CheckpointErrorFields], value, field)
  }
  if (broken.message !== undefined) t.regex(error!.message, broken.message)
}
