/**
 * Saves while training continues. A background save has two moments. It is *staged* when everything has been copied and
 * the trainer may change its weights again. It is *durable* when the commit survives a power cut. Another thread
 * computes the checksums, writes and syncs in between. If the place is a store without files, the caller's thread does,
 * because the clients of stores cannot cross threads.
 */

import { CheckpointError, withPath } from '../../errors.js'
import { orAborted } from '../../io/concurrency.js'
import type { Sink } from '../../io/sink.js'
import { isStored, type StoredCheckpoint } from '../../io/store.js'
import { givenOptions, type OptionNames } from '../../options.js'
import { absolutePath, pathOf } from '../../path.js'
import { asyncDispose } from '../../realm.js'
import type { Module, Optimizer } from '../../state.js'
import { SinkThread, ThreadSink } from '../../threads/sink-thread.js'
import { checkPlace } from '../mistakes.js'
import { holdMoment, resumeMoment } from '../plan.js'
import { StagingArea } from '../staging-area.js'
import { isThenable } from '../steps.js'
import { beginSave, carryOut, SAVE_OPTIONS, type SaveOptions, type SaveReport } from '../write.js'

/** A save in the background. */
export interface BackgroundSave {
  /** Resolves when the state has been copied and may change again. Rejects if the save fails before that. */
  readonly staged: Promise<void>
  /**
   * Resolves when the checkpoint is in place and survives a power cut. Rejects like `saveCheckpoint`. Without a
   * handler, a failure is an unhandled rejection, which ends the process: no failed save is silent. (A failure before
   * `staged` is reported by `staged` alone to a caller who has asked for it.)
   */
  readonly durable: Promise<SaveReport>
}

/** What to do with a save while an earlier one is not durable yet. */
export type WhenBusy = 'wait' | 'skip' | 'error'

/** Options of a BackgroundSaver: how it handles simultaneous saves, and how much memory it may use. */
export interface BackgroundSaverOptions {
  /**
   * What to do with a save while an earlier one is not durable yet. `wait` (the default): it is staged after the
   * earlier one. `skip`: it does not take place. `error`: it throws CKPT_BUSY.
   */
  readonly whenBusy?: WhenBusy | undefined
  /**
   * Limit of the staging memory, in bytes, rounded down to multiples of 4 MiB, but at least one of them. Without a
   * limit (the default), a save takes as much memory as the state has, and keeps it for the next save. With a lower
   * limit staging waits for the disk, which delays the trainer.
   */
  readonly stagingBytes?: number | undefined
  /**
   * Called with each warning, for example that no thread can start here, so that the caller's thread writes. Without
   * it, warnings go to `process.emitWarning`.
   */
  readonly onWarning?: ((message: string) => void) | undefined
}

const SAVER_OPTIONS: OptionNames<BackgroundSaverOptions> = {
  whenBusy: true,
  stagingBytes: true,
  onWarning: true,
}

/** What a manager decides after it has taken the state. */
export interface ManagedSave {
  /** Replaces `options.sequence`, which must be a number too. */
  readonly sequence: Promise<number>
  /**
   * Whether the save takes place, if that is not known yet. Never rejects. The state is held until then, like that of a
   * save that waits for an earlier one. If it resolves to false, neither `staged` nor `durable` settles.
   */
  readonly isWanted: Promise<boolean> | undefined
}

/** Where a save goes: a file, which the thread writes, or a store whose client belongs to the caller's thread. */
interface Place {
  /** In messages. */
  readonly name: string
  readonly sink: () => Sink
  readonly isThreads: boolean
}

// Bytes of a piece of staging memory: long enough that its message costs little compared with its copy.
const STAGING_PIECE = 4 * 1024 * 1024

/**
 * Saves in another thread. It keeps its thread and its staging memory for the next save. Make one for each run, and
 * close it: `close` waits for saves under way.
 */
