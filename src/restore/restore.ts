/**
 * Restores a checkpoint into a model and an optimizer, all or nothing. Every name, dtype and shape is compared, and
 * every checksum verified, before the first byte is written.
 */

import { CheckpointError, messageOf, warn } from '../errors.js'
import { sameAttributes } from '../format/attributes.js'
import { MODEL, OPTIMIZER, stateName } from '../format/metadata.js'
import { orAborted } from '../io/concurrency.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { SegmentReader, Tick } from '../load/segment.js'
import type { CheckpointState } from '../load/state.js'
import { checkSegments, copySegments } from '../load/verify.js'
import { givenOptions, type OptionNames } from '../options.js'
import { quote } from '../printable.js'
import type { OnProgress } from '../progress.js'
import { collectState } from '../save/collect.js'
import { checkCheckpoint } from '../save/mistakes.js'
import { checkExtras } from '../save/plan.js'
import type { LoadStateOptions, Module, Optimizer, Stateful } from '../state.js'
import {
  compareState,
  comparisonLines,
  mergeComparisons,
  type StateComparison,
  StateMismatchError,
  type TensorKey,
} from './compare.js'
import {
  checkSameMemory,
  checkTarget,
  clashesOf,
  isMemory,
  type MemoryTarget,
  type Pair,
  targetsOf,
} from './targets.js'

/** Options of a restore. */
export interface RestoreOptions {
  /**
   * True (the default): one error lists every key that is missing, unexpected or mismatched, and nothing is restored.
   * Different kinds (SGD, AdamW) are an error, too. False: missing and unexpected keys are skipped and different kinds
   * are ignored, with one warning for all of them. A mismatch of dtype or shape is still an error.
   */
  readonly strict?: boolean | undefined
  /** Other objects to restore, by the names under which they were saved. */
  readonly extras?: { readonly [name: string]: Stateful } | undefined
  /** Whether checksums are verified first (default true). If not, damage in tensors goes unnoticed. */
  readonly verify?: boolean | undefined
  /** Called with each warning. Without it, warnings go to `process.emitWarning`, or the console. */
  readonly onWarning?: ((message: string) => void) | undefined
  /** Progress in bytes. Verifying and copying count separately. */
  readonly onProgress?: OnProgress | undefined
  /** Ends the restore with the signal's reason, whatever it waits for, as long as no byte has been written. */
  readonly signal?: AbortSignal | undefined
}

/** The names of the options of a restore. */
export const RESTORE_OPTIONS: OptionNames<RestoreOptions> = {
  strict: true,
  extras: true,
  verify: true,
  onWarning: true,
  onProgress: true,
  signal: true,
}

/** The result of a restore. */
export interface RestoreReport {
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  /** Number of tensors restored. */
  readonly tensors: number
  /** Their length in bytes. */
  readonly byteLength: number
  /** Tensors that the trainer has and the checkpoint lacks; left as they were. Empty if strict. */
  readonly missing: readonly TensorKey[]
  /** Tensors that the checkpoint has and the trainer lacks; skipped. Empty if strict. */
  readonly unexpected: readonly TensorKey[]
  /** Whole states that the trainer has and the checkpoint lacks. Empty if strict. */
  readonly missingStates: readonly string[]
  /** Whole states of the checkpoint that nothing was passed for: `optimizer`, names of extras. */
  readonly unusedStates: readonly string[]
}

/**
 * Restores a model, and an optimizer and extras if they are given. If an object has no `loadStateDict`, its tensors are
 * plain memory: the bytes are copied straight into the arrays that its `stateDict()` returns. States of the checkpoint
 * that nothing was passed for are skipped with a warning. An optimizer of null, and an object of extras, turn off that
 * warning.
 *
 * @returns what was done, with the progress of the run
 * @throws CheckpointError CKPT_STATE_MISMATCH (a StateMismatchError that lists every key), CKPT_TENSOR_CHECKSUM or
 *   another code for damage, CKPT_TENSOR_CHANGED: nothing was restored. CKPT_RESTORE_INCOMPLETE: after all verification
 *   a `loadStateDict` threw, a read failed or memory was transferred; the error says what was restored
 * @throws TypeError if an object is not a state dict, has no way to take over tensors, or returns copies
 */
