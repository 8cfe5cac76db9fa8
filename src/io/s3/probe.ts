/** Finds out what a server does, by an object of its own; and ends uploads that nobody will complete. */

import { crc32 } from '../../format/checksum.js'
import { attempt } from '../attempts.js'
import type { S3Api } from './api.js'
import { ask, refusesChecksums, S3Failure } from './failures.js'
import { crcText } from './parts.js'

// What the name of an object that only finds something out begins with.
const PROBE = '.lightwatch-probe-'

// Names of checkpoints, also of those that are being set aside as damaged.
const CHECKPOINT = /\.ckpt(\.damaged(-\d+)?)?$/

/**
 * Whether the server keeps the conditions of uploads. A header that a server ignores looks like success, so this tries a
 * condition that must fail, at the request that most servers lack it for: the completion of an upload. Takes six requests.
 * Throws an S3Failure or a CheckpointError if the object cannot be written or removed.
 */
export async function keepsConditions(api: S3Api, prefix: string): Promise<boolean> {
  const Key = `${prefix}${PROBE}${crypto.randomUUID()}`
  const Body = Uint8Array.of(0)
  const send = <T>(call: () => Promise<T>): Promise<T> => attempt(call)
  await send(() => ask(api, 'PutObject', { Key, Body }))
  try {
    const { UploadId } = await send(() => ask(api, 'CreateMultipartUpload', { Key }))
    const upload = { Key, UploadId: UploadId! }
    const { ETag = '' } = await send(() =>
      ask(api, 'UploadPart', { ...upload, PartNumber: 1, Body }),
    )
    const MultipartUpload = { Parts: [{ PartNumber: 1, ETag }] }
    try {
      const complete = { ...upload, MultipartUpload, IfNoneMatch: '*' as const }
      await send(() => ask(api, 'CompleteMultipartUpload', complete))
      return false
    } catch (error) {
      const failure = S3Failure.of(error)
      await send(() => ask(api, 'AbortMultipartUpload', upload)).catch(() => {})
      if (failure?.status === 412) return true
      // It knows the header and lacks it, or it refuses what it does not know.
      if (failure?.status === 501 || failure?.status === 400) return false
      throw error
    }
  } finally {
    await send(() => ask(api, 'DeleteObject', { Key })).catch(() => {})
  }
}

// What servers call a checksum that is not that of the bytes.
const MISMATCH = ['BadDigest', 'XAmzContentChecksumMismatch']

/**
 * Whether the server verifies checksums. A header that a server or a proxy ignores looks like success, so this sends a
 * wrong one, once. Takes one request, and another if the object was taken. Throws the failure if the answer says nothing.
 */
export async function verifiesChecksums(api: S3Api, prefix: string): Promise<boolean> {
  const Key = `${prefix}${PROBE}${crypto.randomUUID()}`
  const Body = Uint8Array.of(0)
  try {
    await ask(api, 'PutObject', { Key, Body, ChecksumCRC32: crcText(crc32(Body) ^ 1) })
  } catch (error) {
    // A wrong checksum is a failure that may pass, for other requests.
    const failure = S3Failure.of(error) ?? S3Failure.of((error as Partial<Error> | null)?.cause)
    if (failure !== undefined && MISMATCH.includes(failure.code)) return true
    if (refusesChecksums(failure)) return false
    throw error
  }
  await attempt(() => ask(api, 'DeleteObject', { Key })).catch(() => {})
  return false
}

/**
 * Aborts uploads to checkpoints below the prefix, and of probes, that began more than `age` milliseconds ago. Nothing
 * tells whether their savers live, so the age must be longer than any save takes. Uploads to other names may be other
 * programs', and stay.
 */
export async function sweepUploads(api: S3Api, prefix: string, age: number): Promise<void> {
  let markers: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } = {}
  do {
    const page = await attempt(() =>
      ask(api, 'ListMultipartUploads', { Prefix: prefix, ...markers }),
    )
    for (const { Key, UploadId, Initiated } of page.Uploads) {
      const name = Key.slice(prefix.length)
      const isOwn = !name.includes('/') && (CHECKPOINT.test(name) || name.startsWith(PROBE))
      if (!isOwn || Date.now() - Initiated.getTime() < age) continue
      await attempt(() => ask(api, 'AbortMultipartUpload', { Key, UploadId })).catch(() => {})
    }
    markers = { KeyMarker: page.NextKeyMarker, UploadIdMarker: page.NextUploadIdMarker }
  } while (markers.KeyMarker)
}
