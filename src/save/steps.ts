/**
 * Work with a trainer that may answer at once or later. An `await` of an answer that is there already would yield to
 * the event loop, and the weights could change; so such work is written as a generator, which waits only for promises.
 */

import { orAborted } from '../io/concurrency.js'

/** Work that is synchronous where possible. It yields values that may be promises, and is sent what they resolve to. */
export type Steps<T> = Generator<unknown, T, unknown>

/** Carries out `steps`: synchronously if no step must wait, otherwise as a promise, which an abort rejects. */
export function carryOutSteps<T>(
  steps: Steps<T>,
  signal: AbortSignal | undefined,
  beforeTurn: () => void = () => {},
): T | Promise<T> {
  let step = steps.next()
  while (!step.done) {
    if (isThenable(step.value)) return waitAndGoOn(steps, step.value, signal, beforeTurn)
    step = steps.next(step.value)
  }
  return step.value
}

async function waitAndGoOn<T>(
  steps: Steps<T>,
  first: PromiseLike<unknown>,
  signal: AbortSignal | undefined,
  beforeTurn: () => void,
): Promise<T> {
  let wanted: unknown = first
  for (;;) {
    let step: IteratorResult<unknown, T>
    try {
      if (isThenable(wanted)) {
        beforeTurn()
        wanted = await orAborted(wanted, signal)
      }
      step = steps.next(wanted)
    } catch (error) {
      step = steps.throw(error)
    }
    if (step.done) return step.value
    wanted = step.value
  }
}

/** Whether a value is a promise, of any realm or library. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as PromiseLike<unknown> | undefined)?.then === 'function'
}
