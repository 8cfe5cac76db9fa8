/** What is found at a path after a save: told to the byte, and by the library's own verification. */

import { readdir, readFile } from 'node:fs/promises'
import { isCheckpointError } from '../../../src/errors.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import { checkpointBytes } from './training.js'

export type Found =
  /** The whole file of that step, and none but that. */
  | number
  | 'absent'
  /** No whole file, and the load says so. */
  | 'damaged'
  /** Something that should not be: bytes and load do not agree. */
  | `${string}, which is wrong`

/** Which file is at the path: that of one of these steps, or what else it is. */
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

/** Why the file is refused, or undefined where it loads and every byte of it is verified. */
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