export class BackgroundSaver implements AsyncDisposable {
  readonly #whenBusy: WhenBusy
  readonly #staging: StagingArea
  readonly #thread: SinkThread
  /** Number of saves that are not durable yet. */
  #underWay = 0
  /** Resolves when no save that was begun so far is under way. */
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
   * Begins a save of the state at the moment of the call. Await `staged` before the weights change. A later failure is
   * reported by `durable`, which must have a handler. Returns null if an earlier save is under way and `whenBusy` is
   * `skip`.
   *
   * A save that waits for an earlier one is of the moment of its call, too. If weights change before it is staged,
   * `staged` rejects with CKPT_TENSOR_CHANGED.
   *
   * @throws CheckpointError CKPT_BUSY if an earlier save is under way and `whenBusy` is `error`
   * @throws TypeError if the saver has been closed, or if `to` is neither a path nor a location in a store
   */
  save(
    to: string | URL | StoredCheckpoint,
    model: Module,
    optimizer?: Optimizer | null,
    options?: SaveOptions,
  ): BackgroundSave | null
  /**
   * For a manager, which decides itself what to do with a save while another one is under way. Here the save waits for
   * the earlier one.
   *
   * @internal
   */
  save(
    to: string | URL | StoredCheckpoint,
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: SaveOptions,
    managed: ManagedSave,
  ): BackgroundSave
  save(
    to: string | URL | StoredCheckpoint,
    model: Module,
    optimizer?: Optimizer | null,
    options: SaveOptions = {},
    managed?: ManagedSave,
  ): BackgroundSave | null {
    if (this.#closed) throw new TypeError('this BackgroundSaver has been closed')
    options = givenOptions('BackgroundSaver.save', SAVE_OPTIONS, options)
    const place = this.#placeOf(to, options.durable ?? true)
    const before = this.busy ? this.#over : undefined
    if (this.busy && managed === undefined) {
      if (this.#whenBusy === 'skip') return null
      if (this.#whenBusy === 'error') throw busyError()
    }
    const save = new RunningSave()
    this.#underWay++
    const run = this.#run(save, place, before, model, optimizer, options, managed)
    // A save that is aborted while it waits ends before the one that it waits for.
    this.#over = Promise.all([before, run])
    return save
  }

  /** Resolves when no save is under way. The saves themselves report their failures. */
  async flush(): Promise<void> {
    while (this.busy) await this.#over
  }

  /** Waits for saves under way, and ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
    await this.#thread.close()
  }

  async [asyncDispose](): Promise<void> {
    await this.close()
  }

  /** Where a save goes. Throws a TypeError if `to` is not a place. */
  #placeOf(to: string | URL | StoredCheckpoint, durable: boolean): Place {
    let name: string
    let condition: StoredCheckpoint['condition']
    if (isStored(to)) {
      const { store } = to
      name = store.locate(to.name)
      condition = to.condition
      const path = store.fileOf?.(to.name)
      if (path === undefined) {
        return { name, sink: () => store.sink(to.name, { condition, durable }), isThreads: false }
      }
      name = path
    } else {
      checkPlace(to, 'a path, a file: URL or a location in a store')
      name = pathOf(to)
    }
    const target = { path: absolutePath(name), name, durable, condition }
    return { name, sink: () => new ThreadSink(this.#thread, target), isThreads: true }
  }

  /** Never rejects. */
  async #run(
    save: RunningSave,
    { name, sink: makeSink, isThreads }: Place,
    before: Promise<unknown> | undefined,
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: SaveOptions,
    managed: ManagedSave | undefined,
  ): Promise<void> {
    const { signal } = options
    const isWanted = managed?.isWanted
    try {
      const sink = makeSink()
      const planned = beginSave(model, optimizer, options)
      // Without an `await` if the state is there already, because other code would run during it.
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
        copyTogether: isThreads ? this.#thread.copyTogether.bind(this.#thread) : undefined,
        onStaged: () => save.hasStaged(),
        sequence: managed?.sequence,
      }
      const report = await carryOut(target, plan, options)
      this.#underWay--
      save.succeed(report)
    } catch (error) {
      this.#underWay--
      // If the save was not wanted, a failure to collect the state does not matter.
      if (isWanted === undefined || (await isWanted)) save.fail(withPath(error, name))
    }
  }
}

/** The error for a save that another one prevents. */
export function busyError(): CheckpointError {
  return new CheckpointError(
    'CKPT_BUSY',
    'nothing was saved: the save before this one is still under way',
  )
}

/** A save under way, as the code that carries it out sees it. */
export class RunningSave implements BackgroundSave {
  readonly durable: Promise<SaveReport>
  /** Has a handler, so it never counts as unhandled. The promise that callers get follows from it and has none. */
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

  /** Reports a failure once: not again to callers who await `staged` before `durable`. */
  #tellOnce(): void {
    if (this.#hasFailed && !this.#isStaged && this.#handedOut !== undefined) {
      this.durable.catch(() => {})
    }
  }
}
