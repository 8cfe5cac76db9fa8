/**
 * Another thread, and calls to it. It runs a script that answers with `answerCalls`; if it dies, the
 * calls that it was at fail, and it can be started anew.
 */

import { parentPort, Worker } from 'node:worker_threads'
import { fromPlainError, type PlainError, toPlainError } from './plain-error.js'

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** The thread ended in the middle of a call: what it had open is gone, and so is what it knew. */
export class ThreadEndedError extends Error {
  override readonly name: string = 'ThreadEndedError'
}

/**
 * The thread could not be started: its script is missing, as in a bundle, or the process may have no
 * threads. Nothing that was asked of it has been done.
 */
export class ThreadUnavailableError extends ThreadEndedError {
  override readonly name = 'ThreadUnavailableError'
}

/** Whether a call failed because its thread had ended, or had not been started. */
export function hasEnded(error: unknown): error is ThreadEndedError {
  return (error as Partial<Error> | undefined)?.name === 'ThreadEndedError' || isUnavailable(error)
}

/** Whether a thread could not be started. */
export function isUnavailable(error: unknown): error is ThreadUnavailableError {
  return (error as Partial<Error> | undefined)?.name === 'ThreadUnavailableError'
}

/** A worker and its unanswered calls. When it exits, only its calls are rejected. */
interface Crew {
  readonly worker: Worker
  readonly calls: Map<number, Call>
  /** Whether its script has been loaded. */
  ready: boolean
}

// The first message of a thread: its script has been loaded, and answers calls.
const READY = 'ready'

/** An answer; `id` is that of the request. */
interface Reply {
  readonly id: number
  readonly value?: unknown
  readonly error?: PlainError
}

export class Thread<Request> {
  readonly #script: () => URL
  readonly #name: string
  #crew: Crew | undefined
  #ended: ThreadEndedError | undefined
  #lastId = 0

  /**
   * `script` gives the URL of the thread's script, or throws where there is none. `name` stands in
   * messages: "the thread that writes".
   */
  constructor(script: () => URL, name: string) {
    this.#script = script
    this.#name = name
  }

  /** Starts the thread if there is none. Throws a ThreadUnavailableError where none can be had. */
  start(): void {
    try {
      this.#crew ??= this.#newCrew()
    } catch (cause) {
      // A CommonJS bundle has no `import.meta.url`; a process without the permission has no workers.
      throw new ThreadUnavailableError(`${this.#name} could not start (${String(cause)})`, {
        cause,
      })
    }
  }

  /**
   * Calls are answered one after the other. Rejects with what the script threw, or, also where the
   * thread has not been started, with a ThreadEndedError.
   */
  async call(request: Request): Promise<unknown> {
    const crew = this.#crew
    // A new thread would know nothing of what the old one had begun.
    if (crew === undefined) throw this.#ended ?? new ThreadEndedError('there is no thread')
    const { worker, calls } = crew
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      calls.set(id, { resolve, reject })
      // While there is work the process stays; an idle thread does not keep it.
      worker.ref()
      worker.postMessage({ id, request })
    })
  }

  /** Ends the thread. Nothing may be under way. */
  async close(): Promise<void> {
    const worker = this.#crew?.worker
    this.#crew = undefined
    await worker?.terminate()
  }

  #newCrew(): Crew {
    // Not the trainer's own options (loaders, a debugger): our scripts need none of them.
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

/** In the thread's own script: answers calls, one after the other, in the order in which they came. */
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
