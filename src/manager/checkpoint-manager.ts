/**
 * Keeps the checkpoints of a run in a folder: saves when one is due, in the background; removes those
 * that no rule keeps, once a newer one is durable; and finds the newest good one to go on from.
 */

import { messageOf, warn } from '../errors.js'
import { describe } from '../format/attributes.js'
import { nextTurn } from '../io/concurrency.js'
import type { Durability } from '../io/sink.js'
import { pathOf } from '../path.js'
import { quote } from '../printable.js'
import { type BackgroundSave, BackgroundSaver, type WhenBusy } from '../save/background/saver.js'
import type { SaveOptions } from '../save/write.js'
import type { Module, Optimizer } from '../state.js'
import { CheckpointFolder, type CheckpointInfo } from './checkpoint-folder.js'
import { Preemption } from './preemption.js'
import { type ResumeOptions, type ResumeReport, resumeFrom } from './resume.js'
import {
  bestOf,
  checkKeepPolicy,
  discardable,
  type KeepBest,
  type KeepPolicy,
} from './retention.js'
import { checkSaveRules, type SaveRules, SaveSchedule } from './schedule.js'

export type { ResumeOptions, ResumeReport } from './resume.js'

export interface ManagerOptions {
  /** When `save` saves. Without rules it does every time. */
  readonly save?: SaveRules
  /** What stays: `all` (the default), or rules. The one that was saved last always stays. */
  readonly keep?: KeepPolicy
  /**
   * What becomes of a save that is due while the one before is under way: it waits for its turn
   * (`wait`, the default), does not take place (`skip`), or throws CKPT_BUSY (`error`). With `skip`
   * and no rules, the next save begins as soon as the one before is durable.
   */
  readonly whenBusy?: WhenBusy
  /** Memory for saves that are under way, in bytes; see BackgroundSaver. */
  readonly stagingBytes?: number
  /**
   * Signals after which the running step is finished, a checkpoint saved, and the process ended by the
   * signal. True is SIGTERM and SIGINT; false (the default), none; a list names others (`SIGUSR2`).
   * The signal is answered with a warning that says what is waited for; a second one, a second later
   * or more, ends the process at once (or after one more, while the checkpoint is being saved). If you
   * listen to the signal yourself, your listener decides how the process ends. A step that keeps the
   * thread to itself and never ends is reached by no signal. Worker threads get no signals: there
   * anything but false is a TypeError.
   */
  readonly preemption?: boolean | readonly string[]
  /** Called with each warning. Without it, warnings go to `process.emitWarning`. */
  readonly onWarning?: (message: string) => void
}

export interface ManagedSaveOptions extends SaveOptions {
  /** The step that has been taken; the file is named after it. */
  readonly step: number
  /** Saves now, due or not, and waits for its turn whatever `whenBusy` says. */
  readonly force?: boolean
}

// Signals, and what the thread that writes has to say, come when the event loop turns. A trainer that
// never waits for anything gives it no turn, so `save` does, this often, in milliseconds.
const TURN_INTERVAL = 50

export class CheckpointManager implements AsyncDisposable {
  readonly #folder: CheckpointFolder
  readonly #schedule: SaveSchedule
  readonly #always: boolean
  readonly #keep: KeepPolicy
  readonly #whenBusy: WhenBusy
  readonly #saver: BackgroundSaver
  readonly #preemption: Preemption
  readonly #warn: (message: string) => void
  /** The paths that were there when the first step came; what this manager has saved is added. */
  #mine: Promise<Set<string>> | undefined
  #isEmpty = false
  #failure: { readonly error: unknown } | undefined
  #finishing: Promise<void> = Promise.resolve()
  #lastTurn = performance.now()
  #closing: Promise<void> | undefined

