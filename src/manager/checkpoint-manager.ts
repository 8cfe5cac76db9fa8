/**
 * Keeps the checkpoints of a run in a folder. It saves in the background when a checkpoint is due, removes those that
 * no rule keeps after a newer one is durable, and finds the newest valid one to resume from.
 */

import { messageOf } from '../errors.js'
import { nextTurn } from '../io/concurrency.js'
import { givenOptions } from '../options.js'
import { pathOf } from '../path.js'
import { quote } from '../printable.js'
import { asyncDispose } from '../realm.js'
import {
  type BackgroundSave,
  BackgroundSaver,
  busyError,
  type ManagedSave,
  type WhenBusy,
} from '../save/background/saver.js'
import type { SaveReport } from '../save/write.js'
import type { Module, Optimizer } from '../state.js'
import { CheckpointFolder } from './checkpoint-folder.js'
import type { CheckpointInfo } from './folder-entry.js'
import { checkKeepPolicy, type KeepBest, type KeepPolicy } from './keep-policy.js'
import {
  MANAGED_SAVE_OPTIONS,
  type ManagedSaveOptions,
  type ManagerOptions,
  managerOptions,
} from './manager-options.js'
import { OwnCheckpoints, warnOfUnreadable } from './own-checkpoints.js'
import { Preemption } from './preemption.js'
import { RESUME_OPTIONS, type ResumeOptions, type ResumeReport, resumeFrom } from './resume.js'
import { bestOf } from './retention.js'
import { SaveReporter } from './saved-report.js'
import { SaveSchedule } from './schedule.js'

export type { ManagedSaveOptions, ManagerOptions } from './manager-options.js'
export type { ResumeOptions, ResumeReport } from './resume.js'
export type { SavedReport } from './saved-report.js'

// Signals and messages of the writing thread arrive when the event loop turns. A trainer that never waits does not let
// it turn, so `save` yields this often, in milliseconds.
const TURN_INTERVAL = 50

/** A save that has begun, or may have. */
interface SaveBegun {
  readonly path: string
  readonly step: number
  readonly sequence: Promise<number>
  readonly isWanted: ManagedSave['isWanted']
  /** Its start, by `performance.now()`. */
  readonly now: number
}

/** Saves, keeps and resumes the checkpoints of one run, in one folder. */
export class CheckpointManager implements AsyncDisposable {
  readonly #folder: CheckpointFolder
  readonly #schedule: SaveSchedule
  readonly #always: boolean
  readonly #keep: KeepPolicy
  readonly #whenBusy: WhenBusy
  readonly #saver: BackgroundSaver
  readonly #preemption: Preemption
  readonly #warn: (message: string) => void
  readonly #own: OwnCheckpoints
  #lookedAtFolder: Promise<void> | undefined
  #hasLooked = false
  #isEmpty = false
  /** The step of the newest checkpoint, or of the last saved one; -1 if there is none. */
  #newestStep = -1
  #failure: { readonly error: unknown } | undefined
  #finishing: Promise<void> = Promise.resolve()
  /** Number of saves that are not durable yet, without those that are not decided on. */
  #underWay = 0
  /** Number of calls of `save` so far. */
  #calls = 0
  #lastTurn = performance.now()
  /** Kinds of warnings that must not be repeated with each save. */
  readonly #warned = new Set<string>()
  #closing: Promise<void> | undefined
  readonly #saveOnClose: boolean
  readonly #reporter: SaveReporter
  /** The arguments of the last call of `save`, if it has not saved. */
  #unsaved: Parameters<CheckpointManager['save']> | undefined

