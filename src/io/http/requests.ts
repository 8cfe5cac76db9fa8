/**
 * Requests for ranges of one version of a file: the server's ETag, the time of the last change and the length must
 * stay those of the first answer. What fails in passing is asked for again, from where the bytes ended.
 */

import { CheckpointError, messageOf } from '../../errors.js'
import { quote } from '../../printable.js'

// Attempts without a byte of progress, and the pause after the first, in milliseconds.
const ATTEMPTS = 5
const PAUSE = 200

// A server that sends no byte for so long, in milliseconds, is asked again.
const STALLED = 30_000

// Answers of a redirect's target that has expired: the first address gives a new one.
const EXPIRED = [400, 401, 403, 404, 410]

// Answers that pass: https://www.rfc-editor.org/rfc/rfc9110#section-15, and 425, 429.
const PASSING = [408, 425, 429, 500, 502, 503, 504]

/** An address without what may be secret: the query (a signature), the user and the password. */
export function publicAddress(url: string | URL): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
}

/** A failure that may pass: the same request is sent again, after `pause` milliseconds at least. */
class Passing extends Error {
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

/** Requests for parts of one version of a file. */
export class Requests {
  readonly #url: URL
  readonly #headers: Readonly<Record<string, string>>
  /** Where the last redirect led: asked directly, until it refuses. */
  #target: URL
  #version: Version | undefined

  constructor(url: URL, headers: Readonly<Record<string, string>>) {
    this.#url = url
    this.#target = url
    this.#headers = headers
  }

  /** Fills `before` and then `target`, whose bytes follow each other in the file; `target` begins at `position`. */
  async read(target: Uint8Array, position: number, before = new Uint8Array(0)): Promise<void> {
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
    await this.attempt(
      async () => {
        const response = await this.send(start + done, length - done)
        if (response.status !== 206) {
          await discard(response)
          throw changed(this.#url, 'it was answered as a whole')
        }
        await receive(response, length - done, take)
      },
      () => done,
    )
  }

  /** Sends a request for a range. Throws unless it is answered 200, 206 or 416, and by the same version. */
  async send(position: number, length: number): Promise<Response> {
    const target = this.#target
    const headers = new Headers(target.origin === this.#url.origin ? this.#headers : {})
    headers.set('range', `bytes=${position}-${position + length - 1}`)
    // With a range, fetch asks for bytes that are not compressed.
    const etag = this.#version?.etag
    // A browser asks another origin for leave to send this one, which many servers do not give.
    if (etag?.startsWith('"') && !isForeign(target)) headers.set('if-match', etag)
    const timer = new AbortController()
    const timeout = setTimeout(() => timer.abort(), STALLED)
    let response: Response
    try {
      response = await fetch(target, { headers, cache: 'no-store', signal: timer.signal })
    } catch (cause) {
      throw new Passing(`there was no answer: ${reasonOf(cause)}`, { cause })
    } finally {
      clearTimeout(timeout)
    }
    try {
      this.#examine(response, target)
    } catch (error) {
      await discard(response)
      throw error
    }
    if (response.redirected && response.url !== '') this.#target = new URL(response.url)
    return response
  }

  /** The length of the file, of its first answer. */
  async sizeOf(response: Response): Promise<number> {
    const size = Number(
      /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1],
    )
    if (Number.isSafeInteger(size)) return size
    await discard(response)
    throw new CheckpointError(
      'CKPT_READ',
      'expected a Content-Range header with the length of the file, found ' +
        `${quote(response.headers.get('content-range') ?? 'none')}; a server of another origin must list ` +
        'Content-Range and ETag in Access-Control-Expose-Headers',
    )
  }

  /** Calls until it succeeds, or fails for good, or fails too often without progress. */
  async attempt<T>(call: () => Promise<T>, progress = () => 0): Promise<T> {
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
        await new Promise((resolve) => setTimeout(resolve, pause))
      }
    }
  }

