/**
 * Compares a checkpoint with the objects that it will be restored into: which keys are missing, which are unexpected,
 * and which do not match. It reads and writes no tensors.
 */

import { CheckpointError } from '../errors.js'
import { stateName } from '../format/metadata.js'
import type { CheckpointState } from '../load/state.js'
import { quote } from '../printable.js'
import type { CollectedState } from '../save/collect.js'
import type { StateFit } from '../state.js'

/** A tensor by its state (`model`, `optimizer` or the name of an extra) and its name. */
export interface TensorKey {
  readonly state: string
  readonly tensor: string
}

/** A tensor whose dtype or shape differs, or whose memory overlaps another tensor's. */
export interface TensorMismatch extends TensorKey {
  /** What the trainer has: `float32 [10, 32]`, `the same memory as model: "embed"`. */
  readonly expected: string
  /** What the checkpoint has. */
  readonly actual: string
}

/** The differences between a checkpoint and the trainer, by key. All lists are empty if it fits. */
export interface StateComparison {
  /** Tensors that the trainer has and the checkpoint lacks. */
  readonly missing: readonly TensorKey[]
  /** Tensors that the checkpoint has and the trainer lacks. */
  readonly unexpected: readonly TensorKey[]
  readonly mismatched: readonly TensorMismatch[]
  /** Whole states that the trainer has and the checkpoint lacks; their tensors are not listed. */
  readonly missingStates: readonly string[]
}

/** CKPT_STATE_MISMATCH: the checkpoint does not fit the objects that it should be restored into. */
export class StateMismatchError extends CheckpointError implements StateComparison {
  readonly missing: readonly TensorKey[]
  readonly unexpected: readonly TensorKey[]
  readonly mismatched: readonly TensorMismatch[]
  readonly missingStates: readonly string[]

  constructor(message: string, comparison: StateComparison) {
    super('CKPT_STATE_MISMATCH', message)
    this.missing = comparison.missing
    this.unexpected = comparison.unexpected
    this.mismatched = comparison.mismatched
    this.missingStates = comparison.missingStates
  }
}

/**
 * Compares one state, under the current names of its tensors. `createsTensors`: the trainer accepts tensors that it
 * does not list yet. `fit` is the trainer's own comparison.
 */
export function compareState(
  saved: CheckpointState,
  target: CollectedState,
  createsTensors: boolean,
  fit: StateFit = {},
): StateComparison {
  const state = saved.name
  const missing = new Set(fit.missing)
  const unexpected = new Set(fit.unexpected)
  const dropped = new Set(fit.dropped)
  const mismatched = new Map<string, TensorMismatch>()
  for (const { name, expected, actual } of fit.mismatched ?? []) {
    mismatched.set(name, { state, tensor: name, expected, actual })
  }
  for (const [name, tensor] of target.tensors) {
    if (!saved.has(name)) {
      if (!dropped.has(name)) missing.add(name)
      continue
    }
    const expected = typeAndShape(tensor)
    const actual = typeAndShape(saved.get(name))
    if (expected !== actual) mismatched.set(name, { state, tensor: name, expected, actual })
  }
  if (!createsTensors) {
    for (const name of saved.keys()) {
      if (!target.tensors.has(name)) unexpected.add(name)
    }
  }
  const keys = (names: ReadonlySet<string>): TensorKey[] =>
    Array.from(names, (tensor) => ({ state, tensor })).filter(
      ({ tensor }) => !mismatched.has(tensor),
    )
  return {
    missing: keys(missing),
    unexpected: keys(unexpected),
    mismatched: [...mismatched.values()],
    missingStates: [],
  }
}

/** One comparison of all states, in the order of `parts`. */
export function mergeComparisons(parts: readonly StateComparison[]): StateComparison {
  return {
    missing: parts.flatMap((part) => part.missing),
    unexpected: parts.flatMap((part) => part.unexpected),
    mismatched: parts.flatMap((part) => part.mismatched),
    missingStates: parts.flatMap((part) => part.missingStates),
  }
}

/** The comparison in words, one line for each key; empty if everything fits. */
export function comparisonLines(comparison: StateComparison): string[] {
  return [
    ...comparison.missingStates.map((s) => `missing from the checkpoint: all of ${quote(s)}`),
    ...comparison.missing.map((k) => `missing from the checkpoint: ${keyText(k)}`),
    ...comparison.unexpected.map((k) => `unexpected in the checkpoint: ${keyText(k)}`),
    ...comparison.mismatched.map(
      (k) => `mismatched: ${keyText(k)} is ${k.expected} here and ${k.actual} in the checkpoint`,
    ),
  ]
}

/** A tensor by its state and name, for a message. */
export function keyText({ state, tensor }: TensorKey): string {
  return `${stateName(state)}: ${quote(tensor)}`
}

function typeAndShape(tensor: { dtype: string; shape: readonly number[] }): string {
  return `${tensor.dtype} [${tensor.shape.join(', ')}]`
}
