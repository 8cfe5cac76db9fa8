/** The options of a manager and of its saves. */

import { warn } from '../errors.js'
import { describe } from '../format/attributes.js'
import { type CheckpointStore, isStore } from '../io/store.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { WhenBusy } from '../save/background/saver.js'
import { SAVE_OPTIONS, type SaveOptions } from '../save/write.js'
import { checkKeepPolicy, type KeepPolicy } from './keep-policy.js'
import type { SavedReport } from './saved-report.js'
import { checkSaveRules, type SaveRules } from './schedule.js'

/** When to save, what to keep, and how. Every option may be absent. */
export interface ManagerOptions {
  /** Rules for when `save` saves. Without rules it saves every time. */
  readonly save?: SaveRules | undefined
  /** Which checkpoints stay: `all` (the default), or rules. The last saved one always stays. */
  readonly keep?: KeepPolicy | undefined
  /**
   * What to do with a save that is due while an earlier one is under way. `wait` (the default): it is saved after the
   * earlier one. `skip`: it does not take place. `error`: it throws CKPT_BUSY. With `skip` and no rules, the next save
   * begins as soon as the earlier one is durable.
   */
  readonly whenBusy?: WhenBusy | undefined
  /** Memory for saves under way, in bytes; see BackgroundSaver. */
  readonly stagingBytes?: number | undefined
  /**
   * Signals that end the process after the current step: the manager saves a checkpoint, and then the signal takes
   * effect. True means SIGTERM and SIGINT; false (the default) none; a list names others (`SIGUSR2`).
   *
   * The manager answers a signal with a warning that says what it waits for. A second signal, at least a second later,
   * ends the process at once; while the checkpoint is being saved, only a third does. If you listen to the signal
   * yourself, your listener decides how the process ends. A step that blocks the thread for ever receives no signals.
   * Worker threads never receive signals; there, any value but false is a TypeError.
   */
  readonly preemption?: boolean | readonly string[] | undefined
  /**
   * Whether `close` saves the step that `save` was last called with, if that was not saved (default false). The weights
   * must still be those of that step.
   */
  readonly saveOnClose?: boolean | undefined
  /**
   * Called with each checkpoint once it is durable, in order. If it returns a promise, `flush`, `close` and the removal
   * of old checkpoints wait for it. An error in it becomes a warning.
   */
  readonly onSaved?: ((report: SavedReport) => unknown) | undefined
  /**
   * A second place, such as a bucket: each checkpoint that is durable is copied there in the background. `restoreLatest`
   * restores the newest good one of both places. A failure of the mirror is a warning and never disturbs the training;
   * what the mirror lacks (`unmirrored`) is tried again with the next checkpoint. `close` waits for uploads, and so does
   * a signal that ends the run. Uploads run on the caller's thread.
   */
  readonly mirror?: CheckpointStore | MirrorOptions | undefined
  /** Called with each warning. Without it, warnings go to `process.emitWarning`. */
  readonly onWarning?: ((message: string) => void) | undefined
}

/** A mirror with rules of its own. */
export interface MirrorOptions {
  readonly store: CheckpointStore
  /** Which checkpoints stay in the mirror (default: what `keep` of the manager says). */
  readonly keep?: KeepPolicy | undefined
}

const MIRROR_OPTIONS: OptionNames<MirrorOptions> = { store: true, keep: true }

const MANAGER_OPTIONS: OptionNames<ManagerOptions> = {
  save: true,
  keep: true,
  whenBusy: true,
  stagingBytes: true,
  preemption: true,
  saveOnClose: true,
  onSaved: true,
  mirror: true,
  onWarning: true,
}

/** What a manager needs with each step. It sets the number and the time of a save itself. */
export interface ManagedSaveOptions extends Omit<SaveOptions, 'sequence'> {
  /** The step that was taken. The file is named after it. */
  readonly step: number
  /** Saves now, due or not, and waits for earlier saves whatever `whenBusy` says. */
  readonly force?: boolean | undefined
}

const { sequence: _, ...GIVEN_TO_A_SAVE } = SAVE_OPTIONS
/** The names of the options of a managed save. */
export const MANAGED_SAVE_OPTIONS: OptionNames<ManagedSaveOptions> = {
  ...GIVEN_TO_A_SAVE,
  force: true,
}

/**
 * The options that a caller gave, with the defaults of absent ones. Throws a TypeError or RangeError for wrong ones. The
 * saver checks `whenBusy` and `stagingBytes`.
 */
export function managerOptions(given: ManagerOptions) {
  const options = givenOptions('CheckpointManager', MANAGER_OPTIONS, given)
  const { save, keep = 'all', whenBusy = 'wait', preemption = false, stagingBytes } = options
  if (save !== undefined) checkSaveRules(save)
  checkKeepPolicy(keep)
  if (typeof preemption !== 'boolean' && !Array.isArray(preemption)) {
    throw new TypeError(`preemption must be a boolean or signals, not ${describe(preemption)}`)
  }
  const { saveOnClose = false, onSaved } = options
  if (typeof saveOnClose !== 'boolean') {
    throw new TypeError(`saveOnClose must be true or false, not ${describe(saveOnClose)}`)
  }
  if (onSaved !== undefined && typeof onSaved !== 'function') {
    throw new TypeError(`onSaved must be a function, not ${describe(onSaved)}`)
  }
  const signals = preemption === true ? (['SIGTERM', 'SIGINT'] as const) : preemption || []
  const { onWarning = warn } = options
  const mirror = mirrorOptions(options.mirror, keep)
  return { save, keep, whenBusy, stagingBytes, signals, saveOnClose, onSaved, mirror, onWarning }
}

function mirrorOptions(given: ManagerOptions['mirror'], keep: KeepPolicy) {
  if (given === undefined) return undefined
  if (isStore(given)) return { store: given, keep }
  const options = givenOptions('mirror', MIRROR_OPTIONS, given)
  if (!isStore(options.store)) {
    throw new TypeError(`expected a store as the mirror, found ${describe(options.store)}`)
  }
  const rules = options.keep ?? keep
  checkKeepPolicy(rules)
  return { store: options.store, keep: rules }
}