export async function restoreCheckpoint(
  checkpoint: Checkpoint,
  model: Module,
  optimizer?: Optimizer | null,
  options: RestoreOptions = {},
): Promise<RestoreReport> {
  options = givenOptions('restoreCheckpoint', RESTORE_OPTIONS, options)
  checkCheckpoint(checkpoint)
  const { strict = true, verify = true, signal, onProgress } = options
  signal?.throwIfAborted()
  const targets: [name: string, target: Stateful, saved: CheckpointState | null][] = [
    [MODEL, model, checkpoint.model],
  ]
  if (optimizer != null) targets.push([OPTIMIZER, optimizer, checkpoint.optimizer])
  for (const [name, extra] of checkExtras(options.extras)) {
    targets.push([name, extra, checkpoint.extras.get(name) ?? null])
  }

  // 1. Compare names, dtypes and shapes of everything.
  const pairs: Pair[] = []
  const comparisons: StateComparison[] = []
  for (const [name, target, saved] of targets) {
    const collected = await orAborted(collectState(target, name), signal)
    checkTarget(target, collected)
    if (saved === null) {
      comparisons.push({ missing: [], unexpected: [], mismatched: [], missingStates: [name] })
      continue
    }
    const createsTensors = target.createsTensors === true && target.loadStateDict !== undefined
    const fit = (await orAborted(Promise.resolve(target.compareStateDict?.(saved)), signal)) ?? {}
    const { renamed = new Map<string, string>(), attributes = saved.attributes } = fit
    const named = fit.renamed || fit.attributes ? saved.renamed(renamed, attributes) : saved
    comparisons.push(compareState(named, collected, createsTensors, fit))
    const refused = new Set(fit.unexpected)
    const wanted = named.filter(
      (key) => (createsTensors || collected.tensors.has(key)) && !refused.has(key),
    )
    pairs.push({ target, collected, saved: wanted, fit })
  }
  const comparison = mergeComparisons(comparisons)
  const { onWarning = warn } = options
  refuseOrWarn(comparison, pairs, checkpoint, strict, onWarning)
  const given = new Set(targets.map(([name]) => name))
  const unusedStates = checkpoint.states.map(({ name }) => name).filter((name) => !given.has(name))
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
  await takeOver(pairs, { strict })
  await copyTensors(checkpoint, memory, tick, () => onProgress?.({ done: total, total }))
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
    for (const { reader, target } of targets) reader.checkTarget(target)
    checkSameMemory(targets, await orAborted(collectState(trainer, collected.name), signal))
  }
}

/**
 * Hands attributes, then whole states, to the objects that take them over. If one of them throws, the attributes are
 * put back. A `loadStateDict` that has succeeded cannot be undone, and the error says so.
 */
async function takeOver(pairs: readonly Pair[], options: LoadStateOptions): Promise<void> {
  const handedOver: Pair[] = []
  const restored: string[] = []
  let current = ''
  try {
    for (const pair of pairs) {
      if (!isMemory(pair) || pair.target.loadAttributes === undefined) continue
      current = `loadAttributes() of ${stateName(pair.saved.name)}`
      handedOver.push(pair)
      await pair.target.loadAttributes(pair.saved.attributes)
    }
    for (const { target, saved } of pairs) {
      if (target.loadStateDict === undefined) continue
      current = `loadStateDict() of ${stateName(saved.name)}`
      await target.loadStateDict(saved.unwritten(), options)
      restored.push(saved.name)
    }
  } catch (cause) {
    for (const { target, collected } of handedOver) {
      try {
        await target.loadAttributes?.(collected.attributes)
      } catch {
        // Most likely the one that threw before; the others must be put back all the same.
      }
    }
    throw incomplete(`the ${current} failed`, restored, cause)
  }
}

