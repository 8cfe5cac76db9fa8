/** A process that saves once, and the messages between it and its parent. */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { CheckpointErrorCode } from '../../../src/errors.js'
import type { Durability } from '../../../src/io/sink.js'
import { undoAtExit } from './clean-up.js'
import { cppSaver, description } from './cpp.js'
import { compiled } from './library.js'
import type { Mutant } from './mutants.js'

export interface SaveOnce {
  readonly path: string
  readonly step: number
  readonly saver?: number
  /**
   * Another way to save than `saveCheckpoint`. A manager names files itself, so the path must fit. `cpp` is the library
   * of bindings/cpp in a program of its own, which knows only path, step and saver.
   */
  readonly by?: 'background' | 'manager' | 'C++'
  /** Paths that it saves earlier steps to, before any fault. */
  readonly before?: readonly string[]
  readonly mutant?: Mutant
  /** The user and group that the process becomes before it saves. */
  readonly user?: number
  /** The number of further files that the process may open. */
  readonly descriptors?: number
}

/** Its threads. */
export interface Threads {
  readonly main: number
  /** The one that makes the asynchronous calls. */
  readonly worker: number
  /** The thread that writes, if the save is in the background. */
  readonly saver?: number | undefined
}

/** The result of the save, if it ended. */
export interface Outcome {
  /** If it resolved. */
  readonly durability?: Durability | undefined
  /** If it rejected. */
  readonly message?: string | undefined
  readonly code?: CheckpointErrorCode | undefined
  /** The system's name for the cause. */
  readonly cause?: string | undefined
}

/** Names of files that do not exist: an access to them marks the save in a trace. */
export const BEGIN = '/lightwatch-save-begins'
export const END = '/lightwatch-save-ends'

export interface SaveOnceOptions {
  /** Program and arguments that start it in their own way, such as `prlimit`. */
  readonly wrapper?: readonly string[]
  readonly environment?: NodeJS.ProcessEnv
}

/** A process that is ready to save. */
export class Saver {
  readonly threads: Threads
  /** Resolves when it has ended, with the signal that killed it and its outcome, if any. */
  readonly ended: Promise<{ readonly signal: NodeJS.Signals | null; readonly outcome?: Outcome }>
  readonly #process: ChildProcess
  readonly #outcome: Promise<Outcome | undefined>

  private constructor(child: ChildProcess, threads: Threads, lines: AsyncIterator<string>) {
    this.#process = child
    this.threads = threads
    this.#outcome = lines.next().then(({ value }) => value && JSON.parse(value))
    this.ended = Promise.all([once(child, 'close'), this.#outcome]).then(
      ([[, signal], outcome]) => ({ signal, ...(outcome === undefined ? {} : { outcome }) }),
    )
  }

  /** Starts it and waits until it is ready. */
  static async start(
    job: SaveOnce,
    { wrapper = [], environment = {} }: SaveOnceOptions = {},
  ): Promise<Saver> {
    const command =
      job.by === 'C++'
        ? [await cppSaver(), await description(job.step, job.saver), job.path]
        : [process.execPath, await compiled('save-once'), JSON.stringify(job)]
    const [program, ...args] = [...wrapper, ...command]
    const child = spawn(program!, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      // One worker, so that its calls have an order; and calls, which a tracer sees, no io_uring.
      env: { ...process.env, UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0', ...environment },
    })
    const stop = undoAtExit(() => child.kill('SIGKILL'))
    child.on('close', stop)
    let errors = ''
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text
    })
    // It may have ended before it is told to begin.
    child.stdin.on('error', () => {})
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    const { value } = await lines.next()
    if (value === undefined) {
      await once(child, 'close').catch(() => {})
      throw new Error(`${program} ended before it was ready: ${errors}`)
    }
    return new Saver(child, JSON.parse(value), lines)
  }

  /** Tells the process to save. */
  begin(): void {
    this.#process.stdin?.end('!')
  }

  /** Kills it if it has not ended, so that a test that fails leaves nothing that waits. */
  kill(): void {
    this.#process.kill('SIGKILL')
  }

  /** Tells it to save, and waits for the result. The process may still be running then. */
  async save(): Promise<Outcome | undefined> {
    this.begin()
    return this.#outcome
  }
}
