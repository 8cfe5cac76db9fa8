/** Matches one state of a checkpoint with the object it is restored into: names, dtypes and shapes. */

import { MODEL } from '../format/metadata.js'
import { orAborted } from '../io/concurrency.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { CheckpointState } from '../load/state.js'
import type { CollectedState } from '../save/collect.js'
import type { Stateful } from '../state.js'
import {
  type Converted,
  convertedTo,
  isPart,
  type Part,
  partOfFit,
  type Rename,
  type Renamed,
  renameAttributes,
  renamesOf,
} from './adapt.js'
import { compareState, type StateComparison } from './compare.js'
import { ConvertedTensor } from './converted-tensor.js'
import type { RestoreReport } from './restore-options.js'
import { checkTarget, type Pair } from './targets.js'

/** How saved states are adapted to the objects they are restored into. */
export interface Adaptations {
  /** For each state of the checkpoint: the current names, by the names in the checkpoint. */
  readonly renames: ReadonlyMap<string, ReadonlyMap<string, string>>
  readonly convert: boolean
  readonly only: Part | undefined
}

/** The result of `rename` for the names of each state. */
export function renamesOfAll(
  { states }: Checkpoint,
  rename: Rename | undefined,
): Adaptations['renames'] {
  if (rename === undefined) return new Map()
  const renames = new Map<string, ReadonlyMap<string, string>>()
  // The model comes first.
  for (const state of states) {
    renames.set(state.name, renamesOf(state, rename, renames.get(MODEL)))
  }
  return renames
}

/**
 * Compares a saved state, after adapting it, with the trainer's. The returned pair has only the tensors to restore.
 * Throws a TypeError if `target` has no way to take tensors.
 */
export async function matchState(
  target: Stateful,
  all: CollectedState,
  state: CheckpointState,
  { renames, convert, only }: Adaptations,
  signal: AbortSignal | undefined,
): Promise<{ readonly pair: Pair; readonly comparison: StateComparison }> {
  const part = only !== undefined && state.name === MODEL ? only : undefined
  const keep = (name: string) => part === undefined || isPart(name, part)
  const collected =
    part === undefined
      ? all
      : { ...all, tensors: new Map([...all.tensors].filter(([name]) => keep(name))) }
  checkTarget(target, collected)
  const adapted = (saved: CheckpointState) => (convert ? convertedTo(all, saved) : saved)

  const names = renames.get(state.name)
  const ofModel = renames.get(MODEL) ?? new Map<string, string>()
  // Attributes may name parameters, and tensors of their own state.
  const called =
    names === undefined
      ? state
      : state.renamed(names, renameAttributes(state.attributes, new Map([...ofModel, ...names])))
  const saved = adapted(called)
  const createsTensors = target.createsTensors === true && target.loadStateDict !== undefined
  const whole = (await orAborted(Promise.resolve(target.compareStateDict?.(saved)), signal)) ?? {}
  const { renamed = new Map<string, string>(), attributes = saved.attributes } = whole
  const named =
    whole.renamed || whole.attributes ? adapted(saved.renamed(renamed, attributes)) : saved
  const fit = part === undefined ? whole : partOfFit(whole, keep)
  const refused = new Set(fit.unexpected)
  const inPart = part === undefined ? named : named.filter(keep)
  const wanted = inPart.filter(
    (key) => (createsTensors || collected.tensors.has(key)) && !refused.has(key),
  )
  return {
    pair: { target, collected, saved: wanted, fit, isPart: part !== undefined },
    comparison: compareState(inPart, collected, createsTensors, fit),
  }
}

/** What a report says about the tensors that were adapted or left out. */
export function adaptedTensors(
  { model }: Checkpoint,
  pairs: readonly Pair[],
  { renames, only }: Adaptations,
): Pick<RestoreReport, 'renamed' | 'converted' | 'leftOut'> {
  const renamed: Renamed[] = []
  const converted: Converted[] = []
  for (const { saved } of pairs) {
    const state = saved.name
    for (const [from, tensor] of renames.get(state) ?? []) {
      if (saved.has(tensor)) renamed.push({ state, tensor, from })
    }
    for (const [tensor, one] of saved) {
      if (!(one instanceof ConvertedTensor)) continue
      converted.push({ state, tensor, from: one.saved.dtype, to: one.dtype })
    }
  }
  const here = (name: string) => renames.get(MODEL)?.get(name) ?? name
  const leftOut =
    only === undefined ? [] : [...model.keys()].filter((name) => !isPart(here(name), only))
  return { renamed, converted, leftOut: leftOut.map((tensor) => ({ state: MODEL, tensor })) }
}
