/** States that tests save to a bucket: each generation has other bytes, of the same length. */

import { saveCheckpoint } from '../../../src/save/save.js'
import { memoryState } from '../memory-state.js'

const MIB = 2 ** 20

/** The least that a server takes for parts that are not the last. */
export const PART = 5 * MIB

/** The name that all saves are to. */
export const NAME = 'step-000000000001.ckpt'

/** What a save asks of the object that is there. */
export type ConditionName = 'none' | 'absent' | 'version'

/**
 * States whose files have one part, three and four; less than 2000 bytes; and two parts, the second of less than 2000
 * bytes.
 */
export type FileName = 'short' | 'long' | 'longer' | 'tiny' | 'tail'
const LENGTHS = {
  short: 10_000,
  long: 2 * PART + 10_000,
  longer: 3 * PART + 10_000,
  tiny: 400,
  tail: PART,
}

const weights = (file: FileName, generation: number): Float32Array =>
  new Float32Array(LENGTHS[file] / 4).fill(generation)

/** Saves the state of a generation: each has other bytes, of the same length. */
export function saveGeneration(
  to: Parameters<typeof saveCheckpoint>[0],
  file: FileName,
  generation: number,
  signal?: AbortSignal,
) {
  const w = weights(file, generation)
  return saveCheckpoint(to, memoryState({ w }), null, { step: generation, signal })
}
