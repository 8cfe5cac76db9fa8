/** Folders with checkpoints of a small model, made without a manager. */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { saveCheckpoint } from '../../../src/save/save.js'
import { flipBits, positionOf } from '../saved.js'

/** A model of one tensor, whose first element is the step. */
export const smallModel = (step = 0) => {
  const data = Float32Array.of(step, 0.1, 0.2, 0.3)
  return { data, stateDict: () => ({ w: { shape: [4], data } }) }
}

export const fileName = (step: number): string => `step-${String(step).padStart(12, '0')}.ckpt`

/** Saves a checkpoint of each of the steps, with the step as its loss. */
export async function saveSteps(folder: string, ...steps: readonly number[]): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (const step of steps) {
    await saveCheckpoint(join(folder, fileName(step)), smallModel(step), null, { step, loss: step })
  }
}

/** Damages the tensor of a checkpoint, or its metadata. */
export async function damage(
  folder: string,
  step: number,
  what: 'tensor' | 'metadata' = 'tensor',
): Promise<void> {
  const path = join(folder, fileName(step))
  const bytes = await readFile(path)
  flipBits(bytes, what === 'tensor' ? positionOf(bytes, smallModel(step).data) : 100)
  await writeFile(path, bytes)
}
