/** The workers of the page. They start when there is work, and each has one job at a time. */

import { fromPlainError } from '../../../src/threads/plain-error.js'
import type { Job, Part, Request, Response, ResultOf } from './jobs.js'
import { unpackStatistics } from './packed-statistics.js'

/** A worker as the pool needs it; a Worker of the browser is one. */
export interface WorkerLike {
  postMessage(message: Request): void
  addEventListener(type: 'message', listener: (event: { data: Response }) => void): void
  addEventListener(type: 'error', listener: (event: { message?: string }) => void): void
  terminate(): void
}

/** How a job is run. */
export interface RunOptions {
  /** A job that is no longer wanted ends soon, and rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** Jobs of a higher number are begun first (default 0); what a person looks at is above what lies below the fold. */
  readonly priority?: number
}

interface Waiting {
  readonly id: number
  readonly job: Job
  readonly priority: number
  readonly onPart: (part: Part<never>) => void
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

interface Hand {
  readonly worker: WorkerLike
  busy: Waiting | undefined
}

/** Runs jobs by up to `size` workers, which `start` makes. */
export class WorkerPool {
  readonly #start: () => WorkerLike
  readonly #size: number
  readonly #hands = new Set<Hand>()
  #queue: Waiting[] = []
  #lastId = 0
  #closed = false

  constructor(start: () => WorkerLike, size: number) {
    this.#start = start
    this.#size = Math.max(1, size)
  }

  /** Number of workers that there can be. */
  get size(): number {
    return this.#size
  }

  /** Starts the first worker before there is a job for it: that takes as long as much of the work. */
  warm(): void {
    if (this.#hands.size === 0 && !this.#closed) this.#begin()
  }

  /** Runs a job. Calls `onPart` with each result as it comes; resolves after the last one. */
  async run<K extends Job['kind']>(
    job: Extract<Job, { kind: K }>,
    onPart: (part: Part<ResultOf[K]>) => void,
    { signal, priority = 0 }: RunOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    if (this.#closed) throw new Error('the workers have been ended')
    const id = ++this.#lastId
    const cancel = (): void => this.#cancel(id, signal!.reason)
    signal?.addEventListener('abort', cancel)
    try {
      await new Promise<void>((resolve, reject) => {
        const waiting = { id, job, priority, onPart: onPart as Waiting['onPart'], resolve, reject }
        const before = this.#queue.findIndex((other) => other.priority < priority)
        this.#queue.splice(before === -1 ? this.#queue.length : before, 0, waiting)
        this.#assign()
      })
    } finally {
      signal?.removeEventListener('abort', cancel)
    }
  }

  /** Ends the workers. Jobs that are not finished reject. */
  close(): void {
    this.#closed = true
    const left = [...this.#queue]
    for (const { worker, busy } of this.#hands) {
      worker.terminate()
      if (busy !== undefined) left.push(busy)
    }
    this.#hands.clear()
    this.#queue = []
    for (const { reject } of left) reject(new Error('the workers have been ended'))
  }

  #assign(): void {
    for (;;) {
      if (this.#queue.length === 0) return
      let hand = [...this.#hands].find(({ busy }) => busy === undefined)
      if (hand === undefined) {
        if (this.#hands.size >= this.#size) return
        hand = this.#begin()
      }
      const waiting = this.#queue.shift()!
      hand.busy = waiting
      hand.worker.postMessage({ id: waiting.id, job: waiting.job })
    }
  }

  #begin(): Hand {
    const hand: Hand = { worker: this.#start(), busy: undefined }
    this.#hands.add(hand)
    hand.worker.addEventListener('message', ({ data }) => {
      const { busy } = hand
      // An answer to a job that was cancelled.
      const isCurrent = busy?.id === data.id
      if (!('end' in data)) {
        if (!isCurrent) return
        const parts = 'parts' in data ? data.parts : unpackStatistics(data.statistics)
        for (const part of parts) busy!.onPart(part as Part<never>)
        return
      }
      if (!isCurrent) return
      hand.busy = undefined
      if (data.error === undefined) busy!.resolve()
      else busy!.reject(fromPlainError(data.error))
      this.#assign()
    })
    hand.worker.addEventListener('error', ({ message }) => {
      // The next job gets a worker of its own.
      this.#hands.delete(hand)
      hand.worker.terminate()
      hand.busy?.reject(new Error(`a worker failed${message ? `: ${message}` : ''}`))
      this.#assign()
    })
    return hand
  }

  /** The caller hears of it at once. The worker stays busy until it has stopped. */
  #cancel(id: number, reason: unknown): void {
    const waiting = this.#queue.find((other) => other.id === id)
    if (waiting !== undefined) {
      this.#queue = this.#queue.filter((other) => other !== waiting)
      waiting.reject(reason)
      return
    }
    for (const hand of this.#hands) {
      if (hand.busy?.id !== id) continue
      hand.worker.postMessage({ id, cancel: true })
      hand.busy.reject(reason)
      hand.busy = { ...hand.busy, onPart: () => {}, resolve: () => {}, reject: () => {} }
    }
  }
}
