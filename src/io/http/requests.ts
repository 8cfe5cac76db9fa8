/**
 * Requests for ranges of one version of a file: the server's ETag, the time of the last change and the length must
 * stay those of the first answer. What fails in passing is asked for again, from where the bytes ended.
 */

import { CheckpointError } from '../../errors.js'
import { quote } from '../../printable.js'
import {
  type Arriving,
  PASSING,
  Passing,
  passingStatus,
  readRange,
  reasonOf,
  STALLED,
} from '../attempts.js'
import { bodyReader } from './body.js'

// Redirects of one request, as fetch has it.
const MOST_REDIRECTS = 20

// Answers of a redirect's target that has expired: the first address gives a new one.
const EXPIRED = [400, 401, 403, 404, 410]

/** An address without what may be secret: the query (a signature), the user and the password. */
export function publicAddress(url: string | URL): string {
  const { origin, pathname } = new URL(url)
  return `${origin}${pathname}`
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

  /** Text that no other version has; undefined before the first answer, and if the server does not tell versions apart. */
  get identity(): string | undefined {
    const { etag, size } = this.#version ?? {}
    // A weak one allows other bytes.
    return etag?.startsWith('"') ? `${publicAddress(this.#url)} ${etag} ${size}` : undefined
  }

  /** Fills `before` and then `target`, whose bytes follow each other in the file; `target` begins at `position`. */
  read(target: Uint8Array, position: number, before?: Uint8Array): Promise<void> {
    const ask = async (position: number, length: number): Promise<Arriving> => {
      const response = await this.send(position, length)
      if (response.status === 206) return bodyReader(response.body!)
      await discard(response)
      throw changed(this.#url, 'it was answered as a whole')
    }
    return readRange(ask, target, position, before)
  }

  /** Sends a request for a range. Throws unless it is answered 200, 206 or 416, and by the same version. */
  async send(position: number, length: number): Promise<Response> {
    const target = this.#target
    const timer = new AbortController()
    const timeout = setTimeout(() => timer.abort(), STALLED)
    let response: Response
    let from: URL
    try {
      ;[response, from] = await this.#follow(
        target,
        `bytes=${position}-${position + length - 1}`,
        timer.signal,
      )
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
    if (from !== target) this.#target = from
    return response
  }

  /**
   * Sends a request for a range, and again to where it is redirected. Resolves to the answer, and where it is from.
   * `fetch` itself would take all headers but `authorization` along to another origin. In a browser it does, which does
   * not tell where a redirect leads.
   */
  async #follow(target: URL, range: string, signal: AbortSignal): Promise<[Response, URL]> {
    let url = target
    for (let redirects = 0; ; redirects++) {
      const headers = new Headers(url.origin === this.#url.origin ? this.#headers : {})
      // With a range, fetch asks for bytes that are not compressed.
      headers.set('range', range)
      const etag = this.#version?.etag
      // A browser asks another origin for leave to send this one, which many servers do not give.
      if (etag?.startsWith('"') && !isForeign(url)) headers.set('if-match', etag)
      const options = { headers, cache: 'no-store', signal } as const
      const response = await fetch(url, { ...options, redirect: 'manual' })
      if (response.type === 'opaqueredirect') {
        const followed = await fetch(url, options)
        return [followed, new URL(followed.url, url)]
      }
      const next = redirectOf(response, url)
      if (next === undefined || redirects === MOST_REDIRECTS) return [response, url]
      await discard(response)
      url = next
    }
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

  #examine(response: Response, target: URL): void {
    const { status } = response
    if (status === 412) throw changed(this.#url, 'the server has another version')
    if (target !== this.#url && EXPIRED.includes(status)) {
      this.#target = this.#url
      throw new Passing(`the address that it redirects to answered ${status}`)
    }
    if (PASSING.includes(status)) {
      throw passingStatus(statusOf(response), response.headers.get('retry-after'))
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

/** Where an answer leads; undefined if it leads nowhere, or not to HTTP. */
function redirectOf({ status, headers }: Response, from: URL): URL | undefined {
  const location = headers.get('location')
  if (![301, 302, 303, 307, 308].includes(status) || location === null) return undefined
  if (!URL.canParse(location, from)) return undefined
  const to = new URL(location, from)
  return /^https?:$/.test(to.protocol) ? to : undefined
}

/** Whether a page of another origin asks. */
function isForeign(target: URL): boolean {
  const { origin } = (globalThis as { location?: { origin?: string } }).location ?? {}
  return origin !== undefined && origin !== target.origin
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
