/**
 * Passes what was compared and verified to the trainer: attributes and whole states to the objects that take them over,
 * bytes into memory.
 */

import { CheckpointError, messageOf } from '../errors.js'
import { stateName } from '../format/metadata.js'
import { orAborted } from '../io/concurrency.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { copySegments } from '../load/copy.js'
import type { Tick } from '../load/segment.js'
import { isThenable } from '../save/steps.js'
import { ConvertedTensor } from './converted-tensor.js'
import { isMemory, type MemoryTarget, type Pair } from './targets.js'

// Time that a trainer has to settle after an abort, in milliseconds.
const GRACE = 1000

/**
 * Passes attributes, then whole states, to the objects that take them over. If one of them throws, the attributes are
 * put back. A `loadStateDict` that has succeeded cannot be undone; the error says so. An abort ends the wait for a
 * `loadStateDict` that never settles; how much of its state it takes over is unknown.
 */
export async function takeOver(
  pairs: readonly Pair[],
  strict: boolean,
  signal: AbortSignal | undefined,
): Promise<void> {
  const handedOver: Pair[] = []
  const restored: string[] = []
  let current = ''
  try {
    for (const pair of pairs) {
      if (!isMemory(pair) || pair.isPart || pair.target.loadAttributes === undefined) continue
      current = `loadAttributes() of ${stateName(pair.saved.name)}`
      handedOver.push(pair)
      await answer(pair.target.loadAttributes(pair.saved.attributes), signal)
    }
    for (const { target, saved, isPart } of pairs) {
      if (target.loadStateDict === undefined) continue
      current = `loadStateDict() of ${stateName(saved.name)}`
      await answer(target.loadStateDict(saved.unwritten(), { strict: strict && !isPart }), signal)
      restored.push(saved.name)
    }
  } catch (cause) {
    for (const { target, collected } of handedOver) {
      try {
        await answer(target.loadAttributes?.(collected.attributes), signal)
      } catch {
        // This is probably the object that threw. The others must be put back in any case.
      }
    }
    if (!signal?.aborted) throw incomplete(`the ${current} failed`, restored, cause)
    const what =
      `the restore was aborted during ${current}, which may have taken over nothing, a part or all of its ` +
      'state, and may still go on: create the object anew, and restore again'
    throw incomplete(what, restored, cause)
  }
}

/**
 * Waits for a trainer's answer if it is a promise. An abort ends the wait GRACE milliseconds later, so that a restore
 * that finishes by then leaves no half-restored trainer.
 */
export async function answer<T>(
  given: T | PromiseLike<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!isThenable(given)) return given
  if (signal === undefined) return await given
  const late = new AbortController()
  let timer: ReturnType<typeof setTimeout> | undefined
  const abort = (): void => {
    timer = setTimeout(() => late.abort(signal.reason), GRACE)
  }
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort)
  try {
    return await orAborted(given, late.signal)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', abort)
  }
}

/** Copies the tensors of the states in plain memory. */
export async function copyTensors(
  checkpoint: Checkpoint,
  memory: ReadonlyMap<Pair, readonly MemoryTarget[]>,
  tick: Tick,
  finished: () => void,
): Promise<void> {
  const restored = [...memory.keys()].filter((pair) => !isMemory(pair)).map((p) => p.saved.name)
  try {
    for (const [pair, targets] of memory) {
      if (!isMemory(pair)) continue
      await copySegments(
        targets.filter(({ saved }) => !(saved instanceof ConvertedTensor)),
        tick,
      )
      for (const { saved, target } of targets) {
        if (!(saved instanceof ConvertedTensor)) continue
        await saved.readInto(target)
        tick(saved.byteLength)
      }
      restored.push(pair.saved.name)
    }
    await checkpoint.checkUnchanged()
    finished()
  } catch (cause) {
    throw incomplete('a copy into memory failed', restored, cause)
  }
}

/** The error of a restore that failed or was aborted after the first byte was written. It says what was restored. */
export function incomplete(
  what: string,
  restored: readonly string[],
  cause: unknown,
): CheckpointError {
  const done = restored.length === 0 ? 'nothing' : restored.map(stateName).join(', ')
  return new CheckpointError(
    'CKPT_RESTORE_INCOMPLETE',
    `${what}: ${messageOf(cause)} (restored in full before that: ${done})`,
    { restored, cause },
  )
}
