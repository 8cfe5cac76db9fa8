/** Errors as messages between threads, which lose the class and the `code` of an error. */

import { CheckpointError, type CheckpointErrorCode, messageOf } from '../errors.js'

export interface PlainError {
  readonly message: string
  readonly code?: string
  readonly path?: string
  readonly cause?: PlainError
}

export function toPlainError(error: unknown): PlainError {
  const { code, path, cause } = (error ?? {}) as Error & { code?: string; path?: string }
  return {
    message: messageOf(error),
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
