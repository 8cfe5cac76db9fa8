/**
 * The trainer's memory that a restore is going to write: whether each tensor has memory of its own, which
 * the model still uses. Looked at before the first byte is written.
 */

import { stateName } from '../format/metadata.js'
import type { CheckpointState } from '../load/state.js'
import { haveSameBytes, type SegmentTarget } from '../load/verify.js'
import { quote } from '../printable.js'
import type { CollectedState } from '../save/collect.js'
import type { StateFit, Stateful } from '../state.js'
import { keyText, type TensorMismatch } from './compare.js'

/** A state of the checkpoint and what it goes into. */
export interface Pair {
  readonly target: Stateful
  readonly collected: CollectedState
  /** Only those tensors that are to be restored, under the names that they have here. */
  readonly saved: CheckpointState
  readonly fit: StateFit
}

/** A tensor of a state that is plain memory, and where it goes. */
export interface MemoryTarget extends SegmentTarget {
  readonly state: string
  readonly tensor: string
}

/** Whether a restore copies into the state's memory, because nothing of the trainer's takes the state over. */
export function isMemory({ target }: Pick<Pair, 'target'>): boolean {
  return target.loadStateDict === undefined
}

/** The tensors of a state that is plain memory, in the order of the file. None of another state. */
export function targetsOf(pair: Pair): MemoryTarget[] {
  if (!isMemory(pair)) return []
  const { collected, saved } = pair
  return Array.from(saved, ([tensor, loaded]) => ({
    state: saved.name,
    tensor,
    reader: loaded.segment(),
    target: collected.tensors.get(tensor)!.bytes!,
  }))
}

/** Throws a TypeError unless there is a way for tensors into the target. */
export function checkTarget(target: Stateful, collected: CollectedState): void {
  if (!isMemory({ target })) return
  for (const { name, bytes } of collected.tensors.values()) {
    if (bytes === undefined) {
      throw new TypeError(
        `${stateName(collected.name)} needs a loadStateDict() to be restored: ` +
          `its tensor ${quote(name)} is fetched by a function and is not plain memory`,
      )
    }
  }
}

/**
 * Throws a TypeError if `stateDict()` names other memory when it is asked again: it returns copies, or the
 * model has changed its arrays since, and what is restored into the first ones would not reach the model.
 */
export function checkSameMemory(targets: readonly MemoryTarget[], again: CollectedState): void {
  for (const { state, tensor, target } of targets) {
    const now = again.tensors.get(tensor)?.bytes
    if (target.byteLength === 0 && now?.byteLength === 0) continue
    if (now?.buffer === target.buffer && now.byteOffset === target.byteOffset) continue
    throw new TypeError(
      `nothing was restored: the stateDict() of ${stateName(state)} named other memory for ${quote(tensor)} when it ` +
        'was asked again, so that what is copied there does not reach the model. Return the arrays that ' +
        'the model itself uses, not copies of them, or add a loadStateDict()',
    )
  }
}

/**
 * Tensors that share memory here, in part or whole, and have different bytes in the checkpoint: what is
 * written last would overwrite the other. Bytes that agree are no mismatch, such as those of tied weights.
 */
export async function clashesOf(targets: readonly MemoryTarget[]): Promise<TensorMismatch[]> {
  const numbers = new Map<ArrayBufferLike, number>()
  for (const { target } of targets)
    numbers.set(target.buffer, numbers.get(target.buffer) ?? numbers.size)
  const place = ({ target }: MemoryTarget) => numbers.get(target.buffer)!
  const sorted = targets
    .filter(({ target }) => target.byteLength > 0)
    .sort((a, b) => place(a) - place(b) || a.target.byteOffset - b.target.byteOffset)
  const clashes: TensorMismatch[] = []
  let before: MemoryTarget[] = []
  for (const one of sorted) {
    const start = one.target.byteOffset
    before = before.filter(
      ({ target }) =>
        target.buffer === one.target.buffer && target.byteOffset + target.byteLength > start,
    )
    for (const other of before) {
      if (await agree(other, one)) continue
      clashes.push({
        state: one.state,
        tensor: one.tensor,
        expected: `the same memory as ${keyText(other)}`,
        actual: 'other bytes than it',
      })
    }
    // Of those that agree over the same memory one stands for all.
    const last = before.at(-1)
    if (last === undefined || !sameRange(last, one)) before.push(one)
  }
  return clashes
}

function sameRange({ target: a }: MemoryTarget, { target: b }: MemoryTarget): boolean {
  return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength
}

/** Whether the checkpoint has the same bytes for the memory that two targets share; `b` starts in `a`. */
async function agree(a: MemoryTarget, b: MemoryTarget): Promise<boolean> {
  const start = b.target.byteOffset - a.target.byteOffset
  if (a.reader === b.reader && start === 0) return true
  const length = Math.min(a.target.byteLength - start, b.target.byteLength)
  return haveSameBytes({ reader: a.reader, start }, { reader: b.reader, start: 0 }, length)
}
