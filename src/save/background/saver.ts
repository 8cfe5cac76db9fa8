/**
 * Saves while training goes on. A save has two moments: *staged*, when everything has been copied and
 * the trainer may change its weights again, and *durable*, when the commit survives a power cut. What
 * lies between them, checksums, writing and syncing, happens in another thread.
 */

import { CheckpointError } from '../../errors.js'
import { givenOptions, type OptionNames } from '../../options.js'
import { pathOf } from '../../path.js'
import type { Module, Optimizer } from '../../state.js'
import { SinkThread } from '../../threads/sink-thread.js'
import { checkPlace } from '../mistakes.js'
import { SAVE_OPTIONS, type SaveOptions } from '../write.js'
import { type BackgroundSave, RunningSave } from './running-save.js'
import { StagingArea } from './staging-area.js'
import { writeInThread } from './write-in-thread.js'

export type { BackgroundSave } from './running-save.js'

/** What becomes of a save while the one before is not durable yet. */
export type WhenBusy = 'wait' | 'skip' | 'error'

export interface BackgroundSaverOptions {
  /**
   * What becomes of a save while the one before is not durable yet: it waits for its turn before it
   * is staged (`wait`, the default), does not take place (`skip`), or throws CKPT_BUSY (`error`).
   */
  readonly whenBusy?: WhenBusy
  /**
   * Memory for what is in flight, in bytes, rounded down to multiples of 4 MiB, of which there is at
   * least one. Without a limit (the default) a save takes as much as the state, and keeps it for the
   * next. With less, staging waits for the disk: it takes longer, and holds up the trainer.
   */
  readonly stagingBytes?: number
}

const SAVER_OPTIONS: OptionNames<BackgroundSaverOptions> = { whenBusy: true, stagingBytes: true }

export class BackgroundSaver implements AsyncDisposable {
  readonly #whenBusy: WhenBusy
  readonly #staging: StagingArea
  readonly #thread = new SinkThread()
  #current: Promise<void> | undefined
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
    this.#staging = new StagingArea(stagingBytes)
  }

  /** Whether a save is not durable yet. */
  get busy(): boolean {
    return this.#current !== undefined
  }

  /**
   * Begins a save. Await `staged` before the weights change; then they may, at any time. A failure
   * that comes later is that of `durable`, which is not to be left without a handler. Null where the
   * save does not take place, as one is under way and `whenBusy` is `skip`.
   *
   * @throws CheckpointError CKPT_BUSY where one is under way and `whenBusy` is `error`
   * @throws TypeError where the saver has been closed, or `to` is no path
   */
  save(
    to: string | URL,
    model: Module,
    optimizer?: Optimizer | null,
    options: SaveOptions = {},
  ): BackgroundSave | null {
    if (this.#closed) throw new TypeError('this BackgroundSaver has been closed')
    options = givenOptions('BackgroundSaver.save', SAVE_OPTIONS, options)
    checkPlace(to, 'a path or a file: URL')
    const path = pathOf(to)
    const before = this.#current
    if (before !== undefined && this.#whenBusy === 'skip') return null
    if (before !== undefined && this.#whenBusy === 'error') {
      throw new CheckpointError('CKPT_BUSY', 'the save before this one is still under way')
    }
    const save = new RunningSave()
    const run = async (): Promise<void> => {
      await before
      try {
        const target = { thread: this.#thread, staging: this.#staging, path }
        const onStaged = () => save.hasStaged()
        save.succeed(await writeInThread(target, model, optimizer, options, onStaged))
      } catch (error) {
        save.fail(error)
      }
    }
    const current = run()
    this.#current = current
    void current.then(() => {
      if (this.#current === current) this.#current = undefined
    })
    return save
  }

  /** Resolves when no save is under way. Failures are those of the saves themselves. */
  async flush(): Promise<void> {
    while (this.#current !== undefined) await this.#current
  }

  /** Waits for what is under way, and ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
    await this.#thread.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }
}
