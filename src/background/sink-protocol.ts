/** What the thread that saves and the thread that writes say to each other. */

import { CheckpointError, type CheckpointErrorCode } from '../error.js'

/** A part of some bytes that goes on with the checksum of a segment. Positions in bytes. */
export interface ChecksumPart {
  readonly segment: number
  readonly start: number
  readonly end: number
}

/** A call for the thread that writes. `bytes` is shared memory, and not copied. */
export type SinkRequest =
  /** Answered with the path of the temporary file. */
  | {
      readonly call: 'begin'
      readonly path: string
      readonly length: number
      readonly durable: boolean
    }
  | {
      readonly call: 'write'
      readonly bytes: Uint8Array
      readonly position: number
      readonly parts: readonly ChecksumPart[]
    }
  /** Answered with the CRC-32 of each segment so far, by its index. */
  | { readonly call: 'checksums' }
  | { readonly call: 'sync' }
  /** Answered with the durability. */
  | { readonly call: 'commit' }
  | { readonly call: 'abort' }

/** An answer; `id` is that of the request. */
export interface SinkReply {
  readonly id: number
  readonly value?: unknown
  readonly error?: PlainError
}

/** An error as it crosses between threads, where its class and `code` would be lost. */
export interface PlainError {
  readonly message: string
  readonly code?: string
  readonly path?: string
  readonly cause?: PlainError
}

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { message: String(error) }
  const { message, code, path, cause } = error as Error & { code?: string; path?: string }
  return {
    message,
    ...(code === undefined ? {} : { code }),
    ...(path === undefined ? {} : { path }),
    ...(cause === undefined ? {} : { cause: toPlainError(cause) }),
  }
}

export function fromPlainError({ message, code, path, cause }: PlainError): Error {
  const options = cause === undefined ? {} : { cause: fromPlainError(cause) }
  if (code?.startsWith('CKPT_')) {
    const fields = path === undefined ? options : { ...options, path }
    return new CheckpointError(code as CheckpointErrorCode, message, fields)
  }
  return Object.assign(new Error(message, options), code === undefined ? {} : { code })
}
