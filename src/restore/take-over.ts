/**
 * Hands what was compared and verified to the trainer: attributes and whole states to those who take them over,
 * bytes into memory.
 */

import { CheckpointError, messageOf } from '../errors.js'
import { stateName } from '../format/metadata.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { Tick } from '../load/segment.js'
import { copySegments } from '../load/verify.js'
import { ConvertedTensor } from './converted-tensor.js'
import { isMemory, type MemoryTarget, type Pair } from './targets.js'

/**
 * Hands attributes, then whole states, to the objects that take them over. If one of them throws, the attributes are
 * put back. A `loadStateDict` that has succeeded cannot be undone, and the error says so.
 */
export async function takeOver(pairs: readonly Pair[], strict: boolean): Promise<void> {
  const handedOver: Pair[] = []
  const restored: string[] = []
  let current = ''
  try {
    for (const pair of pairs) {
      if (!isMemory(pair) || pair.isPart || pair.target.loadAttributes === undefined) continue
      current = `loadAttributes() of ${stateName(pair.saved.name)}`
      handedOver.push(pair)
      await pair.target.loadAttributes(pair.saved.attributes)
    }
    for (const { target, saved, isPart } of pairs) {
      if (target.loadStateDict === undefined) continue
      current = `loadStateDict() of ${stateName(saved.name)}`
      await target.loadStateDict(saved.unwritten(), { strict: strict && !isPart })
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

function incomplete(what: string, restored: readonly string[], cause: unknown): CheckpointError {
  const done = restored.length === 0 ? 'nothing' : restored.map(stateName).join(', ')
  return new CheckpointError(
    'CKPT_RESTORE_INCOMPLETE',
    `${what}: ${messageOf(cause)} (restored in full before that: ${done})`,
    { restored, cause },
  )
}
