/**
 * Saves while training goes on. A save has two moments: *staged*, when everything has been copied and
 * the trainer may change its weights again, and *durable*, when the commit survives a power cut. What
 * lies between them, checksums, writing and syncing, happens in another thread.
 */

import { CheckpointError, withPath } from '../../errors.js'
import { orAborted } from '../../io/concurrency.js'
import { givenOptions, type OptionNames } from '../../options.js'
import { absolutePath, pathOf } from '../../path.js'
import { asyncDispose } from '../../realm.js'
import type { Module, Optimizer } from '../../state.js'
import { SinkThread, ThreadSink } from '../../threads/sink-thread.js'
import { isThenable } from '../collect.js'
import { checkPlace } from '../mistakes.js'
import { holdMoment, resumeMoment } from '../plan.js'
import { StagingArea } from '../staging-area.js'
import { beginSave, carryOut, SAVE_OPTIONS, type SaveOptions, type SaveReport } from '../write.js'

/** A save that goes on in the background. */
export interface BackgroundSave {
  /** The state has been copied: it may change again. Rejects where the save failed before. */
  readonly staged: Promise<void>
  /**
   * The checkpoint is in place and survives a power cut. Rejects like `saveCheckpoint`. Where nobody
   * handles that, it is an unhandled rejection, which ends the process: a save that failed is never
   * silent. (A failure before `staged` is that of `staged`, for whoever has asked for it.)
   */
  readonly durable: Promise<SaveReport>
}

/** What becomes of a save while the one before is not durable yet. */
export type WhenBusy = 'wait' | 'skip' | 'error'

/** How a BackgroundSaver takes turns, and how much memory it may use. */
export interface BackgroundSaverOptions {
  /**
   * What becomes of a save while the one before is not durable yet: it waits for its turn before it
   * is staged (`wait`, the default), does not take place (`skip`), or throws CKPT_BUSY (`error`).
   */
  readonly whenBusy?: WhenBusy | undefined
  /**
   * Memory for what is in flight, in bytes, rounded down to multiples of 4 MiB, of which there is at
   * least one. Without a limit (the default) a save takes as much as the state, and keeps it for the
   * next. With less, staging waits for the disk: it takes longer, and holds up the trainer.
   */
  readonly stagingBytes?: number | undefined
  /**
   * Called with each warning (that no thread can be started here, so that saves are written by the
   * caller's). Without it, warnings go to `process.emitWarning`.
   */
  readonly onWarning?: ((message: string) => void) | undefined
}

const SAVER_OPTIONS: OptionNames<BackgroundSaverOptions> = {
  whenBusy: true,
  stagingBytes: true,
  onWarning: true,
}

/** What a manager gives to a save, and decides about it, later than the state has to be taken. */
export interface ManagedSave {
  /** It takes the place of `options.sequence`, which is a number as well. */
  readonly sequence: Promise<number>
  /**
   * Whether the save takes place, if that is not known yet. Never rejects. The state is held until then, as
   * that of a save that waits for its turn. If it resolves to false, neither `staged` nor `durable` settles.
   */
  readonly isWanted: Promise<boolean> | undefined
}

// Bytes of a piece of staging memory: long enough that its message costs little beside its copy.
const STAGING_PIECE = 4 * 1024 * 1024

/**
 * Saves in another thread. It keeps its thread and its staging memory for the next save: make one for a run, and
 * close it, which waits for what is under way.
 */
export class BackgroundSaver implements AsyncDisposable {
  readonly #whenBusy: WhenBusy
  readonly #staging: StagingArea
  readonly #thread: SinkThread
  /** Saves that are not durable yet. */
  #underWay = 0
  /** Resolves when none of those that were begun so far is under way. */
  #over: Promise<unknown> = Promise.resolve()
  #closed = false

  /** Throws a TypeError or RangeError for wrong options. */
  constructor(options: BackgroundSaverOptions = {}) {
    options = givenOptions('BackgroundSaver', SAVER_OPTIONS, options)
    const { whenBusy = 'wait', stagingBytes = Number.POSITIVE_INFINITY } = options
    if (!['wait', 'skip', 'error'].includes(whenBusy)) {
      throw new TypeError(`whenBusy must be 'wait', 'skip' or 'error', not ${String(whenBusy)}`)
    }
    if (typeof stagingBytes !== 'number' || !(stagingBytes > 0)) {
      throw new RangeError(`stagingBytes must be a number above 0, not ${String(stagingBytes)}`)
    }
    this.#whenBusy = whenBusy
    this.#thread = new SinkThread(options.onWarning)
    const pieces = Math.floor(stagingBytes / STAGING_PIECE)
    this.#staging = new StagingArea({ pieceLength: STAGING_PIECE, pieces, shared: true })
  }

  /** Whether a save is not durable yet. */
  get busy(): boolean {
    return this.#underWay > 0
  }

