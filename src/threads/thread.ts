/**
 * Another thread, and calls to it. The thread runs a script that answers with `answerCalls`. If it dies, the unanswered
 * calls fail, and it can be started again.
 */

import { parentPort, Worker } from 'node:worker_threads'
import { fromPlainError, type PlainError, toPlainError } from './plain-error.js'

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** The thread ended during a call. What it had open and what it knew is lost. */
export class ThreadEndedError extends Error {
  override readonly name: string = 'ThreadEndedError'
}

/**
 * The thread could not start: its script is missing, as in a bundle, or the process may not have threads. None of its
 * calls has been carried out.
 */
export class ThreadUnavailableError extends ThreadEndedError {
  override readonly name = 'ThreadUnavailableError'
}

/** Whether a call failed because its thread had ended or could not start. */
export function hasEnded(error: unknown): error is ThreadEndedError {
  return (error as Partial<Error> | undefined)?.name === 'ThreadEndedError' || isUnavailable(error)
}

/** Whether a thread could not start. */
export function isUnavailable(error: unknown): error is ThreadUnavailableError {
  return (error as Partial<Error> | undefined)?.name === 'ThreadUnavailableError'
}

/** A worker and its unanswered calls. When the worker exits, only these calls are rejected. */
interface Crew {
  readonly worker: Worker
  readonly calls: Map<number, Call>
  /** Whether the script has been loaded. */
  ready: boolean
}

// The first message of a thread: its script has been loaded and answers calls.
const READY = 'ready'

/** An answer; `id` is that of the request. */
interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: PlainError
}

/** A thread that is started when it is needed, and again after it died. Calls that it has not answered by then reject. */
export class Thread<Request> {
  readonly #script: () => URL
  readonly #name: string
  #crew: Crew | undefined
  #ended: ThreadEndedError | undefined
  #lastId = 0

  /**
   * `script` returns the URL of the thread's script, or throws if there is none. `name` is for messages: "the thread
   * that writes".
   */
  constructor(script: () => URL, name: string) {
    this.#script = script
    this.#name = name
  }

  /** Starts the thread unless it is running. Throws a ThreadUnavailableError if it cannot start. */
  start(): void {
    try {
      this.#crew ??= this.#newCrew()
    } catch (cause) {
      // A CommonJS bundle lacks `import.meta.url`; a process without the permission lacks workers.
      throw new ThreadUnavailableError(`${this.#name} could not start (${String(cause)})`, {
        cause,
      })
    }
  }

  /**
   * Sends a request. The thread answers requests in order. Rejects with what the script threw, or with a
   * ThreadEndedError if the thread has ended or was never started.
   */
  async call(request: Request): Promise<unknown> {
    const crew = this.#crew
    // A new thread would not know what the old one had begun.
    if (crew === undefined) throw this.#ended ?? new ThreadEndedError('the thread was not started')
    const { worker, calls } = crew
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      calls.set(id, { resolve, reject })
      // The process stays alive while there is work; an idle thread does not keep it alive.
      worker.ref()
      worker.postMessage({ id, request })
    })
  }

  /** Ends the thread. No call may be under way. */
  async close(): Promise<void> {
    const worker = this.#crew?.worker
    this.#crew = undefined
    await worker?.terminate()
  }

  #newCrew(): Crew {
    // Without the trainer's own options (loaders, a debugger), which these scripts do not need.
    const worker = new Worker(this.#script(), { execArgv: [] })
    const crew: Crew = { worker, calls: new Map(), ready: false }
    const { calls } = crew
    worker.unref()
    worker.on('message', (reply: Reply | typeof READY) => {
      if (reply === READY) {
        crew.ready = true
        return
      }
      const { id, value, error } = reply
      const call = calls.get(id)
      calls.delete(id)
      if (calls.size === 0) worker.unref()
      if (error === undefined) call?.resolve(value)
      else call?.reject(fromPlainError(error))
    })
    const end = (how: string, options?: ErrorOptions): void => {
      const error = crew.ready
        ? new ThreadEndedError(`${this.#name} ended (${how})`, options)
        : new ThreadUnavailableError(`${this.#name} could not start (${how})`, options)
      if (this.#crew === crew) {
        this.#crew = undefined
        this.#ended = error
      }
      for (const [id, call] of calls) {
        calls.delete(id)
        call.reject(error)
      }
    }
    worker.on('error', (cause) => end(String(cause), { cause }))
    worker.on('exit', (code) => end(`code ${code}`))
    return crew
  }
}

/** In the thread's own script: answers calls one after the other, in order of arrival. */
export function answerCalls<Request>(answer: (request: Request) => unknown): void {
  let queue = Promise.resolve()
  parentPort?.on('message', ({ id, request }: { id: number; request: Request }) => {
    queue = queue.then(async () => {
      let reply: Reply
      try {
        reply = { id, value: await answer(request) }
      } catch (error) {
        reply = { id, error: toPlainError(error) }
      }
      parentPort?.postMessage(reply)
    })
  })
  parentPort?.postMessage(READY)
}
