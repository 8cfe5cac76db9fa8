/**
 * Finds the newest checkpoint of a folder that verifies, and restores it. A checkpoint that does not verify is set
 * aside, and the next older one is tried. Other processes may save and remove in the meantime.
 */

import { CheckpointError, withPath } from '../errors.js'
import { loadCheckpoint } from '../load/load.js'
import type { OptionNames } from '../options.js'
import { quote } from '../printable.js'
import { restoreCheckpoint } from '../restore/restore.js'
import {
  RESTORE_OPTIONS,
  type RestoreOptions,
  type RestoreReport,
} from '../restore/restore-options.js'
import type { Module, Optimizer } from '../state.js'
import type { CheckpointFolder, SetAside } from './checkpoint-folder.js'
import { type FolderEntry, isDamage, isGone } from './folder-entry.js'

/** Options for reading and restoring a checkpoint. */
export interface ResumeOptions extends RestoreOptions {
  /** Whether the file may be mapped (default true); see `loadCheckpoint`. */
  readonly map?: boolean | undefined
}

/** The names of the options of a resume. */
export const RESUME_OPTIONS: OptionNames<ResumeOptions> = { ...RESTORE_OPTIONS, map: true }

/** What was restored, and which files were skipped. */
export interface ResumeReport extends RestoreReport {
  /** The checkpoint that was restored. */
  readonly path: string
  /** Newer checkpoints that were damaged, newest first. They are set aside, not deleted. */
  readonly skipped: readonly SetAside[]
}

// How often the folder is read again because a file disappeared or was replaced in the meantime. Each time another
// process has saved; a folder where this happens so often cannot be used.
const MAX_LOOKS = 100

/** The result of an attempt to restore one file. */
type Outcome = ResumeReport | 'older' | 'look again'

/**
 * Restores the newest checkpoint of `folder` whose metadata, and all that is restored of it, verifies. Null only if the
 * folder has none. Damaged checkpoints are set aside, with a warning that says why, after an older one has been
 * restored.
 *
 * @throws CheckpointError if the newest cannot be read, has a newer version, or does not fit the model; or if none can
 *   be restored. All files then stay as they are, so that the next attempt fails as well and does not begin a new run
 */
export async function resumeFrom(
  folder: CheckpointFolder,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: ResumeOptions & { readonly onWarning: (message: string) => void },
): Promise<ResumeReport | null> {
  const { map = true, ...restoreOptions } = options
  const warn = options.onWarning
  /** Files that cannot be restored, newest first. Damaged ones have their identity. */
  const failed = new Map<string, { readonly error: CheckpointError; readonly damaged?: string }>()

  const attempt = async (entry: FolderEntry): Promise<Outcome> => {
    const { path } = entry
    const identity = await folder.identify(path)
    if (identity === undefined) return 'look again'
    const fault = entry.kind === 'checkpoint' ? undefined : entry.error
    try {
      if (entry.kind === 'newer version' || (entry.kind === 'unreadable' && !isGone(fault))) {
        throw fault
      }
      if (fault !== undefined && entry.kind !== 'damaged') {
        failed.set(path, { error: fault })
        const what = isGone(fault) ? 'it is a link to a missing file' : fault.message
        warn(`${quote(path)} was left alone: ${what}`)
        return 'older'
      }
      const checkpoint = await loadCheckpoint(path, { map })
      try {
        // The file may have been replaced since the folder was read.
        if (checkpoint.step !== entry.step) return 'look again'
        const report = await restoreCheckpoint(checkpoint, model, optimizer, restoreOptions)
        return { ...report, path, skipped: await setAside() }
      } finally {
        checkpoint.close()
      }
    } catch (error) {
      if (isGone(error)) return 'look again'
      if (!isDamage(error)) throw withPath(error, path)
      // A valid file may have replaced it since it was opened.
      if ((await folder.identify(path)) !== identity) return 'look again'
      failed.set(path, { error: error.withPath(path), damaged: identity })
      return 'older'
    }
  }

  const setAside = async (): Promise<SetAside[]> => {
    const skipped: SetAside[] = []
    for (const [path, { error, damaged }] of failed) {
      if (damaged === undefined) continue
      const aside = await folder.setAside(path, damaged, error)
      skipped.push(aside)
      const where = aside.movedTo === null ? 'left where it is' : `now ${quote(aside.movedTo)}`
      warn(`a damaged checkpoint was skipped (${where}): ${error.message}`)
    }
    return skipped
  }

  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    let outcome: Outcome = 'older'
    const entries = (await folder.read()).reverse()
    for (const entry of entries) {
      if (failed.has(entry.path)) continue
      outcome = await attempt(entry)
      if (outcome !== 'older') break
    }
    if (typeof outcome === 'object') {
      warnOfUnnumbered(entries, outcome, warn)
      return outcome
    }
    if (outcome === 'older') return nothing(folder, failed, warn)
  }
  throw new CheckpointError(
    'CKPT_READ',
    `the checkpoints of the folder change faster than they can be read`,
    {
      path: folder.path,
    },
  )
}

/** Warns of a later step that was skipped because it has no place in the order of saves. */
function warnOfUnnumbered(
  entries: readonly FolderEntry[],
  { path, step }: ResumeReport,
  warn: (message: string) => void,
): void {
  const restored = entries.findIndex((entry) => entry.path === path)
  for (const entry of entries.slice(restored + 1)) {
    if (entry.kind !== 'checkpoint' || entry.step <= step || entry.info.sequence !== null) continue
    warn(
      `resumed from step ${step}; ${quote(entry.path)} is of a later step, but does not say whether ` +
        'it was saved later: to resume from it, restore it with `loadCheckpoint`',
    )
    return
  }
}

/** Returns null for a folder without checkpoints; throws if there are some and none is valid. */
async function nothing(
  folder: CheckpointFolder,
  failed: ReadonlyMap<string, { readonly error: CheckpointError }>,
  warn: (message: string) => void,
): Promise<null> {
  const [newest] = failed.values()
  if (newest === undefined) {
    const aside = await folder.listSetAside()
    if (aside.length > 0) {
      const examples = quote(aside.at(-1)!)
      warn(
        `the folder has no checkpoint but ${aside.length} that were set aside as damaged (${examples}): ` +
          'this is a new run',
      )
    }
    return null
  }
  const { error } = newest
  const { code, path } = error
  throw new CheckpointError(
    code,
    `none of the ${failed.size} checkpoints of ${quote(folder.path)} can be restored; to begin a new ` +
      `run, move them away. The newest: ${error.message}`,
    { cause: error, ...(path === undefined ? {} : { path }) },
  )
}