  /** The folder is made by the first save. Throws a TypeError or RangeError for wrong options. */
  constructor(folder: string | URL, options: ManagerOptions = {}) {
    const { save, keep = 'all', whenBusy = 'wait', preemption = false, stagingBytes } = options
    if (save !== undefined) checkSaveRules(save)
    checkKeepPolicy(keep)
    if (typeof preemption !== 'boolean' && !Array.isArray(preemption)) {
      throw new TypeError(`preemption must be a boolean or signals, not ${describe(preemption)}`)
    }
    this.#folder = new CheckpointFolder(pathOf(folder))
    this.#always = save === undefined
    this.#schedule = new SaveSchedule(save ?? {}, performance.now())
    this.#keep = keep
    this.#whenBusy = whenBusy
    this.#saver = new BackgroundSaver({
      whenBusy,
      ...(stagingBytes === undefined ? {} : { stagingBytes }),
    })
    this.#warn = options.onWarning ?? warn
    const signals = preemption === true ? (['SIGTERM', 'SIGINT'] as const) : preemption || []
    this.#preemption = new Preemption(signals, this.#warn)
  }

  /** The folder, as it was given. */
  get folder(): string {
    return this.#folder.path
  }

  /** Whether a signal has come after which the run is to end; the next `save` saves, and lets it. */
  get preempted(): boolean {
    return this.#preemption.received !== undefined
  }

  /**
   * To be called after every step, and awaited: saves where a checkpoint is due (or `force` is set,
   * or a signal has come), and resolves to whether it does. When it has resolved, the weights may
   * change again; the file is written in the background. A save that failed there is reported as a
   * warning at once, and thrown by the next call of `save`, `flush` or `close`.
   *
   * After a signal (see `preemption`) it resolves only when the checkpoint is durable, and never if the
   * signal then ends the process.
   *
   * @throws CheckpointError CKPT_BUSY, or as `saveCheckpoint` does
   */
  async save(
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: ManagedSaveOptions,
  ): Promise<boolean> {
    if (this.#closing !== undefined) throw new TypeError('this CheckpointManager has been closed')
    const { force = false, ...saveOptions } = options
    const path = this.#folder.pathOf(options.step)
    const now = performance.now()
    if (this.#saver.busy || now - this.#lastTurn > TURN_INTERVAL) {
      await nextTurn()
      this.#lastTurn = performance.now()
    }
    this.#mine ??= this.#lookAtFolder(options.step)
    const mine = await this.#mine
    const due = this.#schedule.isDue(options.step, now, this.#isEmpty)
    const preempted = await this.#preemption.called()
    // The caller has been warned of earlier failures; they must not prevent this last checkpoint.
    if (!preempted) this.#throwFailure()
    if (!(force || due || this.#always || preempted)) return false
    if (this.#whenBusy !== 'wait' && (force || preempted)) await this.#saver.flush()
    const save = this.#saver.save(path, model, optimizer, saveOptions)
    if (save === null) return false
    mine.add(path)
    const isDurable = this.#finish(path, save)
    // The process lives on if the save fails; `staged` or `#throwFailure` throws then.
    if (preempted) await this.#preemption.saved(await isDurable)
    await save.staged
    this.#schedule.saved(options.step, now)
    if (preempted) this.#throwFailure()
    return true
  }

  /**
   * Restores the newest checkpoint that verifies, what of it is asked for: pass `extras` as you pass
   * them to `save`. Those that do not verify are set aside (renamed to `….damaged`), with a warning
   * that says why, and the one before is tried. Null where there is none. Waits for saves that are
   * under way.
   *
   * @throws CheckpointError where one cannot be read, is of a newer version, or does not fit the model
   */
  async restoreLatest(
    model: Module,
    optimizer?: Optimizer | null,
    options: ResumeOptions = {},
  ): Promise<ResumeReport | null> {
    await this.#finishing
    const withWarnings = { onWarning: this.#warn, ...options }
    return resumeFrom(this.#folder, model, optimizer, withWarnings, withWarnings.onWarning)
  }

  /** The sound checkpoints of the folder, oldest first, by their metadata alone. */
  list(): Promise<CheckpointInfo[]> {
    return this.#folder.list()
  }

  /** The newest of `list`, or null. */
  latest(): Promise<CheckpointInfo | null> {
    return this.#folder.latest()
  }

  /** The best of `list` by a metric (by `keep.best`, where that is set); null where none has it. */
  async best(by?: Omit<KeepBest, 'count'>): Promise<CheckpointInfo | null> {
    const rule = by ?? (this.#keep === 'all' ? undefined : this.#keep.best)
    if (rule === undefined) throw new TypeError('best() needs a metric and a mode, or keep.best')
    const best = { ...rule, count: 1 }
    checkKeepPolicy({ best })
    return bestOf(await this.list(), best)[0] ?? null
  }

  /** Resolves when everything that was begun is durable, or throws what failed. */
  async flush(): Promise<void> {
    await this.#finishing
    this.#throwFailure()
  }

  /**
   * Waits for what is under way, and stops listening to signals; one that has come has its effect
   * now. Throws what failed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await this.#finishing
    await this.#saver.close()
    await this.#preemption.close()
    this.#throwFailure()
  }

  /** What is there already: this run's own from before, or those of a run whose folder it shares. */
  async #lookAtFolder(step: number): Promise<Set<string>> {
    const paths = await this.#folder.newestFirst()
    this.#isEmpty = paths.length === 0
    const newest = paths[0]
    if (newest !== undefined && newest > this.#folder.pathOf(step)) {
      this.#warn(
        `the folder has a later checkpoint, ${quote(newest)}: a run that is resumed goes on from ` +
          `there, and not from step ${step}`,
      )
    }
    return new Set(paths)
  }

  /**
   * What comes after the staging of a save: its end, and the removal of what may go. Resolves to
   * whether it is durable.
   */
  #finish(path: string, save: BackgroundSave): Promise<boolean> {
    const before = this.#finishing
    const run = async (): Promise<boolean> => {
      try {
        await save.staged
      } catch {
        // Thrown by the call of `save` that is still waiting.
        return false
      }
      let durability: Durability
      try {
        durability = (await save.durable).durability
      } catch (error) {
        this.#failure ??= { error }
        this.#warn(`the checkpoint ${quote(path)} was not saved: ${messageOf(error)}`)
        return false
      }
      await before
      try {
        await this.#removeOld(path, durability)
      } catch (error) {
        this.#warn(`old checkpoints could not be removed: ${messageOf(error)}`)
      }
      return true
    }
    const finished = run()
    this.#finishing = Promise.all([before, finished]).then(() => {})
    return finished
  }

  /**
   * Removes what no rule keeps, of what is this manager's: what others save meanwhile is theirs. Where
   * a power cut may undo the save (the folder cannot be synced), the one before it stays for once more.
   */
  async #removeOld(saved: string, durability: Durability): Promise<void> {
    if (this.#keep === 'all') return
    const mine = (await this.#mine) ?? new Set()
    const infos = (await this.#folder.list()).filter(({ path }) => mine.has(path))
    const settled = durability === 'durable' ? infos : infos.filter(({ path }) => path !== saved)
    for (const { path } of discardable(settled, this.#keep, Date.now())) {
      if (path === saved) continue
      await this.#folder.remove(path)
      mine.delete(path)
    }
  }

  #throwFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }
}
