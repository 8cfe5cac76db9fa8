/** A sink in memory that records its calls, in order. */

import { setImmediate } from 'node:timers/promises'
import type { Sink } from '../../src/io/sink.js'

export type Step = 'begin' | 'write' | 'sync' | 'commit' | 'abort'

export class RecordingSink implements Sink {
  readonly path = undefined
  readonly steps: Step[] = []
  /** Set by the commit. */
  bytes: Uint8Array | undefined
  #draft = new Uint8Array(0)
  #running = 0
  readonly #before: (step: Step, index: number) => void | Promise<void>

  /** Calls `before` with each step; if that throws, the step fails. Steps take a few turns of the event loop. */
  constructor(before: (step: Step, index: number) => void | Promise<void> = () => {}) {
    this.#before = before
  }

  begin(length: number): Promise<void> {
    return this.#step('begin', () => {
      this.#draft = new Uint8Array(length)
    })
  }

  write(bytes: Uint8Array, position: number): Promise<void> {
    return this.#step('write', () => {
      // The result for bytes that are detached meanwhile is undefined.
      if (bytes.byteLength > 0) this.#draft.set(bytes, position)
    })
  }

  sync(): Promise<void> {
    return this.#step('sync', () => {})
  }

  async commit() {
    await this.#step('commit', () => {
      this.bytes = this.#draft
    })
    return 'durable' as const
  }

  async abort(): Promise<void> {
    if (this.#running > 0) throw new Error(`aborted in the middle of a ${this.steps.at(-1)}`)
    this.steps.push('abort')
  }

  async #step(step: Step, run: () => void): Promise<void> {
    const index = this.steps.length
    this.steps.push(step)
    this.#running++
    try {
      await setImmediate()
      await this.#before(step, index)
      await setImmediate()
      // At the end, as a disk may do: bytes that are changed meanwhile arrive changed.
      run()
    } finally {
      this.#running--
    }
  }
}
