/**
 * Finds the newest checkpoint of a run that verifies, and restores it. A checkpoint that does not verify is set aside,
 * and the next older one is tried. Other processes may save and remove in the meantime. If the run has a mirror, the
 * checkpoints of both places count, and a failure of the mirror alone is a warning.
 */

import { CheckpointError, isCheckpointError, messageOf, withPath } from '../errors.js'
import { isMissing } from '../io/store.js'
import { type LoadOptions, loadCheckpoint } from '../load/load.js'
import type { OptionNames } from '../options.js'
import { quote } from '../printable.js'
import { restoreCheckpoint } from '../restore/restore.js'
import {
  RESTORE_OPTIONS,
  type RestoreOptions,
  type RestoreReport,
} from '../restore/restore-options.js'
import type { Module, Optimizer } from '../state.js'
import { type CheckpointEntry, isDamage } from './checkpoint-entry.js'
import { ordered, type RunCheckpoints, type SetAside } from './run-checkpoints.js'

/** Options for reading and restoring a checkpoint. */
export interface ResumeOptions extends RestoreOptions {
  /** Whether the file may be mapped (default true); see `loadCheckpoint`. */
  readonly map?: boolean | undefined
  /** A folder for local copies of remote checkpoints; see `loadCheckpoint`. */
  readonly cache?: LoadOptions['cache']
}

/** The names of the options of a resume. */
export const RESUME_OPTIONS: OptionNames<ResumeOptions> = {
  ...RESTORE_OPTIONS,
  map: true,
  cache: true,
}

/** What was restored, and which files were skipped. */
export interface ResumeReport extends RestoreReport {
  /** The checkpoint that was restored: its absolute path, or its location in a store without files. */
  readonly path: string
  /** Newer checkpoints that were damaged, newest first. They are set aside, not deleted. */
  readonly skipped: readonly SetAside[]
}

// How often the places are read again because a file disappeared or was replaced in the meantime. Each time another
// process has saved; a place where this happens so often cannot be used.
const MAX_LOOKS = 100

/** The result of an attempt to restore one file. */
type Outcome = Restored | 'older' | 'look again'

/** What was restored, and which file it is. */
export interface Restored {
  readonly report: ResumeReport
  readonly from: PlacedEntry
}

/** A file, and the place that it is in. */
export type PlacedEntry = CheckpointEntry & { readonly place: RunCheckpoints }

/** A file that cannot be restored. Damaged ones are set aside. */
interface Failed {
  readonly error: CheckpointError
  readonly damaged?: PlacedEntry
}

/** Where a run resumes from. */
export interface ResumePlaces {
  readonly own: RunCheckpoints
  /** Its files count as well. If it cannot be used, `own` alone counts, unless that is empty. */
  readonly mirror?: RunCheckpoints | undefined
}

/**
 * Restores the newest checkpoint whose metadata, and all that is restored of it, verifies. Null only if there is none.
 * Damaged checkpoints are set aside, with a warning that says why, after an older one has been restored. Of two equally
 * new ones, that of `own` comes first.
 *
 * @throws CheckpointError if the newest cannot be read, has a newer version, or does not fit the model; or if none can
 *   be restored. All files then stay as they are, so that the next attempt fails as well and does not begin a new run
 */
