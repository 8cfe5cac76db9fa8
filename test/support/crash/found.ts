/** The content of a path after a save: compared byte for byte, and verified by the library. */

import { readdir, readFile } from 'node:fs/promises'
import { isCheckpointError } from '../../../src/errors.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { checkpointBytes } from './training.js'

export type Found =
  /** The whole file of exactly that step. */
  | number
  | 'absent'
  /** Not a whole file, and the load rejects it. */
  | 'damaged'
  /** A fault: the bytes and the load disagree. */
  | `${string}, which is wrong`

/** The file at the path: that of one of these steps, or something else. */
export async function whichStep(path: string, steps: readonly number[]): Promise<Found> {
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 'absent'
    throw error
  }
  const fault = await loadFault(path)
  for (const step of steps) {
    if (!bytes.equals(await checkpointBytes(step))) continue
    return fault === undefined ? step : `whole, and refused (${fault}), which is wrong`
  }
  return fault === undefined ? 'torn, and taken for whole, which is wrong' : 'damaged'
}

/** The reason for a refusal; undefined if the file loads and every byte of it is verified. */
export async function loadFault(path: string): Promise<string | undefined> {
  try {
    await using checkpoint = await loadCheckpoint(path, { map: false })
    await checkpoint.verify()
    return undefined
  } catch (error) {
    if (!isCheckpointError(error)) throw error
    return error.message
  }
}

/** The names of temporary files in a folder, which need not exist. */
export async function temporaryFiles(folder: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => [])
  return names.filter((name) => name.endsWith('.tmp'))
}
