/**
 * The one family of errors for files, disks and states that do not fit. Misuse by the caller (a wrong argument) is a
 * TypeError or RangeError instead, as in Node. An aborted call rejects with its signal's reason, as on the web
 * platform.
 */

import type { CheckpointErrorCode } from '../generated/errors.js'
import { quote } from './printable.js'
import { kindOf } from './realm.js'

export type { CheckpointErrorCode }

/** What an error carries besides its message. Fields that do not apply are absent. */
export interface CheckpointErrorFields {
  /** The file, as the caller named it. */
  readonly path?: string
  /** The rule of the format that is broken, e.g. `tensor.offset`. */
  readonly rule?: string
  /** The state: `model`, `optimizer` or the name of an extra. */
  readonly state?: string
  /** The name of the tensor. */
  readonly tensor?: string
  /** Position in the file, in bytes. */
  readonly offset?: number
  readonly expected?: unknown
  readonly actual?: unknown
  /** The states that a restore had finished before it failed. */
  readonly restored?: readonly string[]
  /** The tensors of a restore that the trainer has not taken as they were saved. */
  readonly tensors?: readonly { readonly state: string; readonly tensor: string }[]
}

/**
 * An error of a file, a disk or a state. `code` tells programs what kind of error it is. The message says what was
 * expected, what was found and what to do. The fields say where. Fields that do not apply are absent.
 */
export class CheckpointError extends Error {
  override readonly name: string = 'CheckpointError'
  readonly code: CheckpointErrorCode
  declare readonly path?: string
  declare readonly rule?: string
  declare readonly state?: string
  declare readonly tensor?: string
  declare readonly offset?: number
  declare readonly expected?: unknown
  declare readonly actual?: unknown
  declare readonly restored?: readonly string[]
  declare readonly tensors?: readonly { readonly state: string; readonly tensor: string }[]

  constructor(
    code: CheckpointErrorCode,
    message: string,
    fields: CheckpointErrorFields & { readonly cause?: unknown } = {},
  ) {
    const { cause, ...rest } = fields
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    Object.assign(this, rest)
  }

  /** Puts the file's path in front of the message and into `path`, unless there is one. Returns the error. */
  withPath(path: string): this {
    if (this.path !== undefined) return this
    Object.assign(this, { path })
    this.message = `${quote(path)}: ${this.message}`
    return this
  }
}

/**
 * Whether a value is a CheckpointError, of any copy of the library and of any realm. (Test runners give each file a
 * realm of its own, where `instanceof` is false.)
 */
export function isCheckpointError(value: unknown): value is CheckpointError {
  if (kindOf(value) !== 'Error') return false
  const { name, code } = value as Partial<CheckpointError>
  return name === 'CheckpointError' && typeof code === 'string'
}

/** Adds the file's path to a CheckpointError, and returns any other error as it is. */
export function withPath(error: unknown, path: string): unknown {
  return isCheckpointError(error) ? error.withPath(path) : error
}

/** The message of an error, or the text of any other value that was thrown. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { readonly message?: unknown }
  return typeof message === 'string' ? message : String(error)
}

/** Warns through the process, or on the console if there is no process. For callers who gave no `onWarning`. */
export function warn(message: string): void {
  const emitWarning = globalThis.process?.emitWarning
  if (typeof emitWarning === 'function') emitWarning(message, { type: 'CheckpointWarning' })
  else console.warn(message)
}
