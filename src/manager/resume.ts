/**
 * Finds the newest checkpoint of a folder that verifies, and restores it. One that does not is set
 * aside, and the one before is tried. Other processes may save, and remove, in the meantime.
 */

import { CheckpointError, withPath } from '../errors.js'
import { loadCheckpoint } from '../load/load.js'
import { quote } from '../printable.js'
import { type RestoreOptions, type RestoreReport, restoreCheckpoint } from '../restore/restore.js'
import type { Module, Optimizer } from '../state.js'
import type { CheckpointFolder, SetAside } from './checkpoint-folder.js'
import { isDamage, isGone } from './damage.js'

export interface ResumeOptions extends RestoreOptions {
  /** Whether the file may be mapped (default true); see `loadCheckpoint`. */
  readonly map?: boolean
}

export interface ResumeReport extends RestoreReport {
  /** The checkpoint that was restored. */
  readonly path: string
  /** Newer ones that were damaged, newest first: set aside, not deleted. */
  readonly skipped: readonly SetAside[]
}

// How often the folder is looked at again, as a file went or was replaced after it was seen. Each
// time another process has saved in between: a folder in which this happens so often is no folder.
const MAX_LOOKS = 100

/**
 * Restores the newest checkpoint of `folder` whose metadata, and all that is restored of it, verifies.
 * Null where there is none. Those that are damaged are set aside, with a warning that says why.
 *
 * @throws CheckpointError where one cannot be read, is of a newer version, or does not fit the model
 */
export async function resumeFrom(
  folder: CheckpointFolder,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: ResumeOptions,
  warn: (message: string) => void,
): Promise<ResumeReport | null> {
  const { map = true, ...restoreOptions } = options
  const skipped: SetAside[] = []

  /** What became of a file: its report, or undefined and what to do next. */
  const attempt = async (path: string): Promise<ResumeReport | 'older' | 'look again'> => {
    const identity = await folder.identify(path)
    if (identity === undefined) return 'look again'
    try {
      await using checkpoint = await loadCheckpoint(path, { map })
      if (path !== folder.pathOf(checkpoint.step)) {
        warn(`${quote(path)} was left alone: it is a checkpoint of step ${checkpoint.step}`)
        return 'older'
      }
      const report = await restoreCheckpoint(checkpoint, model, optimizer, restoreOptions)
      return { ...report, path, skipped }
    } catch (error) {
      if (isGone(error)) return 'look again'
      if (!isDamage(error)) throw withPath(error, path)
      // Replaced by a whole one since it was opened.
      if ((await folder.identify(path)) !== identity) return 'look again'
      const aside = await folder.setAside(path, identity, error.withPath(path))
      skipped.push(aside)
      const where = aside.movedTo === null ? 'left where it is' : `now ${quote(aside.movedTo)}`
      warn(`a damaged checkpoint was skipped (${where}): ${error.message}`)
      return 'older'
    }
  }

  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    let lookAgain = false
    for (const path of await folder.newestFirst()) {
      // Where it could not be renamed, it is still there.
      if (skipped.some((aside) => aside.path === path)) continue
      const outcome = await attempt(path)
      if (typeof outcome === 'object') return outcome
      lookAgain = outcome === 'look again'
      if (lookAgain) break
    }
    if (!lookAgain) return null
  }
  throw new CheckpointError('CKPT_READ', `the files change faster than they can be read`, {
    path: folder.path,
  })
}
