/** The threads of `ckpt view` that compute what its page shows. What a job is, only the viewer knows. */

import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { messageOf } from '../../errors.js'

// More of them than these read no faster.
const MOST = 4

/** What a thread is started with. */
export interface ThreadData {
  /** As on the command line. */
  readonly location: string
  /** Whether it has no job yet, and may read ahead. */
  readonly readsAhead: boolean
}

interface Job {
  readonly onText: (text: string) => void
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

interface Hand {
  readonly thread: Worker
  readonly jobs: Map<number, Job>
}

interface Answer {
  readonly id: number
  readonly text: string
  readonly isEnd: boolean
}

/** Runs jobs on the files of a location, in threads that start when there is work, and last until `close`. */
export class JobThreads {
  readonly #script: URL
  readonly #location: string
  readonly #hands: Hand[] = []
  #lastId = 0

  /** `script`: the program of the threads, which is part of the viewer. `location`: as on the command line. */
  constructor(script: URL, location: string) {
    this.#script = script
    this.#location = location
  }

  /** Starts the first thread before there is a job for it. It reads ahead what the first job will ask for. */
  warm(): void {
    if (this.#hands.length === 0) this.#begin(true)
  }

  /**
   * Runs a job. Calls `onText` with each piece of the answer; resolves after the last one. A signal ends the job soon,
   * and its last piece says so. Rejects if its thread ends; the next job gets another one.
   */
  async run(job: string, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { thread, jobs } = this.#free() ?? this.#begin()
    const id = ++this.#lastId
    const cancel = (): void => thread.postMessage({ id, cancel: true })
    signal.addEventListener('abort', cancel)
    try {
      await new Promise<void>((resolve, reject) => {
        jobs.set(id, { onText, resolve, reject })
        thread.postMessage({ id, text: job })
      })
    } finally {
      signal.removeEventListener('abort', cancel)
      jobs.delete(id)
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#hands.splice(0).map(({ thread }) => thread.terminate()))
  }

  /** The thread with the fewest jobs; undefined if another one may start instead. */
  #free(): Hand | undefined {
    const [first] = this.#hands.slice().sort((a, b) => a.jobs.size - b.jobs.size)
    const isFull = this.#hands.length >= Math.min(MOST, availableParallelism())
    return first !== undefined && (first.jobs.size === 0 || isFull) ? first : undefined
  }

  #begin(readsAhead = false): Hand {
    const workerData: ThreadData = { location: this.#location, readsAhead }
    const thread = new Worker(this.#script, { workerData })
    const hand: Hand = { thread, jobs: new Map() }
    const end = (error: Error): void => {
      const at = this.#hands.indexOf(hand)
      if (at !== -1) this.#hands.splice(at, 1)
      for (const job of hand.jobs.values()) job.reject(error)
    }
    thread.on('message', ({ id, text, isEnd }: Answer) => {
      const job = hand.jobs.get(id)
      job?.onText(text)
      if (isEnd) job?.resolve()
    })
    thread.on('error', (cause) => {
      end(new Error(`the thread has failed: ${messageOf(cause)}`, { cause }))
    })
    thread.on('exit', () => end(new Error('the thread has ended')))
    this.#hands.push(hand)
    return hand
  }
}
