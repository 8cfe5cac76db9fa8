/** A file on an HTTP server, read by range requests, in Node and in browsers. */

import { CheckpointError } from '../../errors.js'
import { FirstFailure } from '../concurrency.js'
import { MemorySource } from '../memory-source.js'
import type { Source } from '../source.js'
import { discard, fill, nextOf, Requests } from './requests.js'

// Bytes of the first answer: the metadata of some hundred tensors, in one round trip.
const FIRST = 64 * 1024

// Bytes before a range that come with it: a reader of a segment looks next at the padding before it.
const BEFORE = 128

// Ranges whose bytes before are kept.
const KEPT = 32

// Longest range of one request, in bytes, and how many are under way at once.
const LONGEST = 16 * 1024 * 1024
const AT_ONCE = 4

// Longest file, in bytes, that is taken as a whole from a server that has no ranges.
const WHOLE = 256 * 1024 * 1024

/** The address that a caller named, or undefined if it is none of HTTP. Throws a TypeError for half of one. */
export function httpAddress(location: string | URL): URL | undefined {
  const text = typeof location === 'string' ? location : location.href
  return /^https?:\/\//i.test(text) ? new URL(text) : undefined
}

/**
 * Opens the file at an address. A server without ranges gives the whole file, into memory, up to 256 MiB. Throws
 * CKPT_READ if there is no file, or it cannot be had. `headers` go to the address's own origin with each request.
 */
export async function openHttp(
  url: URL,
  headers: Readonly<Record<string, string>> = {},
): Promise<Source> {
  const requests = new Requests(url, headers)
  return requests.attempt(async () => {
    const response = await requests.send(0, FIRST)
    if (response.status === 206) {
      const size = await requests.sizeOf(response)
      const start = new Uint8Array(Math.min(FIRST, size))
      await fill(response, start)
      return new HttpSource(requests, size, start)
    }
    if (response.status === 416) {
      await discard(response)
      return new MemorySource(new Uint8Array(0))
    }
    return new MemorySource(await whole(response))
  })
}

/** Reads ranges of a file of which the first answer is known. */
class HttpSource implements Source {
  readonly kind = 'http'
  readonly size: number
  readonly readsAtOnce = AT_ONCE
  readonly longestRead = LONGEST
  readonly #requests: Requests
  readonly #start: Uint8Array
  readonly #before = new Map<number, Uint8Array>()
  #closed = false

  constructor(requests: Requests, size: number, start: Uint8Array) {
    this.#requests = requests
    this.size = size
    this.#start = start
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.#throwIfClosed()
    if (position + target.byteLength > this.size) {
      throw new CheckpointError(
        'CKPT_FILE_CHANGED',
        `expected ${position + target.byteLength} bytes at least, found ${this.size}`,
        { offset: position, expected: target.byteLength, actual: this.size - position },
      )
    }
    const known = this.#known(target.byteLength, position)
    target.set(known)
    const rest = target.subarray(known.byteLength)
    if (rest.byteLength > 0) await this.#readParts(rest, position + known.byteLength)
  }

  async checkUnchanged(): Promise<void> {
    this.#throwIfClosed()
    await this.#requests.read(new Uint8Array(Math.min(1, this.size)), 0)
  }

  close(): void {
    this.#closed = true
    this.#before.clear()
  }

  /** What is at hand of a range: its beginning, or none of it. */
  #known(length: number, position: number): Uint8Array {
    for (const [start, bytes] of this.#before) {
      if (start <= position && position + length <= start + bytes.byteLength) {
        return bytes.subarray(position - start, position - start + length)
      }
    }
    return this.#start.subarray(position, position + length)
  }

  async #readParts(target: Uint8Array, position: number): Promise<void> {
    const failure = new FirstFailure()
    let next = 0
    const readOn = async (): Promise<void> => {
      while (next < target.byteLength && !failure.occurred) {
        const from = next
        next = Math.min(from + LONGEST, target.byteLength)
        await this.#readPart(target.subarray(from, next), position + from).catch((error) =>
          failure.keep(error),
        )
      }
    }
    await Promise.all(Array.from({ length: AT_ONCE }, readOn))
    failure.throwIfAny()
  }

  async #readPart(target: Uint8Array, position: number): Promise<void> {
    const before = new Uint8Array(Math.min(BEFORE, position))
    await this.#requests.read(target, position, before)
    if (this.#closed) return
    this.#before.set(position - before.byteLength, before)
    const [oldest] = this.#before.keys()
    if (this.#before.size > KEPT) this.#before.delete(oldest!)
  }

  #throwIfClosed(): void {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the source is closed')
  }
}

/** The bytes of an answer that is not of a range: those of a server that knows none. */
async function whole(response: Response): Promise<Uint8Array> {
  const announced = Number(response.headers.get('content-length') ?? 0)
  const parts: Uint8Array[] = []
  let length = 0
  const tooLong = (): CheckpointError =>
    new CheckpointError(
      'CKPT_READ',
      `expected a server that answers range requests (206), found one that sends the whole file: over ` +
        `${WHOLE} bytes, download it and load the file`,
      { expected: 206, actual: response.status },
    )
  if (announced > WHOLE) {
    await discard(response)
    throw tooLong()
  }
  const reader = response.body!.getReader()
  try {
    for (;;) {
      const { done, value } = await nextOf(reader)
      if (done) break
      parts.push(value)
      length += value.byteLength
      if (length > WHOLE) throw tooLong()
    }
  } finally {
    await reader.cancel().catch(() => {})
  }
  const bytes = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.byteLength
  }
  return bytes
}
