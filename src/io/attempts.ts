/**
 * Requests to a server over a network that fails in passing: what is sent again and after which pause, and answers
 * whose bytes stall or break off.
 */

import { CheckpointError, messageOf } from '../errors.js'
import { orAborted } from './concurrency.js'

// Attempts without a byte of progress, and the pause after the first, in milliseconds.
const ATTEMPTS = 5
const PAUSE = 200

/** A server that sends no byte for so long, in milliseconds, is asked again. */
export const STALLED = 30_000

/** Statuses that pass: https://www.rfc-editor.org/rfc/rfc9110#section-15, and 425, 429. */
export const PASSING: readonly number[] = [408, 425, 429, 500, 502, 503, 504]

/** A failure that may pass: the same request is sent again, after `pause` milliseconds at least. */
export class Passing extends Error {
  readonly #pause: number

  constructor(message: string, { cause, pause = 0 }: { cause?: unknown; pause?: number } = {}) {
    super(message, { cause })
    this.#pause = pause
  }

  /** The pause after a failure that may pass; undefined for another error. */
  static pauseAfter(error: unknown): number | undefined {
    return typeof error === 'object' && error !== null && #pause in error ? error.#pause : undefined
  }
}

/** The failure of an answer with a status that passes. `retryAfter` is the header of that name. */
export function passingStatus(
  status: string,
  retryAfter: string | null | undefined,
  cause?: unknown,
): Passing {
  const seconds = Number(retryAfter ?? 0)
  return new Passing(`the server answered ${status}`, {
    cause,
    pause: seconds > 0 ? Math.min(seconds * 1000, STALLED) : 0,
  })
}

/**
 * Calls until it succeeds, or fails for good, or fails five times without progress (CKPT_READ). `progress` is any
 * number that grows while the calls get on. The signal ends a pause, with its reason.
 */
export async function attempt<T>(
  call: () => Promise<T>,
  { progress = () => 0, signal }: { progress?: () => number; signal?: AbortSignal } = {},
): Promise<T> {
  for (let failures = 0, before = 0; ; ) {
    try {
      return await call()
    } catch (error) {
      const least = Passing.pauseAfter(error)
      if (least === undefined) throw error
      const now = progress()
      failures = now > before ? 1 : failures + 1
      before = now
      if (failures === ATTEMPTS) {
        const { cause = error, message } = error as Error
        throw new CheckpointError('CKPT_READ', `${message}, ${ATTEMPTS} times`, { cause })
      }
      const pause = Math.max(least, PAUSE * 2 ** (failures - 1) * (0.5 + Math.random()))
      await pauseFor(pause, signal)
    }
  }
}

async function pauseFor(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const passed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, milliseconds)
  })
  await orAborted(passed, signal).finally(() => clearTimeout(timer))
}

/** The bytes of an answer, as they arrive: the reader of a web stream, or of what a client returns. */
export interface Arriving {
  read(): Promise<{ done: boolean; value?: Uint8Array | undefined }>
  /** Ends the answer, and frees its connection. */
  cancel(): Promise<void>
}

/**
 * Fills `before` and then `target`, whose bytes follow each other in the file; `target` begins at `position`. `ask`
 * sends a request for a range and returns the bytes of its answer. After a failure that passes, the next request is for
 * the bytes that are missing.
 */
export async function readRange(
  ask: (position: number, length: number) => Promise<Arriving>,
  target: Uint8Array,
  position: number,
  before: Uint8Array = new Uint8Array(0),
): Promise<void> {
  const start = position - before.byteLength
  const length = before.byteLength + target.byteLength
  if (length === 0) return
  let done = 0
  const take = (bytes: Uint8Array): void => {
    const head = bytes.subarray(0, Math.max(0, before.byteLength - done))
    if (head.byteLength > 0) before.set(head, done)
    target.set(bytes.subarray(head.byteLength), Math.max(0, done - before.byteLength))
    done += bytes.byteLength
  }
  await attempt(async () => receive(await ask(start + done, length - done), length - done, take), {
    progress: () => done,
  })
}

/** Gives the bytes of an answer to `take`, `length` in all. Throws if there are more or fewer. */
export async function receive(
  arriving: Arriving,
  length: number,
  take: (bytes: Uint8Array) => void,
): Promise<void> {
  let left = length
  try {
    for (;;) {
      const value = await nextOf(arriving)
      if (value === undefined) break
      if (value.byteLength > left) {
        throw new CheckpointError('CKPT_READ', 'the server sent more bytes than it was asked for', {
          expected: length,
        })
      }
      take(value)
      left -= value.byteLength
    }
  } finally {
    await arriving.cancel().catch(() => {})
  }
  if (left > 0) throw new Passing(`the answer ended ${left} bytes too early`)
}

/** The next bytes of an answer, undefined at its end; or a failure that may pass if none come. */
export async function nextOf(arriving: Arriving): Promise<Uint8Array | undefined> {
  let timeout: ReturnType<typeof setTimeout> | undefined
  const stalled = new Promise<never>((_, reject) => {
    timeout = setTimeout(() => reject(new Passing(`no byte came for ${STALLED / 1000} s`)), STALLED)
  })
  try {
    const { done, value } = await Promise.race([arriving.read(), stalled])
    return done ? undefined : value
  } catch (cause) {
    if (Passing.pauseAfter(cause) !== undefined) throw cause
    throw new Passing(`the answer broke off: ${reasonOf(cause)}`, { cause })
  } finally {
    clearTimeout(timeout)
  }
}

/** Why a request failed: Node's fetch says it in the cause. */
export function reasonOf(error: unknown): string {
  const { cause } = (error ?? {}) as { readonly cause?: unknown }
  return messageOf(cause ?? error)
}