  #examine(response: Response, target: URL): void {
    const { status } = response
    if (status === 412) throw changed(this.#url, 'the server has another version')
    if (target !== this.#url && EXPIRED.includes(status)) {
      this.#target = this.#url
      throw new Passing(`the address that it redirects to answered ${status}`)
    }
    if (PASSING.includes(status)) {
      const seconds = Number(response.headers.get('retry-after') ?? 0)
      throw new Passing(`the server answered ${statusOf(response)}`, {
        pause: seconds > 0 ? Math.min(seconds * 1000, STALLED) : 0,
      })
    }
    if (status !== 200 && status !== 206 && status !== 416) {
      const remedy =
        status === 401 || status === 403
          ? '; pass `headers` with an authorization, or an address that has not expired'
          : ''
      throw new CheckpointError('CKPT_READ', `the server answered ${statusOf(response)}${remedy}`, {
        actual: status,
      })
    }
    const encoding = response.headers.get('content-encoding')
    if (status === 206 && encoding !== null && encoding !== 'identity') {
      throw new CheckpointError(
        'CKPT_READ',
        `expected the bytes of the file, found them compressed (${encoding}): ask the server not to`,
      )
    }
    if (status === 206) this.#compareVersion(versionOf(response))
  }

  #compareVersion(found: Version): void {
    this.#version ??= found
    for (const key of ['etag', 'modified', 'size'] as const) {
      const before = this.#version[key]
      if (before !== undefined && found[key] !== undefined && found[key] !== before) {
        throw changed(this.#url, `its ${NAMES[key]} was ${before}, and is ${found[key]}`)
      }
    }
  }
}

/** What tells one version of a file from another, as far as the server says. */
interface Version {
  readonly etag: string | undefined
  readonly modified: string | undefined
  readonly size: string | undefined
}

const NAMES = { etag: 'ETag', modified: 'time of change', size: 'length' }

function versionOf({ headers }: Response): Version {
  return {
    etag: headers.get('etag') ?? undefined,
    modified: headers.get('last-modified') ?? undefined,
    size: headers.get('content-range')?.split('/')[1],
  }
}

/** Whether a page of another origin asks. */
function isForeign(target: URL): boolean {
  const { origin } = (globalThis as { location?: { origin?: string } }).location ?? {}
  return origin !== undefined && origin !== target.origin
}

/** Gives the next bytes of a response to `take`, `length` in all. */
async function receive(
  response: Response,
  length: number,
  take: (bytes: Uint8Array) => void,
): Promise<void> {
  const reader = response.body!.getReader()
  let left = length
  try {
    for (;;) {
      const { done, value } = await nextOf(reader)
      if (done) break
      if (value.byteLength > left) {
        throw new CheckpointError('CKPT_READ', 'the server sent more bytes than it was asked for', {
          expected: length,
        })
      }
      take(value)
      left -= value.byteLength
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
  if (left > 0) throw new Passing(`the answer ended ${left} bytes too early`)
}

/** Fills `target` with the bytes of an answer. Throws if there are more or fewer. */
export async function fill(response: Response, target: Uint8Array): Promise<void> {
  let done = 0
  await receive(response, target.byteLength, (bytes) => {
    target.set(bytes, done)
    done += bytes.byteLength
  })
}

/** The next bytes of an answer, or a failure that may pass if none come. */
export async function nextOf(
  reader: ReadableStreamDefaultReader<Uint8Array>,
): Promise<{ done: true; value?: undefined } | { done: false; value: Uint8Array }> {
  let timeout: ReturnType<typeof setTimeout> | undefined
  const stalled = new Promise<never>((_, reject) => {
    timeout = setTimeout(() => reject(new Passing(`no byte came for ${STALLED / 1000} s`)), STALLED)
  })
  try {
    const next = await Promise.race([reader.read(), stalled])
    return next.done ? { done: true } : { done: false, value: next.value }
  } catch (cause) {
    if (Passing.pauseAfter(cause) !== undefined) throw cause
    throw new Passing(`the answer broke off: ${reasonOf(cause)}`, { cause })
  } finally {
    clearTimeout(timeout)
  }
}

/** Lets the connection of an answer go back to the others. */
export async function discard(response: Response): Promise<void> {
  await response.body?.cancel().catch(() => {})
}

function changed(url: URL, how: string): CheckpointError {
  return new CheckpointError(
    'CKPT_FILE_CHANGED',
    `${quote(publicAddress(url))} was changed while it was being read: ${how}`,
  )
}

function statusOf({ status, statusText }: Response): string {
  return statusText === '' ? String(status) : `${status} ${statusText}`
}

/** Why a fetch failed: Node says it in the cause. */
function reasonOf(error: unknown): string {
  const { cause } = (error ?? {}) as { readonly cause?: unknown }
  return messageOf(cause ?? error)
}
