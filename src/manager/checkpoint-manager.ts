/**
 * Keeps the checkpoints of a run in a folder or another store. It saves in the background when a checkpoint is due,
 * removes those that no rule keeps after a newer one is durable, and finds the newest valid one to resume from.
 */

import { messageOf } from '../errors.js'
import { FolderStore } from '../io/file/folder-store.js'
import { type CheckpointStore, isStore } from '../io/store.js'
import { givenOptions } from '../options.js'
import { pathOf } from '../path.js'
import { asyncDispose } from '../realm.js'
import type { Module, Optimizer } from '../state.js'
import type { CheckpointInfo } from './checkpoint-entry.js'
import { checkKeepPolicy, type KeepBest, type KeepPolicy } from './keep-policy.js'
import {
  MANAGED_SAVE_OPTIONS,
  type ManagedSaveOptions,
  type ManagerOptions,
  managerOptions,
} from './manager-options.js'
import { type ManagerParts, managerParts } from './manager-parts.js'
import { warnOfUnreadable } from './own-checkpoints.js'
import { RESUME_OPTIONS, type ResumeOptions, type ResumeReport, resumeFrom } from './resume.js'
import { bestOf } from './retention.js'

export type { ManagedSaveOptions, ManagerOptions, MirrorOptions } from './manager-options.js'
export type { ResumeOptions, ResumeReport } from './resume.js'
export type { SavedReport } from './saved-report.js'

/** Saves, keeps and resumes the checkpoints of one run, in one folder or another store. */
export class CheckpointManager implements AsyncDisposable {
  readonly #place: string
  readonly #parts: ManagerParts
  readonly #keep: KeepPolicy
  readonly #saveOnClose: boolean
  /** Number of calls of `save` so far. */
  #calls = 0
  #closing: Promise<void> | undefined
  /** The arguments of the last call of `save`, if it has not saved. */
  #unsaved: Parameters<CheckpointManager['save']> | undefined

  /** The first save creates the folder. Throws a TypeError or RangeError for wrong options. */
  constructor(folderOrStore: string | URL | CheckpointStore, options: ManagerOptions = {}) {
    const given = managerOptions(options)
    this.#keep = given.keep
    this.#saveOnClose = given.saveOnClose
    const isOfUser = isStore(folderOrStore)
    this.#place = isOfUser ? folderOrStore.path : pathOf(folderOrStore)
    this.#parts = managerParts(isOfUser ? folderOrStore : new FolderStore(folderOrStore), given)
  }

  /** The folder, as the caller gave it; or the path of the store, such as `s3://bucket/prefix`. */
  get folder(): string {
    return this.#place
  }

