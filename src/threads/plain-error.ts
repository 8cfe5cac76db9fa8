/** Errors as messages between threads, which lose the class and the `code` of an error. */

import { CheckpointError, type CheckpointErrorCode, messageOf } from '../errors.js'

/** An error as a message can carry it. `code` and `path` are absent if the error has none. */
export interface PlainError {
  readonly message: string
  readonly code?: string
  readonly path?: string
  readonly cause?: PlainError
}

/** Takes an error apart for a message, with its causes. It accepts any thrown value. */
export function toPlainError(error: unknown): PlainError {
  const { code, path, cause } = (error ?? {}) as Error & { code?: unknown; path?: string }
  return {
    message: messageOf(error),
    // The code of a DOMException, such as that of an abort, is a number.
    ...(typeof code === 'string' ? { code } : {}),
    ...(path === undefined ? {} : { path }),
    ...(cause === undefined ? {} : { cause: toPlainError(cause) }),
  }
}

/** The error of a message: a CheckpointError if its code is one of ours, otherwise an Error with the same code. */
export function fromPlainError({ message, code, path, cause }: PlainError): Error {
  const options = cause === undefined ? {} : { cause: fromPlainError(cause) }
  if (code?.startsWith('CKPT_')) {
    const fields = path === undefined ? options : { ...options, path }
    return new CheckpointError(code as CheckpointErrorCode, message, fields)
  }
  return Object.assign(new Error(message, options), code === undefined ? {} : { code })
}
