/** Jobs that the server of `ckpt view` carries out: a worker to the pool, and a request for each job. */

import { toPlainError } from '../../../src/threads/plain-error.js'
import type { Job, Response as JobResponse, Request } from './jobs.js'
import type { WorkerLike } from './pool.js'
import { fromText, toText } from './wire.js'

type Listener = (event: { data: JobResponse }) => void

/** A worker that sends its jobs to `address`. */
export class ServerWorker implements WorkerLike {
  readonly #address: string
  readonly #running = new Map<number, AbortController>()
  #listener: Listener = () => {}

  constructor(address: string) {
    this.#address = address
  }

  postMessage(message: Request): void {
    if ('cancel' in message) this.#running.get(message.id)?.abort()
    else this.#run(message.id, message.job)
  }

  /** There is one listener. A job that fails is a message, so that no error comes. */
  addEventListener(type: 'message' | 'error', listener: (event: never) => void): void {
    if (type === 'message') this.#listener = listener as Listener
  }

  terminate(): void {
    this.#listener = () => {}
    for (const controller of this.#running.values()) controller.abort()
  }

  async #run(id: number, job: Job): Promise<void> {
    const controller = new AbortController()
    this.#running.set(id, controller)
    try {
      const answer = await fetch(this.#address, {
        method: 'POST',
        body: toText(job),
        cache: 'no-store',
        signal: controller.signal,
      })
      if (!answer.ok) throw new Error(`the server of ckpt view answered ${answer.status}`)
      let hasEnded = false
      for await (const line of linesOf(answer.body!)) {
        const response = fromText(line) as Omit<JobResponse, 'id'>
        hasEnded ||= 'end' in response
        if (hasEnded) this.#running.delete(id)
        this.#listener({ data: { ...response, id } as JobResponse })
      }
      if (!hasEnded) throw new Error('the server of ckpt view has ended: start it again')
    } catch (error) {
      this.#running.delete(id)
      const reason = error instanceof TypeError ? unreachable(error) : error
      this.#listener({ data: { id, end: true, error: toPlainError(reason) } })
    }
  }
}

/** fetch() says no more than that it failed. */
function unreachable(cause: TypeError): Error {
  return new Error('the server of ckpt view does not answer: start it again', { cause })
}

/** The lines of a text that comes in pieces. */
async function* linesOf(body: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader()
  const begun: string[] = []
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    const [first, ...more] = value.split('\n')
    begun.push(first!)
    for (const next of more) {
      yield begun.splice(0).join('')
      begun.push(next)
    }
  }
}