  /** Paths of durable checkpoints that the mirror does not have yet: their uploads run, wait or have failed. */
  get unmirrored(): readonly string[] {
    const { store } = this.#parts.checkpoints
    return (this.#parts.mirror?.lacking ?? []).map((name) => store.locate(name))
  }

  /** Whether a signal has come that ends the run. The next `save` saves, and lets the process end. */
  get preempted(): boolean {
    return this.#parts.preemption.received !== undefined
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
   * After a signal (see `preemption`) it resolves only when the checkpoint is durable, and its upload to a mirror has
   * ended; never if the signal then ends the process.
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
    const { checkpoints, decision, firstLook, mirror, preemption, saves } = this.#parts
    const name = checkpoints.nameOf(step)
    const unsaved: Parameters<CheckpointManager['save']> = [model, optimizer, options]
    this.#unsaved = unsaved
    const now = performance.now()
    const call = ++this.#calls
    let wantsTurn = decision.wantsTurn(now)
    const looked = firstLook.done()
    const due = decision.isDue(step, now)
    const called = preemption.called()
    let preempted = called === false || called === true ? called : await called
    // The caller already knows about earlier failures; they must not prevent this last checkpoint.
    if (!preempted) saves.throwFailure()
    let wanted = force || preempted || decision.isWanted(due)
    if (wanted === false) {
      if (wantsTurn) await decision.turn()
      wantsTurn = false
      await looked
      // A signal came meanwhile: this step is saved, unless a later one will be.
      preempted = call === this.#calls && (await preemption.called())
      if (!preempted) {
        saves.throwFailure()
        return false
      }
      wanted = true
    }
    // Nothing is awaited between here and the call of the saver: a save is of the moment of its call.
    const savedAt = options.savedAt ?? Date.now()
    const sequence = this.#parts.own.nextSequence(name, mirror && (() => mirror.largestSequence()))
    // If there is a save, it reports this error.
    sequence.catch(() => {})
    const numbered = { ...saveOptions, savedAt, sequence: 0 }
    const isWanted = wanted === true ? undefined : wanted.catch(() => false)
    const { store } = checkpoints
    const save = this.#parts.saver.save({ store, name }, model, optimizer, numbered, {
      sequence,
      isWanted,
    })
    const path = store.locate(name)
    const isDurable = saves.follow(save, { name, path, sequence, step, now, isWanted })
    if (wanted !== true) {
      if (!(await wanted)) return false
      wantsTurn = false
    }
    await looked
    firstLook.hasBegunToSave(step)
    if (wantsTurn) await decision.turn()
    preempted ||= await preemption.called()
    // The process lives on if the save fails; `staged` or `throwFailure` then throws.
    if (preempted) {
      const saved = await isDurable
      await mirror?.finished()
      await preemption.saved(saved)
    }
    await save.staged
    if (this.#unsaved === unsaved) this.#unsaved = undefined
    if (preempted) saves.throwFailure()
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
        this.#parts.warn(
          `the training failed, and its last step was not saved: ${messageOf(failure)}`,
        )
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
   * them stay as they are. Waits for saves under way. With a mirror, the newest good checkpoint of both places counts.
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
    await this.#parts.saves.finished()
    const onWarning = options.onWarning ?? this.#parts.warn
    const places = { own: this.#parts.checkpoints, mirror: this.#parts.mirror?.checkpoints }
    const restored = await resumeFrom(places, model, optimizer, { ...options, onWarning })
    if (restored !== null) this.#parts.mirror?.hasResumed(restored.from)
    this.#parts.schedule.resumed(restored?.report.step ?? 0)
    return restored?.report ?? null
  }

  /**
   * The checkpoints of the folder (not of a mirror), oldest first, by their metadata alone: damage in a tensor does not show. A file that
   * cannot be read is left out, with a warning.
   *
   * @throws the system's error if the folder cannot be read
   */
  async list(): Promise<CheckpointInfo[]> {
    const infos: CheckpointInfo[] = []
    for (const entry of await this.#parts.checkpoints.read()) {
      if (entry.kind === 'checkpoint') infos.push(entry.info)
      else if (entry.kind === 'unreadable') {
        warnOfUnreadable(entry.path, entry.error, this.#parts.warnOnce)
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

  /** Resolves when every save that has begun is durable (which does not include uploads to a mirror), or throws the error of one that failed. */
  async flush(): Promise<void> {
    await this.#parts.saves.finished()
    this.#parts.saves.throwFailure()
  }

  /**
   * Waits for saves and uploads under way, and stops listening to signals. A signal that has come takes effect now.
   * Throws the error of a save that failed.
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
      this.#parts.saves.keepFailure({ error })
    }
    await this.#parts.saves.finished()
    await this.#parts.saver.close()
    await this.#closeMirror()
    await this.#parts.preemption.close()
    this.#parts.saves.throwFailure()
  }

  /** Waits for uploads, and removes what has stayed in the folder for them. */
  async #closeMirror(): Promise<void> {
    if (this.#parts.mirror === undefined) return
    await this.#parts.mirror.close()
    if (this.#calls === 0) return
    await this.#parts.own.removeOld().catch((error) => {
      this.#parts.warnOnce('remove', `old checkpoints could not be removed: ${messageOf(error)}`)
    })
  }

  /** Saves the step of the last call of `save`, unless it has been saved. Earlier failures do not prevent that. */
  async #saveUnsaved(): Promise<void> {
    const unsaved = this.#unsaved
    if (unsaved === undefined || this.#closing !== undefined) return
    const failure = this.#parts.saves.takeFailure()
    try {
      const [model, optimizer, options] = unsaved
      await this.save(model, optimizer, { ...options, force: true })
    } finally {
      this.#parts.saves.keepFailure(failure)
    }
  }
}