/** Copies the tensors of the states in plain memory. */
async function copyTensors(
  checkpoint: Checkpoint,
  memory: ReadonlyMap<Pair, readonly MemoryTarget[]>,
  tick: Tick,
  finished: () => void,
): Promise<void> {
  const restored = [...memory.keys()].filter((pair) => !isMemory(pair)).map((p) => p.saved.name)
  try {
    for (const [pair, targets] of memory) {
      if (!isMemory(pair)) continue
      await copySegments(targets, tick)
      restored.push(pair.saved.name)
    }
    await checkpoint.checkUnchanged()
    finished()
  } catch (cause) {
    throw incomplete('a copy into memory failed', restored, cause)
  }
}

function incomplete(what: string, restored: readonly string[], cause: unknown): CheckpointError {
  const done = restored.length === 0 ? 'nothing' : restored.map(stateName).join(', ')
  return new CheckpointError(
    'CKPT_RESTORE_INCOMPLETE',
    `${what}: ${messageOf(cause)} (restored in full before that: ${done})`,
    { restored, cause },
  )
}

/** Whether the saved attributes differ from the target's, which cannot take them over. */
function losesAttributes({ target, collected, saved }: Pair): boolean {
  return (
    isMemory({ target }) &&
    target.loadAttributes === undefined &&
    !sameAttributes(saved.attributes, collected.attributes)
  )
}

function copiedBytes(pairs: readonly Pair[]): number {
  let bytes = 0
  for (const { saved } of pairs.filter(isMemory)) for (const [, t] of saved) bytes += t.byteLength
  return bytes
}

/** The error for differences: the keys in its lists, and the lines of the message with `more`. */
function mismatch(comparison: StateComparison, more: readonly string[] = []): StateMismatchError {
  const lines = [...comparisonLines(comparison), ...more].join('\n  ')
  const message = `nothing was restored, because the checkpoint does not fit:\n  ${lines}`
  return new StateMismatchError(message, comparison)
}

function refuseOrWarn(
  comparison: StateComparison,
  pairs: readonly Pair[],
  checkpoint: Checkpoint,
  strict: boolean,
  onWarning: (message: string) => void,
): void {
  const more: string[] = []
  if (isSwapped(pairs, checkpoint)) {
    more.push('the model has the tensors of the saved optimizer: are the two arguments swapped?')
  }
  for (const pair of pairs) {
    const { saved, collected, fit } = pair
    const name = quote(saved.name)
    if (saved.kind !== null && collected.kind !== null && saved.kind !== collected.kind) {
      more.push(
        `${name} is ${quote(collected.kind)} here and ${quote(saved.kind)} in the checkpoint`,
      )
    }
    if (losesAttributes(pair)) {
      more.push(`${name} has other attributes, and no loadAttributes() to restore them`)
    }
    for (const difference of fit.differences ?? []) more.push(`${name}: ${difference}`)
  }
  const lines = [...comparisonLines(comparison), ...more]
  if (lines.length === 0) return
  if (strict || comparison.mismatched.length > 0) throw mismatch(comparison, more)
  onWarning(`not everything was restored from the checkpoint:\n  ${lines.join('\n  ')}`)
}

/** Whether the given model has the names of the checkpoint's optimizer, and none of its model. */
function isSwapped(pairs: readonly Pair[], { model, optimizer }: Checkpoint): boolean {
  const names = [
    ...(pairs.find(({ saved }) => saved.name === MODEL)?.collected.tensors.keys() ?? []),
  ]
  return (
    names.length > 0 &&
    names.every((name) => optimizer?.has(name)) &&
    !names.some((name) => model.has(name))
  )
}

/**
 * Warns of states of the checkpoint that the caller did not mention. An optimizer of null and an object of extras mean
 * that the rest should be skipped.
 */
function warnOfForgotten(
  unused: readonly string[],
  optimizer: unknown,
  extras: unknown,
  onWarning: (message: string) => void,
): void {
  const forgotten = unused.filter((name) =>
    name === OPTIMIZER ? optimizer === undefined : extras === undefined,
  )
  if (forgotten.length === 0) return
  onWarning(
    `the checkpoint has states that are not restored: ${forgotten.map(quote).join(', ')}. Pass them as ` +
      'the optimizer and in extras; pass null and extras: {} to skip them without this warning',
  )
}
