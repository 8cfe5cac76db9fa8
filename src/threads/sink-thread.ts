/** The writing thread, as the saving thread sees it: a sink whose calls another thread carries out. */

import { unlink } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { CheckpointError, warn } from '../errors.js'
import type { Copy } from '../io/concurrency.js'
import { libc, type MemoryCalls } from '../io/file/libc.js'
import type { Durability, SummingSink } from '../io/sink.js'
import type { Range } from '../io/source.js'
import type { Condition } from '../io/store.js'
import { copyBy, workTogether } from './shared-work.js'
import { SinkHost, type SinkRequest } from './sink-host.js'
import {
  hasEnded,
  isUnavailable,
  Thread,
  type ThreadEndedError,
  type ThreadUnavailableError,
} from './thread.js'

/** A call for the writing thread. */
export type ThreadRequest =
  | SinkRequest
  /** Asks for help with copies, at any time: see `helpToWork`. */
  | { readonly call: 'copy'; readonly list: SharedArrayBuffer }

// Bytes from which copies are worth the thread's help.
const WORTH_HELP = 32 * 1024 * 1024

/** Whether this process has been warned that it cannot start threads. */
let warned = false

/**
 * A thread that writes one file after the other. If it cannot start (a bundle without its script, a process that may
 * not have threads), the caller's own thread does the same work. One warning in a process says so.
 */
export class SinkThread extends Thread<ThreadRequest> {
  #memory: MemoryCalls | undefined
  /** Answers calls instead of the thread, if it cannot start. */
  #host: SinkHost | undefined
  #last: Promise<unknown> = Promise.resolve()
  readonly #onWarning: (message: string) => void

  /** Does not start the thread yet. */
  constructor(onWarning: (message: string) => void = warn) {
    super(() => new URL('./sink-worker.js', import.meta.url), 'the thread that writes')
    this.#onWarning = onWarning
    // Looked up before the first save, which cannot wait for it: copies are of one moment.
    if (availableParallelism() > 1) {
      void libc().then(({ memory }) => {
        this.#memory = memory
      })
    }
  }

  override start(): void {
    if (this.#host !== undefined) return
    try {
      super.start()
    } catch (error) {
      if (!isUnavailable(error)) throw error
      this.#doWithout(error)
    }
  }

  override async call(request: ThreadRequest): Promise<unknown> {
    if (this.#host === undefined) {
      try {
        return await super.call(request)
      } catch (error) {
        // None of the calls so far has been carried out, and they arrive here in order.
        if (!isUnavailable(error)) throw error
        this.#doWithout(error)
      }
    }
    const host = this.#host!
    // The caller copies without help, and has finished by now.
    if (request.call === 'copy') return undefined
    const answer = this.#last.then(() => host.answer(request))
    this.#last = answer.catch(() => {})
    return answer
  }

  #doWithout(error: ThreadUnavailableError): void {
    this.#host ??= new SinkHost()
    if (warned) return
    warned = true
    this.#onWarning(
      `background saves use the trainer's own thread, because ${error.message}; in a bundle, ` +
        'leave lightwatch-checkpoint external',
    )
  }

  /**
   * Carries out copies before it returns. The thread helps if they are long and it is running. The targets must be in
   * memory that does not move.
   */
  copyTogether(copies: readonly Copy[]): void {
    const length = copies.reduce((sum, { source }) => sum + source.byteLength, 0)
    if (this.#memory === undefined || this.#host !== undefined || length < WORTH_HELP) {
      for (const { target, source } of copies) target.set(source)
      return
    }
    const calls = this.#memory
    const tasks = copies.map(({ target, source }) => ({
      target: calls.addressOf(target),
      source: calls.addressOf(source),
      length: source.byteLength,
    }))
    const done = workTogether(tasks, copyBy(calls), (list) => {
      // If the thread has died, the next call reports it.
      this.call({ call: 'copy', list }).catch(() => {})
    })
    for (const [i, { target, source }] of copies.entries()) if (!done[i]) target.set(source)
  }
}

/** The file that a ThreadSink writes. */
export interface ThreadSinkTarget {
  /** Absolute: the process may change its folder before the thread reads the path. */
  readonly path: string
  /** The file's name in messages. */
  readonly name: string
  /** As for a FileSink. */
  readonly durable: boolean
  readonly condition?: Condition | undefined
}

/**
 * A file that another thread writes. The calls are carried out in order, so the caller need not wait for each: the
 * calls after a failure report it. If the thread ends, calls are CKPT_NOT_COMMITTED, or CKPT_NOT_DURABLE from the
 * commit on.
 */
export class ThreadSink implements SummingSink {
  readonly path: string
  /** The thread has a queue. */
  readonly writesAtOnce = Number.POSITIVE_INFINITY
  readonly #thread: Pick<SinkThread, 'call' | 'start'>
  readonly #target: ThreadSinkTarget
  #temporary: string | undefined
  #committing = false

  /** Writes one file. `thread` must not be writing another one. */
  constructor(thread: Pick<SinkThread, 'call' | 'start'>, target: ThreadSinkTarget) {
    this.#thread = thread
    this.#target = target
    this.path = target.name
  }

  /** Starts the thread unless it is running. Does not wait for it. */
  async begin(length: number): Promise<void> {
    this.#thread.start()
    this.#call({ call: 'begin', ...this.#target, length }).then(
      (temporary) => {
        this.#temporary = temporary as string
      },
      () => {},
    )
  }

  async write(bytes: Uint8Array, position: number): Promise<void> {
    await this.writeSummed(bytes, position, [])
  }

  async writeSummed(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
  ): Promise<readonly number[]> {
    return (await this.#call({ call: 'write', bytes, position, ranges })) as number[]
  }

  async sync(): Promise<void> {
    await this.#call({ call: 'sync' })
  }

  async commit(): Promise<Durability> {
    this.#committing = true
    return (await this.#call({ call: 'commit' })) as Durability
  }

  async abort(): Promise<void> {
    try {
      await this.#thread.call({ call: 'abort' })
    } catch {
      // A thread that died has left its file behind. (After the commit, no file has that name.)
      if (this.#temporary !== undefined) await unlink(this.#temporary).catch(() => {})
    }
  }

  async #call(request: SinkRequest): Promise<unknown> {
    try {
      return await this.#thread.call(request)
    } catch (error) {
      throw hasEnded(error) ? threadEnded(error, this.#committing) : error
    }
  }
}

function threadEnded(cause: ThreadEndedError, committing: boolean): CheckpointError {
  return committing
    ? new CheckpointError(
        'CKPT_NOT_DURABLE',
        `it is uncertain whether the new checkpoint is in place: ${cause.message} during the commit`,
        { cause },
      )
    : new CheckpointError(
        'CKPT_NOT_COMMITTED',
        `nothing was saved, and what was there before is untouched: ${cause.message}`,
        { cause },
      )
}