export async function resumeFrom(
  places: ResumePlaces,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: ResumeOptions & { readonly onWarning: (message: string) => void },
): Promise<Restored | null> {
  const { map = true, cache, ...restoreOptions } = options
  const warn = options.onWarning
  /** Files that cannot be restored by their paths, newest first. */
  const failed = new Map<string, Failed>()

  const attempt = async (entry: PlacedEntry): Promise<Outcome> => {
    const { name, path, place } = entry
    const { store } = place
    let version = entry.version
    try {
      const file = await store.stat(name)
      if (file === undefined) return 'look again'
      version = file.version
      const fault = entry.kind === 'checkpoint' ? undefined : entry.error
      if (entry.kind === 'newer version' || (entry.kind === 'unreadable' && !isMissing(fault))) {
        throw fault
      }
      if (fault !== undefined && entry.kind !== 'damaged') {
        failed.set(path, { error: fault })
        const what = isMissing(fault) ? 'it is a link to a missing file' : fault.message
        warn(`${quote(path)} was left alone: ${what}`)
        return 'older'
      }
      const checkpoint = await loadCheckpoint({ store, name, version }, { map, cache })
      try {
        // The file may have been replaced since the place was read.
        if (checkpoint.step !== entry.step) return 'look again'
        const report = await restoreCheckpoint(checkpoint, model, optimizer, restoreOptions)
        return { report: { ...report, path, skipped: await setAside() }, from: entry }
      } finally {
        checkpoint.close()
      }
    } catch (error) {
      if (isMissing(error)) return 'look again'
      const isChanged = isCheckpointError(error) && error.code === 'CKPT_FILE_CHANGED'
      if (isDamage(error) || isChanged) {
        // A valid file may have replaced it since it was opened.
        const now = await store.stat(name).catch(() => undefined)
        if (now?.version !== version) return 'look again'
      }
      if (isDamage(error)) {
        failed.set(path, { error: error.withPath(path), damaged: { ...entry, version } })
        return 'older'
      }
      if (place === places.mirror && isOfPlace(error)) {
        const fault = withPath(error, path) as CheckpointError
        failed.set(path, { error: fault })
        warn(`a checkpoint of the mirror was passed over: ${fault.message}`)
        return 'older'
      }
      throw withPath(error, path)
    }
  }

  const setAside = async (): Promise<SetAside[]> => {
    const skipped: SetAside[] = []
    for (const { error, damaged } of failed.values()) {
      if (damaged === undefined) continue
      const aside = await damaged.place.setAside(damaged.name, damaged.version, error)
      skipped.push(aside)
      const where = aside.movedTo === null ? 'left where it is' : `now ${quote(aside.movedTo)}`
      warn(`a damaged checkpoint was skipped (${where}): ${error.message}`)
    }
    return skipped
  }

  for (let looks = 0; looks < MAX_LOOKS; looks++) {
    let outcome: Outcome = 'older'
    const entries = (await readPlaces(places, warn)).reverse()
    for (const entry of entries) {
      if (failed.has(entry.path)) continue
      outcome = await attempt(entry)
      if (outcome !== 'older') break
    }
    if (typeof outcome === 'object') {
      warnOfUnnumbered(entries, outcome.report, warn)
      return outcome
    }
    if (outcome === 'older') return nothing(places, failed, warn)
  }
  throw new CheckpointError(
    'CKPT_READ',
    `the checkpoints of the folder change faster than they can be read`,
    {
      path: places.own.store.path,
    },
  )
}

/** The files of both places in one order, oldest first. */
async function readPlaces(
  { own, mirror }: ResumePlaces,
  warn: (message: string) => void,
): Promise<PlacedEntry[]> {
  const placed = (place: RunCheckpoints) => (entry: CheckpointEntry) => ({ ...entry, place })
  const entries = (await own.read()).map(placed(own))
  if (mirror === undefined) return entries
  let mirrored: PlacedEntry[]
  try {
    mirrored = (await mirror.read()).map(placed(mirror))
  } catch (error) {
    const reason = `the mirror ${quote(mirror.store.path)} cannot be read (${messageOf(error)})`
    if (entries.length === 0) {
      throw new CheckpointError(
        'CKPT_READ',
        `the folder has no checkpoint, and ${reason}: make the mirror reachable, or begin a new run without it`,
        { path: own.store.path, cause: error },
      )
    }
    warn(`the run resumes from the folder alone: ${reason}`)
    return entries
  }
  // Of equal ones, the last counts as the newest.
  const both = [...mirrored, ...entries].sort((a, b) => a.step - b.step)
  return ordered(both) as PlacedEntry[]
}

/** Whether an error is about a file or its place, and not about the model. */
function isOfPlace(error: unknown): boolean {
  return !isCheckpointError(error)
    ? false
    : error.code === 'CKPT_READ' || error.code === 'CKPT_FILE_CHANGED'
}

/** Warns of a later step that was skipped because it has no place in the order of saves. */
function warnOfUnnumbered(
  entries: readonly CheckpointEntry[],
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

/** Returns null for places without checkpoints; throws if there are some and none is valid. */
async function nothing(
  { own, mirror }: ResumePlaces,
  failed: ReadonlyMap<string, Failed>,
  warn: (message: string) => void,
): Promise<null> {
  const [newest] = failed.values()
  if (newest === undefined) {
    const mirrored = await mirror?.listSetAside().catch(() => [])
    const aside = [...(await own.listSetAside()), ...(mirrored ?? [])]
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
    `none of the ${failed.size} checkpoints of ${quote(own.store.path)} can be restored; to begin a new ` +
      `run, move them away. The newest: ${error.message}`,
    { cause: error, ...(path === undefined ? {} : { path }) },
  )
}
