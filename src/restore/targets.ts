/**
 * The trainer's memory that a restore will write. Before the first byte is written, it validates that each tensor has
 * memory of its own, and that the model still uses that memory.
 */

import { stateName } from '../format/metadata.js'
import { haveSameBytes, type SegmentTarget } from '../load/copy.js'
import type { CheckpointState, CheckpointTensor } from '../load/state.js'
import { quote } from '../printable.js'
import type { CollectedState } from '../save/collect.js'
import type { StateFit, Stateful } from '../state.js'
import { keyText, type TensorMismatch } from './compare.js'
import { ConvertedTensor } from './converted-tensor.js'

/** A state of the checkpoint and the object that it is restored into. */
export interface Pair {
  readonly target: Stateful
  readonly collected: CollectedState
  /** Only the tensors that will be restored, under their current names. */
  readonly saved: CheckpointState
  readonly fit: StateFit
  /** Whether the rest of the state is left aside. */
  readonly isPart: boolean
}

/** A tensor in plain memory, and the segment that is copied there. */
export interface MemoryTarget extends SegmentTarget {
  readonly state: string
  readonly tensor: string
  readonly saved: CheckpointTensor
}

/** Whether a restore copies into the state's memory, because the object has no `loadStateDict`. */
export function isMemory({ target }: Pick<Pair, 'target'>): boolean {
  return target.loadStateDict === undefined
}

/** The tensors of a state in plain memory, in the order of the file; none for other states. */
export function targetsOf(pair: Pair): MemoryTarget[] {
  if (!isMemory(pair)) return []
  const { collected, saved } = pair
  return Array.from(saved, ([tensor, loaded]) => ({
    state: saved.name,
    tensor,
    saved: loaded,
    reader: loaded.segment(),
    target: collected.tensors.get(tensor)!.bytes!,
  }))
}

/** Throws a TypeError if a tensor is not plain memory and the object has no `loadStateDict`. */
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
 * Throws a TypeError if a second call of `stateDict()` returns other memory. Either it returns copies, or the model has
 * changed its arrays since. What is restored into the first arrays would not reach the model.
 */
export function checkSameMemory(targets: readonly MemoryTarget[], again: CollectedState): void {
  for (const { state, tensor, target } of targets) {
    const now = again.tensors.get(tensor)?.bytes
    if (target.byteLength === 0 && now?.byteLength === 0) continue
    if (now?.buffer === target.buffer && now.byteOffset === target.byteOffset) continue
    throw new TypeError(
      `nothing was restored: the stateDict() of ${stateName(state)} gave other memory for ${quote(tensor)} when it ` +
        'was called again, so a copy into it would not reach the model. Return the arrays that ' +
        'the model itself uses, not copies of them, or add a loadStateDict()',
    )
  }
}

/**
 * Tensors whose memory overlaps in the trainer and whose bytes differ in the checkpoint, so that one would overwrite
 * the other. Tied weights, whose bytes agree, are not among them.
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
    // Of tensors that agree over the same memory, one is enough.
    const last = before.at(-1)
    if (last === undefined || !sameRange(last, one)) before.push(one)
  }
  return clashes
}

function sameRange({ target: a }: MemoryTarget, { target: b }: MemoryTarget): boolean {
  return a.byteOffset === b.byteOffset && a.byteLength === b.byteLength
}

/** Whether the checkpoint has the same bytes for the memory that two targets share. `b` starts within `a`. */
async function agree(a: MemoryTarget, b: MemoryTarget): Promise<boolean> {
  const start = b.target.byteOffset - a.target.byteOffset
  const isConverted = [a, b].some(({ saved }) => saved instanceof ConvertedTensor)
  if (a.reader === b.reader && start === 0) {
    return a.saved.dtype === b.saved.dtype
  }
  // Their bytes in the file say nothing of those in memory.
  if (isConverted) return false
  const length = Math.min(a.target.byteLength - start, b.target.byteLength)
  return haveSameBytes({ reader: a.reader, start }, { reader: b.reader, start: 0 }, length)
}
