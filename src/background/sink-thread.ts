/** A thread that writes, and calls to it. Started when it is first needed, and again if it dies. */

import { Worker } from 'node:worker_threads'
import { fromPlainError, type SinkReply, type SinkRequest } from './sink-protocol.js'

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

export class SinkThread {
  #worker: Worker | undefined
  readonly #calls = new Map<number, Call>()
  #lastId = 0

  /** Calls are carried out one after the other. Rejects with what the sink threw. */
  call(request: SinkRequest): Promise<unknown> {
    const worker = this.#start()
    const id = ++this.#lastId
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve, reject })
      // While there is work the process stays; an idle thread does not keep it.
      worker.ref()
      worker.postMessage({ id, request })
    })
  }

  /** Ends the thread. Nothing may be under way. */
  async close(): Promise<void> {
    const worker = this.#worker
    this.#worker = undefined
    await worker?.terminate()
  }

  #start(): Worker {
    if (this.#worker !== undefined) return this.#worker
    const worker = new Worker(new URL('./sink-worker.js', import.meta.url))
    worker.unref()
    worker.on('message', ({ id, value, error }: SinkReply) => {
      const call = this.#calls.get(id)
      this.#calls.delete(id)
      if (this.#calls.size === 0) worker.unref()
      if (error === undefined) call?.resolve(value)
      else call?.reject(fromPlainError(error))
    })
    const died = (error: Error): void => {
      if (this.#worker === worker) this.#worker = undefined
      for (const [id, call] of this.#calls) {
        this.#calls.delete(id)
        call.reject(error)
      }
    }
    worker.on('error', died)
    worker.on('exit', (code) => died(new Error(`the thread that writes ended, with code ${code}`)))
    this.#worker = worker
    return worker
  }
}
