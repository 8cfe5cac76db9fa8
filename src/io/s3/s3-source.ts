/** An object of a bucket, read by ranges of one version. */

import { CheckpointError } from '../../errors.js'
import { quote } from '../../printable.js'
import { type Arriving, attempt, readRange, receive } from '../attempts.js'
import { MemorySource } from '../memory-source.js'
import { FIRST, RemoteSource } from '../remote-source.js'
import type { Source } from '../source.js'
import type { S3Api } from './api.js'
import { ask, readFailure, S3Failure } from './failures.js'

/**
 * Opens an object, with one request. Throws CKPT_FILE_CHANGED if it has another ETag than `version`, and CKPT_READ if
 * there is none, or it cannot be had.
 */
export async function openS3(api: S3Api, key: string, version?: string): Promise<Source> {
  const get = async (position: number, length: number, etag: string | undefined) => {
    const Range = `bytes=${position}-${position + length - 1}`
    try {
      return await ask(api, 'GetObject', { Key: key, Range, IfMatch: etag })
    } catch (error) {
      throw readFailure(error, key)
    }
  }
  return attempt(async () => {
    let first: Awaited<ReturnType<typeof get>>
    try {
      first = await get(0, FIRST, version)
    } catch (error) {
      if (isEmptyObject(error)) return new MemorySource(new Uint8Array(0))
      throw error
    }
    const { ETag: etag, ContentRange, Body } = first
    const size = await sizeOf(ContentRange, Body)
    const start = new Uint8Array(Math.min(FIRST, size))
    let done = 0
    await receive(Body, start.byteLength, (bytes) => {
      start.set(bytes, done)
      done += bytes.byteLength
    })
    const askAgain = async (position: number, length: number): Promise<Arriving> => {
      const { Body, ContentRange, ETag } = await get(position, length, etag)
      // A server that knows no conditions.
      if (ETag === etag && ContentRange?.endsWith(`/${size}`)) return Body
      await Body.cancel().catch(() => {})
      throw new CheckpointError('CKPT_FILE_CHANGED', 'the object was replaced or changed', {
        expected: etag,
        actual: ETag,
      })
    }
    return new RemoteSource({
      kind: 's3',
      size,
      start,
      identity: etag === undefined ? undefined : `s3://${api.bucket}/${key} ${etag} ${size}`,
      readRange: (target, position, before) => readRange(askAgain, target, position, before),
    })
  })
}

/** The length of the object, of its first answer. */
async function sizeOf(range: string | undefined, body: Arriving): Promise<number> {
  const size = Number(/^bytes \d+-\d+\/(\d+)$/.exec(range ?? '')?.[1])
  if (Number.isSafeInteger(size)) return size
  await body.cancel().catch(() => {})
  throw new CheckpointError(
    'CKPT_READ',
    `expected a Content-Range header with the length of the object, found ${quote(range ?? 'none')}; in browsers ` +
      "the bucket's CORS rules must expose Content-Range and ETag",
  )
}

/** A range of an object without bytes cannot be had. */
function isEmptyObject(error: unknown): boolean {
  return S3Failure.of((error as { readonly cause?: unknown } | undefined)?.cause)?.status === 416
}
