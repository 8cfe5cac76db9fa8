/**
 * A thread that writes, and calls to it. Started when it is first needed; if it dies, the save that it
 * was at fails, and the next one has a new thread.
 */

import { Worker } from 'node:worker_threads'
import { fromPlainError, type SinkReply, type SinkRequest } from './sink-protocol.js'

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

/** The thread ended in the middle of a call: what it had open is gone, and so is what it knew. */
export class ThreadEndedError extends Error {
  override readonly name = 'ThreadEndedError'
}

/** A worker with the calls that it has not answered. Of each its own: an end is that of one worker. */
interface Crew {
  readonly worker: Worker
  readonly calls: Map<number, Call>
}

export class SinkThread {
  #crew: Crew | undefined
  #ended: ThreadEndedError | undefined
  #lastId = 0

  /**
   * Calls are carried out one after the other; `begin` starts the thread where there is none. Rejects
   * with what the sink threw, or with a ThreadEndedError.
   */
  async call(request: SinkRequest): Promise<unknown> {
    if (request.call === 'begin') this.#crew ??= this.#start()
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

  #start(): Crew {
    const worker = new Worker(new URL('./sink-worker.js', import.meta.url), {
      // Not those of the trainer (loaders, a debugger): this thread needs none of them.
      execArgv: [],
    })
    const crew: Crew = { worker, calls: new Map() }
    const { calls } = crew
    worker.unref()
    worker.on('message', ({ id, value, error }: SinkReply) => {
      const call = calls.get(id)
      calls.delete(id)
      if (calls.size === 0) worker.unref()
      if (error === undefined) call?.resolve(value)
      else call?.reject(fromPlainError(error))
    })
    const end = (error: ThreadEndedError): void => {
      if (this.#crew === crew) {
        this.#crew = undefined
        this.#ended = error
      }
      for (const [id, call] of calls) {
        calls.delete(id)
        call.reject(error)
      }
    }
    worker.on('error', (cause) => {
      end(new ThreadEndedError(`the thread that writes ended (${String(cause)})`, { cause }))
    })
    worker.on('exit', (code) => {
      end(new ThreadEndedError(`the thread that writes ended (code ${code})`))
    })
    return crew
  }
}
