/**
 * Restores a checkpoint into a model and an optimizer, all or nothing. Every name, dtype and shape is compared, and
 * every checksum verified, before the first byte is written.
 */

import { warn, withPath } from '../errors.js'
import { MODEL, OPTIMIZER } from '../format/metadata.js'
import { orAborted } from '../io/concurrency.js'
import { isStored, type StoredCheckpoint } from '../io/store.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { openStored } from '../load/open.js'
import type { SegmentReader } from '../load/segment.js'
import type { CheckpointState } from '../load/state.js'
import { checkSegments } from '../load/verify.js'
import { givenOptions } from '../options.js'
import { quote } from '../printable.js'
import { collectState } from '../save/collect.js'
import { checkCheckpoint } from '../save/mistakes.js'
import { checkExtras } from '../save/plan.js'
import type { Module, Optimizer, Stateful } from '../state.js'
import { checkAdaptations } from './adapt.js'
import { mergeComparisons, type StateComparison } from './compare.js'
import { ConvertedTensor } from './converted-tensor.js'
import { type Adaptations, adaptedTensors, matchState, renamesOfAll } from './match.js'
import { readBack } from './read-back.js'
import { mismatch, refuseOrWarn, warnOfForgotten } from './refuse.js'
import { RESTORE_OPTIONS, type RestoreOptions, type RestoreReport } from './restore-options.js'
import { copyTensors, takeOver } from './take-over.js'
import {
  checkSameMemory,
  checkTarget,
  clashesOf,
  isMemory,
  type MemoryTarget,
  type Pair,
  targetsOf,
} from './targets.js'

/**
 * Restores a model, and an optimizer and extras if they are given. If an object has no `loadStateDict`, its tensors are
 * plain memory: the bytes are copied straight into the arrays that its `stateDict()` returns. States of the checkpoint
 * that nothing was passed for are skipped with a warning. An optimizer of null, and an object of extras, turn off that
 * warning.
 *
 * @param checkpoint an open checkpoint, which stays open, or a location in a store (`{ store, name }`), which is opened
 *   and closed
 * @returns what was done, with the progress of the run
 * @throws CheckpointError CKPT_STATE_MISMATCH (a StateMismatchError that lists every key), CKPT_TENSOR_CHECKSUM or
 *   another code for damage, CKPT_TENSOR_CHANGED: nothing was restored. CKPT_RESTORE_INCOMPLETE: after all verification
 *   a `loadStateDict` threw or was aborted, a read failed, memory was transferred, or the trainer's tensors differ from the
 *   checkpoint's when they are read back; the error says what was restored
 * @throws TypeError if an object is not a state dict, has no way to take over tensors, or returns copies
 */
