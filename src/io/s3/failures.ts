/** Answers of a bucket that are not a success: which of them pass, and what the others mean for a reader. */

import { CheckpointError, messageOf } from '../../errors.js'
import { PASSING, Passing, passingStatus } from '../attempts.js'
import type { S3Api, S3RequestName, S3Requests } from './api.js'

// Bytes of a body that a connection must carry in the time in which a request must be answered, or it has stalled.
const SLOWEST = 2 * 1024 * 1024

// Failures that pass in spite of their status: the body was damaged or cut short on the way, or another request with a
// condition for the same key was under way.
const PASSING_CODES = [
  'BadDigest',
  'ConditionalRequestConflict',
  'IncompleteBody',
  'OperationAborted',
  'RequestTimeout',
  'SlowDown',
  'XAmzContentSHA256Mismatch',
  'XAmzContentChecksumMismatch',
]

/** An answer of the server that is not a success. */
export class S3Failure extends Error {
  override readonly name = 'S3Failure'
  readonly status: number
  /** S3's name of the error, such as NoSuchKey; empty if the answer has none. */
  readonly code: string
  /** Whether the client has sent the request more than once, so that an earlier answer may be lost. */
  readonly isRepeated: boolean
  readonly #retryAfter: string | undefined

  constructor(
    status: number,
    code: string,
    message: string,
    {
      retryAfter,
      isRepeated = false,
    }: { retryAfter?: string | undefined; isRepeated?: boolean } = {},
  ) {
    super(code === '' ? `${status} ${message}`.trimEnd() : `${status} ${code}: ${message}`)
    this.status = status
    this.code = code
    this.isRepeated = isRepeated
    this.#retryAfter = retryAfter
  }

  /** The failure that an error is; undefined for another error. */
  static of(error: unknown): S3Failure | undefined {
    return typeof error === 'object' && error !== null && #retryAfter in error ? error : undefined
  }

  /** The same as a failure that passes, if it may pass. */
  get passing(): Passing | undefined {
    const passes = PASSING.includes(this.status) || PASSING_CODES.includes(this.code)
    return passes ? passingStatus(this.message, this.#retryAfter, this) : undefined
  }
}

/**
 * Sends a request. A failure that may pass, and the lack of an answer, become a `Passing`, for `attempt`. A request is
 * cut off if it is not answered in time: `patience` milliseconds, by default what the API says.
 */
export async function ask<Name extends S3RequestName>(
  api: S3Api,
  name: Name,
  input: S3Requests[Name]['in'],
  signal?: AbortSignal,
  patience = patienceFor(api, (input as { readonly Body?: Uint8Array }).Body?.byteLength),
): Promise<S3Requests[Name]['out']> {
  signal?.throwIfAborted()
  const stopped = new AbortController()
  const stop = (): void => stopped.abort(signal?.reason)
  signal?.addEventListener('abort', stop)
  const timer = setTimeout(() => stopped.abort(), patience)
  try {
    return await api.send(name, input, stopped.signal)
  } catch (error) {
    if (signal?.aborted) throw signal.reason
    const failure = S3Failure.of(error)
    if (failure !== undefined) throw failure.passing ?? failure
    // The client itself refuses, e.g. for want of credentials or of a region.
    if (!stopped.signal.aborted && !isOfNetwork(error)) throw refusal(error)
    throw new Passing(`there was no answer: ${messageOf(causeOf(error))}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', stop)
  }
}

/** How long a request with a body of that many bytes may take, in milliseconds. */
export function patienceFor({ stalledAfter }: S3Api, body = 0): number {
  return stalledAfter * (1 + body / SLOWEST)
}

/** The error for a reader of an object: missing, changed, or not to be had. Another error stays as it is. */
export function readFailure(error: unknown, key: string): unknown {
  const failure = S3Failure.of(error)
  if (failure === undefined) return error
  const { status, code, message } = failure
  if (status === 412) {
    return new CheckpointError('CKPT_FILE_CHANGED', 'the object was replaced or changed', {
      cause: error,
    })
  }
  if (isMissingKey(failure)) {
    const cause = Object.assign(new Error(`there is no object ${key}`), { code: 'ENOENT' })
    return new CheckpointError('CKPT_READ', 'there is no such object', { cause })
  }
  return new CheckpointError('CKPT_READ', `the server answered ${message}${remedyOf(code)}`, {
    actual: status,
    cause: error,
  })
}

/** Whether an answer says that there is no such object; not that there is no such bucket. */
export function isMissingKey({ status, code }: S3Failure): boolean {
  return status === 404 && (code === 'NoSuchKey' || code === 'NotFound' || code === '')
}

/** Whether a server refuses a request for its checksums alone. */
export function refusesChecksums(error: unknown): boolean {
  const failure = S3Failure.of(error)
  if (failure === undefined) return false
  const { status, code, message } = failure
  return code === 'NotImplemented' || (status === 400 && /checksum/i.test(message))
}

function remedyOf(code: string): string {
  switch (code) {
    case 'AccessDenied':
      return '; docs/guide/s3.md has the policy that is needed (without s3:ListBucket a missing object is denied)'
    case 'NoSuchBucket':
      return '; create the bucket, or correct its name'
    case 'ExpiredToken':
    case 'TokenRefreshRequired':
      return '; give the client credentials that it renews itself (docs/guide/s3.md)'
  }
  return ''
}

// Errors of the system and of Node's clients for a connection that could not be made or broke off.
const OF_NETWORK =
  /^(E(CONN|PIPE|HOST|NET|TIMEDOUT|AI_AGAIN|NOTFOUND|PROTO|ADDR)|UND_ERR|ERR_STREAM|TimeoutError$|AbortError$)/

function isOfNetwork(error: unknown): boolean {
  const { code, name } = causeOf(error) as { readonly code?: unknown; readonly name?: unknown }
  // A fetch of a browser rejects with a TypeError that says nothing more.
  const isFetch =
    (error as Partial<Error> | undefined)?.name === 'TypeError' &&
    /fetch|network|load failed/i.test(messageOf(error))
  return isFetch || OF_NETWORK.test(String(code ?? '')) || OF_NETWORK.test(String(name ?? ''))
}

function causeOf(error: unknown): object {
  const { cause } = (error ?? {}) as { readonly cause?: object }
  return cause ?? Object(error)
}

function refusal(cause: unknown): CheckpointError {
  const reason = messageOf(cause)
  return new CheckpointError('CKPT_READ', `the client sent no request: ${reason}`, { cause })
}
