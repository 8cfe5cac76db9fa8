/**
 * Compares two checkpoints, and looks for NaN and infinities: `lightwatch-checkpoint/diff`. For Node and browsers.
 * Tensors are read a piece at a time, and only if their checksums differ.
 */

import type { Attribute } from '../format/attributes.js'
import type { DType } from '../format/dtype.js'
import { orAborted } from '../io/concurrency.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { CheckpointState, CheckpointTensor } from '../load/state.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import { type ComparisonHelpers, differencesOf } from './comparison.js'
import type { Difference } from './difference.js'
import { type ValueChange, valueChanges } from './values.js'

export type { Difference } from './difference.js'
export { checkHealth, type HealthOptions, type NonFiniteTensor } from './health.js'
export type { ValueChange } from './values.js'

/** Options of a comparison. */
export interface DiffOptions {
  /**
   * Whether to compare the numbers of changed tensors (default true). False: only checksums are compared, and no tensor
   * is read.
   */
  readonly numbers?: boolean | undefined
  /** Bytes of both files read so far, and in total. */
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const DIFF_OPTIONS: OptionNames<DiffOptions> = { numbers: true, onProgress: true, signal: true }

/** A tensor in one of the two checkpoints. */
export interface TensorFacts {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
}

/** A tensor that differs, or that only one checkpoint has. */
export interface TensorChange {
  readonly name: string
  /**
   * `added`: only the second checkpoint has it. `removed`: only the first has it. Otherwise the first of `shape`,
   * `dtype` and `bytes` that differs.
   */
  readonly change: 'added' | 'removed' | 'shape' | 'dtype' | 'bytes'
  readonly before: TensorFacts | null
  readonly after: TensorFacts | null
  /** The differences of the numbers; null if the numbers of elements differ, or numbers were not compared. */
  readonly difference: Difference | null
}

/** A state that differs, or that only one checkpoint has. */
export interface StateChange {
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed'
  /** The kinds, if they differ: `AdamW`. */
  readonly kind: ValueChange | null
  readonly attributes: readonly ValueChange[]
  /** In the order of the first checkpoint, followed by those that only the second has. */
  readonly tensors: readonly TensorChange[]
  /** Number of tensors that are the same in both. */
  readonly equalTensors: number
}

/** The differences between two checkpoints. */
export interface CheckpointDiff {
  /** Whether both hold the same training: everything but `save` is the same. */
  readonly equal: boolean
  /** `epoch`, `step`, `loss`, `metrics.NAME`. */
  readonly progress: readonly ValueChange[]
  /** By paths in the JSON. The path is empty if one side has no JSON, or invalid JSON. */
  readonly config: readonly ValueChange[]
  /** `sequence` and `savedAt`: facts of the save, not of the training. */
  readonly save: readonly ValueChange[]
  /** States that differ. */
  readonly states: readonly StateChange[]
}

/**
 * Compares two open checkpoints: progress, config, attributes, and tensors by name. Tensors of equal dtype, shape,
 * length and checksum are the same and are not read. The others are read once, in pieces, and their checksums are
 * verified.
 *
 * @throws CheckpointError CKPT_TENSOR_CHECKSUM if the bytes read are damaged; otherwise the errors of a read
 */
export async function diffCheckpoints(
  before: Checkpoint,
  after: Checkpoint,
  options: DiffOptions = {},
): Promise<CheckpointDiff> {
  return diffWith(before, after, options)
}

/**
 * `diffCheckpoints` with other threads, if there are any.
 * @internal
 */
export async function diffWith(
  before: Checkpoint,
  after: Checkpoint,
  options: DiffOptions,
  helpers?: ComparisonHelpers,
): Promise<CheckpointDiff> {
  const given = givenOptions('diffCheckpoints', DIFF_OPTIONS, options)
  const progress = valueChanges(progressOf(before), progressOf(after))
  const config = configChanges(before, after)
  const save = valueChanges(
    { sequence: before.sequence, savedAt: before.savedAt },
    { sequence: after.sequence, savedAt: after.savedAt },
  )
  const states = await stateChanges(before, after, given, helpers)
  const equal = progress.length + config.length + states.length === 0
  return { equal, progress, config, save, states }
}

function progressOf({ epoch, step, loss, metrics }: Checkpoint): Attribute {
  return { epoch, step, loss, metrics }
}

function configChanges(before: Checkpoint, after: Checkpoint): ValueChange[] {
  if (before.configText === after.configText) return []
  try {
    // `undefined` means that this side lacks the value.
    return valueChanges(
      (before.config ?? undefined) as Attribute | undefined,
      (after.config ?? undefined) as Attribute | undefined,
    )
  } catch {
    return valueChanges(before.configText ?? undefined, after.configText ?? undefined)
  }
}

/** A tensor of both checkpoints whose numbers will be compared, and the place for the result. */
interface TensorPair {
  readonly before: CheckpointTensor
  readonly after: CheckpointTensor
  readonly change: { difference: Difference | null }
}

async function stateChanges(
  before: Checkpoint,
  after: Checkpoint,
  { numbers = true, onProgress, signal }: DiffOptions,
  helpers: ComparisonHelpers | undefined,
): Promise<StateChange[]> {
  const pairs: TensorPair[] = []
  const theirs = new Map(after.states.map((state) => [state.name, state]))
  const changes: StateChange[] = []
  for (const state of before.states) {
    changes.push(compareStates(state, theirs.get(state.name), pairs))
    theirs.delete(state.name)
  }
  for (const state of theirs.values()) changes.push(compareStates(undefined, state, pairs))
  const changed = changes.filter(
    ({ change, kind, attributes, tensors }) =>
      change !== 'changed' || kind !== null || attributes.length + tensors.length > 0,
  )
  if (numbers && pairs.length > 0) {
    await orAborted(comparePairs(pairs, onProgress, signal, helpers), signal)
    await orAborted(Promise.all([before.checkUnchanged(), after.checkUnchanged()]), signal)
  }
  return changed
}

/** Pairs of tied tensors are compared once. */
async function comparePairs(
  pairs: readonly TensorPair[],
  onProgress: OnProgress | undefined,
  signal: AbortSignal | undefined,
  helpers: ComparisonHelpers | undefined,
): Promise<void> {
  const known = new Map<string, TensorPair[]>()
  let total = 0
  for (const pair of pairs) {
    const { before, after } = pair
    const key = `${before.segment().offset} ${before.dtype} ${after.segment().offset} ${after.dtype}`
    const same = known.get(key)
    if (same !== undefined) same.push(pair)
    else {
      known.set(key, [pair])
      total += before.byteLength + after.byteLength
    }
  }
  let done = 0
  const tick = (bytes: number): void => {
    signal?.throwIfAborted()
    done += bytes
    if (done < total) onProgress?.({ done, total })
  }
  const distinct = Array.from(known.values(), ([pair]) => [pair!.before, pair!.after] as const)
  const differences = await differencesOf(distinct, tick, helpers)
  for (const [i, same] of [...known.values()].entries()) {
    for (const { change } of same) change.difference = differences[i]!
  }
  onProgress?.({ done: total, total })
}

function compareStates(
  before: CheckpointState | undefined,
  after: CheckpointState | undefined,
  pairs: TensorPair[],
): StateChange {
  const change = before === undefined ? 'added' : after === undefined ? 'removed' : 'changed'
  const [kind = null] = valueChanges(before?.kind ?? undefined, after?.kind ?? undefined, 'kind')
  const tensors: TensorChange[] = []
  let equalTensors = 0
  for (const [name, tensor] of before ?? []) {
    const other = after?.has(name) ? after.get(name) : undefined
    if (other === undefined) {
      tensors.push({
        name,
        change: 'removed',
        before: factsOf(tensor),
        after: null,
        difference: null,
      })
      continue
    }
    const what = whatDiffers(tensor, other)
    if (what === undefined) {
      equalTensors++
      continue
    }
    const changed = {
      name,
      change: what,
      before: factsOf(tensor),
      after: factsOf(other),
      difference: null,
    }
    tensors.push(changed)
    if (what !== 'shape') pairs.push({ before: tensor, after: other, change: changed })
  }
  for (const [name, tensor] of after ?? []) {
    if (before?.has(name)) continue
    tensors.push({ name, change: 'added', before: null, after: factsOf(tensor), difference: null })
  }
  const attributes = valueChanges(before?.attributes ?? {}, after?.attributes ?? {})
  return { name: (before ?? after)!.name, change, kind, attributes, tensors, equalTensors }
}

function whatDiffers(
  a: CheckpointTensor,
  b: CheckpointTensor,
): 'shape' | 'dtype' | 'bytes' | undefined {
  if (a.shape.length !== b.shape.length || a.shape.some((length, i) => length !== b.shape[i])) {
    return 'shape'
  }
  if (a.dtype !== b.dtype) return 'dtype'
  return a.segment().crc32 === b.segment().crc32 ? undefined : 'bytes'
}

function factsOf({ dtype, shape, byteLength }: CheckpointTensor): TensorFacts {
  return { dtype, shape, byteLength }
}
