/**
 * Keeps the checkpoints of a run in a folder: saves when one is due, in the background; removes those
 * that no rule keeps, once a newer one is durable; and finds the newest good one to go on from.
 */

import { BackgroundSaver, type WhenBusy } from '../background/background-saver.js'
import { CheckpointError, quote } from '../error.js'
import { describe } from '../format/attributes.js'
import { loadCheckpoint, pathOf } from '../load.js'
import { type RestoreOptions, type RestoreReport, restoreCheckpoint } from '../restore.js'
import { nextTurn } from '../segment-reader.js'
import type { Module, Optimizer } from '../state.js'
import { warn } from '../warning.js'
import type { SaveOptions } from '../write-checkpoint.js'
import { CheckpointFolder, type CheckpointInfo, type SetAside } from './checkpoint-folder.js'
import { Preemption } from './preemption.js'
import {
  bestOf,
  checkKeepPolicy,
  discardable,
  type KeepBest,
  type KeepPolicy,
} from './retention.js'
import { checkSaveRules, type SaveRules, SaveSchedule } from './schedule.js'

export interface ManagerOptions {
  /** When `save` saves. Without rules it does every time. */
  readonly save?: SaveRules
  /** What stays: `all` (the default), or rules. The newest always stays. */
  readonly keep?: KeepPolicy
  /** What becomes of a save while the one before is under way; `wait` (the default) for its turn. */
  readonly whenBusy?: WhenBusy
  /** Memory for saves that are under way, in bytes; see BackgroundSaver. */
  readonly stagingBytes?: number
  /**
   * Signals after which the running step is finished, a checkpoint saved, and the process left to the
   * signal. True is SIGTERM and SIGINT; false (the default), none.
   */
  readonly preemption?: boolean | readonly NodeJS.Signals[]
  /** Called with each warning. Without it, warnings go to `process.emitWarning`. */
  readonly onWarning?: (message: string) => void
}

export interface ManagedSaveOptions extends SaveOptions {
  /** The step that has been taken; the file is named after it. */
  readonly step: number
  /** Saves now, due or not. */
  readonly force?: boolean
}

export interface ResumeReport extends RestoreReport {
  /** The checkpoint that was restored. */
  readonly path: string
  /** Newer ones that were damaged, newest first: set aside, not deleted. */
  readonly skipped: readonly SetAside[]
}

// Damage, of which an older checkpoint is free. Anything else (a model that does not fit, a file of a
// newer version, one that may not be read) an older one would share, or hide.
const DAMAGE: ReadonlySet<string> = new Set([
  'CKPT_NOT_A_CHECKPOINT',
  'CKPT_FILE_LENGTH',
  'CKPT_METADATA_CHECKSUM',
  'CKPT_FLATBUFFER',
  'CKPT_FORMAT',
  'CKPT_TENSOR_CHECKSUM',
])

// Signals reach a process when its event loop turns. A trainer that never waits for anything gives it
// no turn, so `save` does, this often, in milliseconds.
const TURN_INTERVAL = 50

