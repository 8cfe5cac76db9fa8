/** A file on an HTTP server, read by range requests, in Node and in browsers. */

import { CheckpointError } from '../../errors.js'
import { attempt, nextOf, receive } from '../attempts.js'
import { MemorySource } from '../memory-source.js'
import { FIRST, RemoteSource } from '../remote-source.js'
import type { Source } from '../source.js'
import { discard, Requests } from './requests.js'

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
  return attempt(async () => {
    const response = await requests.send(0, FIRST)
    if (response.status === 206) {
      const size = await requests.sizeOf(response)
      const start = new Uint8Array(Math.min(FIRST, size))
      let done = 0
      await receive(response.body!.getReader(), start.byteLength, (bytes) => {
        start.set(bytes, done)
        done += bytes.byteLength
      })
      return new RemoteSource({
        kind: 'http',
        size,
        start,
        identity: requests.identity,
        readRange: (target, position, before) => requests.read(target, position, before),
      })
    }
    if (response.status === 416) {
      await discard(response)
      return new MemorySource(new Uint8Array(0))
    }
    return new MemorySource(await whole(response))
  })
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
      const value = await nextOf(reader)
      if (value === undefined) break
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