  /**
   * Begins a save of the state at the moment of the call. Await `staged` before the weights change; then
   * they may, at any time. A failure that comes later is that of `durable`, which is not to be left without
   * a handler. Null where the save does not take place, as one is under way and `whenBusy` is `skip`.
   *
   * A save that waits for its turn is of the moment of its call as well: weights that change before it is
   * staged are an error of `staged`, CKPT_TENSOR_CHANGED.
   *
   * @throws CheckpointError CKPT_BUSY where one is under way and `whenBusy` is `error`
   * @throws TypeError where the saver has been closed, or `to` is no path
   */
  save(
    to: string | URL,
    model: Module,
    optimizer?: Optimizer | null,
    options?: SaveOptions,
  ): BackgroundSave | null
  /**
   * For a manager, which decides for itself what becomes of a save while another one is under way: this one
   * waits for its turn.
   *
   * @internal
   */
  save(
    to: string | URL,
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: SaveOptions,
    managed: ManagedSave,
  ): BackgroundSave
  save(
    to: string | URL,
    model: Module,
    optimizer?: Optimizer | null,
    options: SaveOptions = {},
    managed?: ManagedSave,
  ): BackgroundSave | null {
    if (this.#closed) throw new TypeError('this BackgroundSaver has been closed')
    options = givenOptions('BackgroundSaver.save', SAVE_OPTIONS, options)
    checkPlace(to, 'a path or a file: URL')
    const name = pathOf(to)
    const before = this.busy ? this.#over : undefined
    if (this.busy && managed === undefined) {
      if (this.#whenBusy === 'skip') return null
      if (this.#whenBusy === 'error') throw busyError()
    }
    const save = new RunningSave()
    this.#underWay++
    const run = this.#run(save, name, before, model, optimizer, options, managed)
    // One that is aborted while it waits is over before the one that it waits for.
    this.#over = Promise.all([before, run])
    return save
  }

  /** Resolves when no save is under way. Failures are those of the saves themselves. */
  async flush(): Promise<void> {
    while (this.busy) await this.#over
  }

  /** Waits for what is under way, and ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
    await this.#thread.close()
  }

  async [asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Never rejects. */
  async #run(
    save: RunningSave,
    name: string,
    before: Promise<unknown> | undefined,
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: SaveOptions,
    managed: ManagedSave | undefined,
  ): Promise<void> {
    const { durable = true, signal } = options
    const isWanted = managed?.isWanted
    try {
      const sink = new ThreadSink(this.#thread, { path: absolutePath(name), name, durable })
      const planned = beginSave(model, optimizer, options)
      // An `await` would be a turn for others, which a state that is at hand does not need.
      const plan = isThenable(planned) ? await planned : planned
      if (before !== undefined || isWanted !== undefined) {
        holdMoment(plan)
        if (isWanted !== undefined && !(await isWanted)) {
          this.#underWay--
          return
        }
        if (before !== undefined) await orAborted(before, signal)
        resumeMoment(plan)
      }
      const target = {
        sink,
        staging: this.#staging,
        copyTogether: this.#thread.copyTogether.bind(this.#thread),
        onStaged: () => save.hasStaged(),
        sequence: managed?.sequence,
      }
      const report = await carryOut(target, plan, options)
      this.#underWay--
      save.succeed(report)
    } catch (error) {
      this.#underWay--
      // A state that cannot be saved is no failure if it is not saved.
      if (isWanted === undefined || (await isWanted)) save.fail(withPath(error, name))
    }
  }
}

/** Says that a save does not take place because of another. */
export function busyError(): CheckpointError {
  return new CheckpointError('CKPT_BUSY', 'the save before this one is still under way')
}

/** A save under way, as the one who carries it out has it. */
export class RunningSave implements BackgroundSave {
  readonly durable: Promise<SaveReport>
  /** Has a handler of ours, so it is silent; what is handed out follows from it, and is not. */
  readonly #staged: Promise<void>
  #handedOut: Promise<void> | undefined
  #isStaged = false
  #hasFailed = false
  #resolveStaged: () => void = () => {}
  #rejectStaged: (error: unknown) => void = () => {}
  #resolveDurable: (report: SaveReport) => void = () => {}
  #rejectDurable: (error: unknown) => void = () => {}

  constructor() {
    this.#staged = new Promise((resolve, reject) => {
      this.#resolveStaged = resolve
      this.#rejectStaged = reject
    })
    this.#staged.catch(() => {})
    this.durable = new Promise((resolve, reject) => {
      this.#resolveDurable = resolve
      this.#rejectDurable = reject
    })
  }

  get staged(): Promise<void> {
    this.#handedOut ??= this.#staged.then()
    this.#tellOnce()
    return this.#handedOut
  }

  hasStaged(): void {
    this.#isStaged = true
    this.#resolveStaged()
  }

  succeed(report: SaveReport): void {
    this.#resolveDurable(report)
  }

  fail(error: unknown): void {
    this.#hasFailed = true
    this.#tellOnce()
    this.#rejectStaged(error)
    this.#rejectDurable(error)
  }

  /** One failure, told once: not a second time to those who await `staged` before `durable`. */
  #tellOnce(): void {
    if (this.#hasFailed && !this.#isStaged && this.#handedOut !== undefined) {
      this.durable.catch(() => {})
    }
  }
}