export async function restoreCheckpoint(
  checkpoint: Checkpoint | StoredCheckpoint,
  model: Module,
  optimizer?: Optimizer | null,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  if (isStored(checkpoint)) {
    // The restore verifies what it reads.
    const opened = await openStored(checkpoint, {})
    try {
      return await restoreCheckpoint(opened, model, optimizer, options)
    } catch (error) {
      throw withPath(error, checkpoint.store.locate(checkpoint.name))
    } finally {
      opened.close()
    }
  }
  options = givenOptions('restoreCheckpoint', RESTORE_OPTIONS, options)
  checkCheckpoint(checkpoint)
  const { strict = true, verify = true, signal, onProgress, rename, only } = options
  checkAdaptations(rename, only)
  signal?.throwIfAborted()
  const targets: [name: string, target: Stateful, saved: CheckpointState | null][] = [
    [MODEL, model, checkpoint.model],
  ]
  if (optimizer != null) targets.push([OPTIMIZER, optimizer, checkpoint.optimizer])
  for (const [name, extra] of checkExtras(options.extras)) {
    targets.push([name, extra, checkpoint.extras.get(name) ?? null])
  }

  // 1. Compare names, dtypes and shapes of everything.
  const renames = renamesOfAll(checkpoint, rename)
  const adaptations: Adaptations = { renames, convert: options.convert === true, only }
  const pairs: Pair[] = []
  const comparisons: StateComparison[] = []
  for (const [name, target, saved] of targets) {
    const collected = await orAborted(collectState(target, name), signal)
    if (saved === null) {
      checkTarget(target, collected)
      comparisons.push({ missing: [], unexpected: [], mismatched: [], missingStates: [name] })
      continue
    }
    const { pair, comparison } = await matchState(target, collected, saved, adaptations, signal)
    pairs.push(pair)
    comparisons.push(comparison)
  }
  const comparison = mergeComparisons(comparisons)
  const { onWarning = warn } = options
  refuseOrWarn(comparison, pairs, checkpoint, strict, onWarning)
  const given = new Set(targets.map(([name]) => name))
  const unusedStates = checkpoint.states.map(({ name }) => name).filter((name) => !given.has(name))
  // This message already contains the differences of the optimizer.
  const told = new Set(pairs.flatMap(({ fit }) => fit.differences ?? []))
  const warnings = pairs.flatMap(({ saved, fit }) =>
    (fit.warnings ?? [])
      .filter((warning) => !told.has(warning))
      .map((warning) => `${quote(saved.name)}: ${warning}`),
  )
  for (const warning of warnings) onWarning(warning)
  warnOfForgotten(unusedStates, optimizer, options.extras, onWarning)

  // 2. Verify the bytes, each segment once, before any of them is written.
  const readers = new Set<SegmentReader>()
  let tensors = 0
  let byteLength = 0
  for (const { saved } of pairs) {
    for (const [, tensor] of saved) {
      readers.add(tensor.segment())
      tensors++
      byteLength += tensor.byteLength
    }
  }
  let done = 0
  let total = copiedBytes(pairs)
  if (verify) for (const reader of readers) total += reader.byteLength
  const tick = (bytes: number): void => {
    done += bytes
    if (done < total) onProgress?.({ done, total })
  }
  if (verify) {
    for await (const fault of checkSegments(readers, { tick, signal })) throw fault
    await orAborted(checkpoint.checkUnchanged(), signal)
  }

  // 3. Validate the memory that the bytes go into, in its present state.
  const memory = new Map(pairs.map((pair) => [pair, targetsOf(pair)]))
  await checkTargets(memory, signal)
  signal?.throwIfAborted()

  // 4. Objects with a `loadStateDict` may still refuse, so they come first; plain memory cannot refuse.
  await takeOver(pairs, strict, signal)
  await copyTensors(checkpoint, memory, tick, () => onProgress?.({ done: total, total }))
  if (options.readBack !== false) await readBack(pairs, options.readBack === true, signal)
  const { epoch, step, loss } = checkpoint
  const { missing, unexpected, missingStates } = comparison
  return {
    epoch,
    step,
    loss,
    tensors,
    byteLength,
    missing,
    unexpected,
    missingStates,
    unusedStates,
    warnings,
    ...adaptedTensors(checkpoint, pairs, adaptations),
  }
}

/** Throws unless every tensor has memory of its own, which the trainer still uses. */
async function checkTargets(
  memory: ReadonlyMap<Pair, readonly MemoryTarget[]>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const clashes = await orAborted(clashesOf([...memory.values()].flat()), signal)
  if (clashes.length > 0) {
    throw mismatch({ missing: [], unexpected: [], mismatched: clashes, missingStates: [] })
  }
  for (const [{ target: trainer, collected }, targets] of memory) {
    if (!isMemory({ target: trainer })) continue
    for (const { saved, reader, target } of targets) {
      if (!(saved instanceof ConvertedTensor)) reader.checkTarget(target)
    }
    checkSameMemory(targets, await orAborted(collectState(trainer, collected.name), signal))
  }
}

function copiedBytes(pairs: readonly Pair[]): number {
  let bytes = 0
  for (const { saved } of pairs.filter(isMemory)) for (const [, t] of saved) bytes += t.byteLength
  return bytes
}
