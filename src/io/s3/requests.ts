/** The requests of one save to a bucket: what they share, how they are stopped, and what their failures mean. */

import { CheckpointError, isCheckpointError, messageOf } from '../../errors.js'
import { attempt } from '../attempts.js'
import type { Condition } from '../store.js'
import type { S3Api, S3RequestName, S3Requests } from './api.js'
import { ask, refusesChecksums } from './failures.js'
import type { ChecksumKind, ServerKnowledge } from './server.js'

/** What a sink knows of its bucket, and remembers for the next one. */
export interface S3Place {
  readonly api: S3Api
  readonly key: string
  /** The location in messages. */
  readonly path: string
  readonly condition: Condition | undefined
  /** Parts that are in memory at once. */
  readonly partsAtOnce: number
  /** Least length of a part in bytes. */
  readonly partLength: number
  readonly server: ServerKnowledge
  /** Ends uploads of dead savers. Never rejects. */
  sweep(): Promise<void>
}

// The part of the time for other requests in which one that must not be cut off at once is answered after all.
const GRACE = 0.1

/** Sends the requests of one save. */
export class SaveRequests {
  readonly place: S3Place
  readonly #stopped = new AbortController()

  constructor(place: S3Place) {
    this.place = place
  }

  /** Is aborted when the save is. */
  get signal(): AbortSignal {
    return this.#stopped.signal
  }

  /** Cuts off all requests, and those that follow. */
  stop(reason: unknown): void {
    this.#stopped.abort(reason)
  }

  /** Sends a request once. */
  ask<Name extends S3RequestName>(name: Name, input: S3Requests[Name]['in'], patience?: number) {
    return ask(this.place.api, name, input, this.signal, patience)
  }

  /** Sends a request that `stop` leaves a little time, because what has become of it should be known. */
  async askUncut<Name extends S3RequestName>(
    name: Name,
    input: S3Requests[Name]['in'],
    patience?: number,
  ): Promise<S3Requests[Name]['out']> {
    const { api } = this.place
    const { signal } = this
    signal.throwIfAborted()
    const cut = new AbortController()
    let timer: ReturnType<typeof setTimeout> | undefined
    const soon = (): void => {
      timer = setTimeout(() => cut.abort(signal.reason), api.stalledAfter * GRACE)
    }
    signal.addEventListener('abort', soon)
    try {
      return await ask(api, name, input, cut.signal, patience)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', soon)
    }
  }

  /** Calls until it succeeds, or fails for good. */
  attempt<T>(call: () => Promise<T>): Promise<T> {
    return attempt(call, { signal: this.signal })
  }

  /** Calls with checksums of this kind if the server may take them, and without if it refuses. The next sinks know too. */
  async withChecksums<T>(kind: ChecksumKind, call: (checksums: boolean) => Promise<T>): Promise<T> {
    const { takes } = this.place.server
    try {
      const answer = await call(takes[kind] !== false)
      takes[kind] ??= true
      return answer
    } catch (error) {
      if (takes[kind] !== undefined || !refusesChecksums(error)) throw error
      takes[kind] = false
      return call(false)
    }
  }

  /** Runs a step. What fails becomes CKPT_NOT_COMMITTED. */
  async step<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (cause) {
      if (this.signal.aborted && cause === this.signal.reason) throw cause
      if (isCheckpointError(cause) && cause.code !== 'CKPT_READ') throw cause
      const reason = messageOf(cause)
      throw new CheckpointError(
        'CKPT_NOT_COMMITTED',
        `nothing was saved, and what was there before is untouched: ${reason}`,
        { cause },
      ).withPath(this.place.path)
    }
  }
}