export class CheckpointManager implements AsyncDisposable {
  readonly #folder: CheckpointFolder
  readonly #schedule: SaveSchedule
  readonly #always: boolean
  readonly #keep: KeepPolicy
  readonly #saver: BackgroundSaver
  readonly #preemption: Preemption
  readonly #warn: (message: string) => void
  #failure: { readonly error: unknown } | undefined
  #finishing: Promise<void> = Promise.resolve()
  #lastTurn = performance.now()
  #closed = false

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
    this.#saver = new BackgroundSaver({
      whenBusy,
      ...(stagingBytes === undefined ? {} : { stagingBytes }),
    })
    const signals = preemption === true ? (['SIGTERM', 'SIGINT'] as const) : preemption || []
    this.#preemption = new Preemption(signals)
    this.#warn = options.onWarning ?? warn
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
   * To be called after every step: saves where a checkpoint is due (or `force` is set, or a signal has
   * come), and resolves to whether it does. When it has resolved, the weights may change again; the
   * file is written in the background. A save that failed there is thrown by the next call of `save`
   * or `flush`, and reported as a warning at once.
   *
   * After a signal it resolves only when the checkpoint is durable, and the signal then has its effect.
   */
  async save(
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: ManagedSaveOptions,
  ): Promise<boolean> {
    if (this.#closed) throw new TypeError('this CheckpointManager has been closed')
    this.#throwFailure()
    const now = performance.now()
    if (now - this.#lastTurn > TURN_INTERVAL) {
      await nextTurn()
      this.#lastTurn = performance.now()
    }
    const { force = false, ...saveOptions } = options
    const path = this.#folder.pathOf(options.step)
    const due = this.#schedule.isDue(options.step, now)
    if (!(force || due || this.#always || this.preempted)) return false
    const save = this.#saver.save(path, model, optimizer, saveOptions)
    if (save === null) return false
    this.#schedule.saved(options.step, now)
    this.#finishing = this.#finish(path, save.durable)
    await save.staged
    if (this.preempted) {
      await this.flush()
      this.#preemption.yieldToSignal()
    }
    return true
  }

  /**
   * Restores the newest checkpoint that verifies, in full. Those that do not are set aside (renamed to
   * `….damaged`), with a warning that says why, and the one before is tried. Null where there is none.
   *
   * @throws CheckpointError where one cannot be read, is of a newer version, or does not fit the model
   */
  async restoreLatest(
    model: Module,
    optimizer?: Optimizer | null,
    options: RestoreOptions = {},
  ): Promise<ResumeReport | null> {
    const skipped: SetAside[] = []
    for (const path of await this.#folder.newestFirst()) {
      try {
        await using checkpoint = await loadCheckpoint(path)
        const report = await restoreCheckpoint(checkpoint, model, optimizer, options)
        return { ...report, path, skipped }
      } catch (error) {
        if (!(error instanceof CheckpointError)) throw error
        // Removed by another process since the folder was listed.
        if ((error.cause as NodeJS.ErrnoException | undefined)?.code === 'ENOENT') continue
        if (!DAMAGE.has(error.code)) throw error
        const aside = await this.#folder.setAside(path, error)
        skipped.push(aside)
        const where = aside.movedTo === null ? 'left where it is' : `now ${quote(aside.movedTo)}`
        this.#warn(`a damaged checkpoint was skipped (${where}): ${error.message}`)
      }
    }
    return null
  }

  /** The sound checkpoints of the folder, oldest first, by their metadata alone. */
  list(): Promise<CheckpointInfo[]> {
    return this.#folder.list()
  }

  /** The newest of `list`, or null. */
  async latest(): Promise<CheckpointInfo | null> {
    return (await this.list()).at(-1) ?? null
  }

  /** The best of `list` by a metric (by `keep.best`, where that is set), or null. */
  async best(by?: Omit<KeepBest, 'count'>): Promise<CheckpointInfo | null> {
    const rule = by ?? (this.#keep === 'all' ? undefined : this.#keep.best)
    if (rule === undefined) throw new TypeError('best() needs a metric and a mode, or keep.best')
    checkKeepPolicy({ best: { ...rule, count: 1 } })
    const infos = await this.list()
    return bestOf(infos, { ...rule, count: 1 })[0] ?? null
  }

  /** Resolves when everything that was begun is durable, or throws what failed. */
  async flush(): Promise<void> {
    await this.#finishing
    this.#throwFailure()
  }

  /** Waits for what is under way, and stops listening to signals. Throws what failed. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#preemption.close()
    await this.#finishing
    await this.#saver.close()
    this.#throwFailure()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  /** What comes after the staging of a save: its end, and the removal of what may go. Never throws. */
  async #finish(path: string, durable: Promise<unknown>): Promise<void> {
    const before = this.#finishing
    try {
      await durable
      await before
      await this.#removeOld()
    } catch (error) {
      this.#failure ??= { error }
      const reason = error instanceof Error ? error.message : String(error)
      this.#warn(`the checkpoint ${quote(path)} was not saved: ${reason}`)
    }
  }

  async #removeOld(): Promise<void> {
    if (this.#keep === 'all') return
    for (const info of discardable(await this.#folder.list(), this.#keep, Date.now())) {
      await this.#folder.remove(info.path)
    }
  }

  #throwFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }
}