  /** The first save creates the folder. Throws a TypeError or RangeError for wrong options. */
  constructor(folder: string | URL, options: ManagerOptions = {}) {
    const { save, keep, whenBusy, stagingBytes, signals, saveOnClose, onSaved, onWarning } =
      managerOptions(options)
    this.#saveOnClose = saveOnClose
    this.#folder = new CheckpointFolder(pathOf(folder))
    this.#always = save === undefined
    this.#schedule = new SaveSchedule(save ?? {}, performance.now())
    this.#keep = keep
    this.#whenBusy = whenBusy
    this.#saver = new BackgroundSaver({ whenBusy, onWarning, stagingBytes })
    this.#warn = onWarning
    this.#own = new OwnCheckpoints(this.#folder, keep, this.#warnOnce)
    this.#reporter = new SaveReporter(onSaved, this.#warnOnce)
    this.#preemption = new Preemption(signals, this.#warn)
  }

  /** The folder, as the caller gave it. */
  get folder(): string {
    return this.#folder.given
  }

  /** Whether a signal has come that ends the run. The next `save` saves, and lets the process end. */
  get preempted(): boolean {
    return this.#preemption.received !== undefined
  }

  /**
   * Must be called and awaited after every step. Saves if a checkpoint is due, if `force` is set, or if a signal has
   * come. Resolves to whether it saves. After that the weights may change again, while the file is written in the
   * background. If that save fails, a warning reports it at once, and the next call of `save`, `flush` or `close`
   * throws its error.
   *
   * A checkpoint is of the moment of its call. If weights change before the save is staged, it fails with
   * CKPT_TENSOR_CHANGED. There is one exception. If a signal comes while the call of a step that is not due yields to
   * the event loop, the checkpoint is of the moment after that yield. This is one more reason to await the call.
   *
   * After a signal (see `preemption`) it resolves only when the checkpoint is durable, and never if the signal then
   * ends the process.
   *
   * @throws CheckpointError CKPT_BUSY, or like `saveCheckpoint`
   */
  async save(
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: ManagedSaveOptions,
  ): Promise<boolean> {
    if (this.#closing !== undefined) throw new TypeError('this CheckpointManager has been closed')
    options = givenOptions('CheckpointManager.save', MANAGED_SAVE_OPTIONS, options)
    const { force = false, ...saveOptions } = options
    const { step } = options
    const path = this.#folder.pathOf(step)
    const unsaved: Parameters<CheckpointManager['save']> = [model, optimizer, options]
    this.#unsaved = unsaved
    const now = performance.now()
    const call = ++this.#calls
    let wantsTurn = this.#underWay > 0 || now - this.#lastTurn > TURN_INTERVAL
    this.#lookedAtFolder ??= this.#lookAtFolder()
    const due = this.#schedule.isDue(step, now, this.#hasLooked ? this.#isEmpty : undefined)
    const called = this.#preemption.called()
    let preempted = called === false || called === true ? called : await called
    // The caller already knows about earlier failures; they must not prevent this last checkpoint.
    if (!preempted) this.#throwFailure()
    let wanted = force || preempted || this.#isWanted(this.#always ? true : due)
    if (wanted === false) {
      if (wantsTurn) await this.#turn()
      wantsTurn = false
      await this.#lookedAtFolder
      // A signal came meanwhile: this step is saved, unless a later one will be.
      preempted = call === this.#calls && (await this.#preemption.called())
      if (!preempted) {
        this.#throwFailure()
        return false
      }
      wanted = true
    }
    // Nothing is awaited between here and the call of the saver: a save is of the moment of its call.
    const savedAt = options.savedAt ?? Date.now()
    const sequence = this.#own.nextSequence(path)
    // If there is a save, it reports this error.
    sequence.catch(() => {})
    const numbered = { ...saveOptions, savedAt, sequence: 0 }
    const isWanted = wanted === true ? undefined : wanted.catch(() => false)
    const save = this.#saver.save(path, model, optimizer, numbered, { sequence, isWanted })
    const isDurable = this.#finish(save, { path, sequence, step, now, isWanted })
    if (wanted !== true) {
      if (!(await wanted)) return false
      wantsTurn = false
    }
    await this.#lookedAtFolder
    this.#warnOfGoingBack(step)
    if (wantsTurn) await this.#turn()
    preempted ||= await this.#preemption.called()
    // The process lives on if the save fails; `staged` or `#throwFailure` then throws.
    if (preempted) await this.#preemption.saved(await isDurable)
    await save.staged
    if (this.#unsaved === unsaved) this.#unsaved = undefined
    if (preempted) this.#throwFailure()
    return true
  }

  /**
   * Runs a training. If it throws, the step that `save` was last called with is saved, unless it has been; then the
   * error is thrown on. The checkpoint has the weights of that moment: a step that failed halfway may have changed some
   * of them. Otherwise waits until every save is durable, and resolves to what `train` returned.
   *
   * @throws the error of `train`, or of a save that failed
   */
  async run<T>(train: () => T | Promise<T>): Promise<T> {
    let result: T
    try {
      result = await train()
    } catch (error) {
      try {
        await this.#saveUnsaved()
        await this.flush()
      } catch (failure) {
        this.#warn(`the training failed, and its last step was not saved: ${messageOf(failure)}`)
      }
      throw error
    }
    await this.flush()
    return result
  }

  /**
   * Restores the newest checkpoint that verifies. Pass `extras` as you pass them to `save`. Checkpoints that do not
   * verify are set aside (renamed to `….damaged`), each with a warning that says why, and the next older one is tried.
   * Returns null only if the folder has no checkpoint. If it has some and none can be restored, this throws, and all of
   * them stay as they are. Waits for saves under way.
   *
   * @throws CheckpointError if a checkpoint cannot be read, has a newer version or does not fit the model, or if none
   *   can be restored
   */
  async restoreLatest(
    model: Module,
    optimizer?: Optimizer | null,
    options: ResumeOptions = {},
  ): Promise<ResumeReport | null> {
    options = givenOptions('restoreLatest', RESUME_OPTIONS, options)
    await this.#finishing
    const onWarning = options.onWarning ?? this.#warn
    const report = await resumeFrom(this.#folder, model, optimizer, { ...options, onWarning })
    this.#schedule.resumed(report?.step ?? 0)
    return report
  }

  /**
   * The checkpoints of the folder, oldest first, by their metadata alone: damage in a tensor does not show. A file that
   * cannot be read is left out, with a warning.
   *
   * @throws the system's error if the folder cannot be read
   */
  async list(): Promise<CheckpointInfo[]> {
    const infos: CheckpointInfo[] = []
    for (const entry of await this.#folder.read()) {
      if (entry.kind === 'checkpoint') infos.push(entry.info)
      else if (entry.kind === 'unreadable') {
        warnOfUnreadable(entry.path, entry.error, this.#warnOnce)
      }
    }
    return infos
  }

  /** The newest checkpoint of `list`, or null. */
  async latest(): Promise<CheckpointInfo | null> {
    return (await this.list()).at(-1) ?? null
  }

  /** The best checkpoint of `list` by a metric (default: `keep.best`); null if none has the metric. */
  async best(by?: Omit<KeepBest, 'count'>): Promise<CheckpointInfo | null> {
    const rule = by ?? (this.#keep === 'all' ? undefined : this.#keep.best)
    if (rule === undefined) throw new TypeError('best() needs a metric and a mode, or keep.best')
    const best = { ...rule, count: 1 }
    checkKeepPolicy({ best })
    return bestOf(await this.list(), best)[0] ?? null
  }

  /** Resolves when every save that has begun is durable, or throws the error of one that failed. */
  async flush(): Promise<void> {
    await this.#finishing
    this.#throwFailure()
  }

  /**
   * Waits for saves under way, and stops listening to signals. A signal that has come takes effect now. Throws the
   * error of a save that failed.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    // `save` checks, before its first wait, whether the manager has been closed.
    const saved = this.#saveOnClose ? this.#saveUnsaved() : undefined
    try {
      await saved
    } catch (error) {
      this.#failure ??= { error }
    }
    await this.#finishing
    await this.#saver.close()
    await this.#preemption.close()
    this.#throwFailure()
  }

  /** Saves the step of the last call of `save`, unless it has been saved. Earlier failures do not prevent that. */
  async #saveUnsaved(): Promise<void> {
    const unsaved = this.#unsaved
    if (unsaved === undefined || this.#closing !== undefined) return
    const failure = this.#failure
    this.#failure = undefined
    try {
      const [model, optimizer, options] = unsaved
      await this.save(model, optimizer, { ...options, force: true })
    } finally {
      this.#failure ??= failure
    }
  }

  /**
   * Whether a save takes place if no signal asks for it. A promise if the answer needs more than is known: whether
   * there were checkpoints (`due` is undefined), or whether the earlier save has finished. The writing thread may have
   * sent that message already.
   */
  #isWanted(due: boolean | undefined): boolean | Promise<boolean> {
    if (due === false) return false
    const isBusy = this.#underWay > 0 && this.#whenBusy !== 'wait'
    if (!isBusy) return due ?? this.#decide(due, isBusy)
    // Without a rule the next step is as good, and this avoids a checksum of the state at each step.
    if (this.#whenBusy === 'skip' && this.#always) return false
    return this.#decide(due, isBusy)
  }

  async #decide(due: boolean | undefined, isBusy: boolean): Promise<boolean> {
    if (isBusy) await this.#turn()
    await this.#lookedAtFolder
    if (await this.#preemption.called()) return true
    this.#throwFailure()
    if (!(due ?? this.#isEmpty)) return false
    if (isBusy && this.#underWay > 0) {
      if (this.#whenBusy === 'error') throw busyError()
      return false
    }
    return true
  }

  /** Lets signals and messages of the writing thread be handled. */
  async #turn(): Promise<void> {
    await nextTurn()
    this.#lastTurn = performance.now()
  }

  /** Reads what the folder already has: earlier checkpoints of this run, or those of another run in the same folder. */
  async #lookAtFolder(): Promise<void> {
    const entries = await this.#folder.read()
    this.#hasLooked = true
    this.#isEmpty = entries.length === 0
    this.#newestStep = entries.at(-1)?.step ?? -1
    this.#own.adopt(entries)
  }

  /** Warns if a step is saved after a later one: the run went back, or was not resumed. */
  #warnOfGoingBack(step: number): void {
    if (step < this.#newestStep) {
      this.#warn(
        `step ${step} is saved after a later one, ${this.#newestStep}: a run that resumes continues ` +
          `from step ${step}, and \`keep\` counts the later steps as older`,
      )
    }
    this.#newestStep = step
  }

  /**
   * Follows a save that began at `now`: tells the schedule about its staging, reports its failure, and removes
   * checkpoints afterwards. Resolves to whether the save is durable.
   */
  #finish(save: BackgroundSave, saved: SaveBegun): Promise<boolean> {
    const { path, sequence, step, now, isWanted } = saved
    const before = this.#finishing
    const run = async (): Promise<boolean> => {
      if (isWanted !== undefined && !(await isWanted)) return false
      this.#underWay++
      try {
        await save.staged
        this.#schedule.saved(step, now)
      } catch {
        // The waiting call of `save` throws this error.
        this.#underWay--
        return false
      }
      let report: SaveReport
      try {
        report = await save.durable
        this.#underWay--
      } catch (error) {
        this.#underWay--
        this.#failure ??= { error }
        this.#schedule.failed(step)
        this.#warn(`the checkpoint ${quote(path)} was not saved: ${messageOf(error)}`)
        return false
      }
      await before
      await this.#reporter.report({ ...report, path, step, sequence: await sequence })
      try {
        await this.#lookedAtFolder
        await this.#own.hasSaved(path, await sequence, report.durability)
      } catch (error) {
        this.#warnOnce('remove', `old checkpoints could not be removed: ${messageOf(error)}`)
      }
      return true
    }
    const finished = run()
    this.#finishing = Promise.all([before, finished]).then(() => {})
    return finished
  }

  readonly #warnOnce = (kind: string, message: string): void => {
    if (this.#warned.has(kind)) return
    this.#warned.add(kind)
    this.#warn(message)
  }

  #throwFailure(): void {
    const failure = this.#failure
    this.#failure = undefined
    if (failure !== undefined) throw failure.error
  }
}
