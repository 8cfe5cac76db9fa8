/**
 * What a command is given of the world: where it writes, a clock, and whether anybody still reads.
 * The real process is one of these; a test brings its own.
 */

import { inspect } from 'node:util'
import { isCheckpointError, messageOf } from '../errors.js'
import { printable, quote } from '../printable.js'

/** A stream to write text to, like `process.stdout`. */
export interface Output {
  write(text: string): unknown
  readonly isTTY?: boolean | undefined
  /** Width of the terminal; undefined if it is not one. */
  readonly columns?: number | undefined
}

/** The streams, the environment and the clock of a process. */
export interface Terminal {
  /** Results. */
  readonly stdout: Output
  /** Errors, and how far a long check has come. */
  readonly stderr: Output
  readonly env: { readonly [name: string]: string | undefined }
  /** Milliseconds since some fixed moment. */
  readonly now: () => number
  /** Aborted when the reader of `stdout` has gone away: there is nobody left to work for. */
  readonly gone: AbortSignal
}

/** The exit code when everything is as it should be. */
export const EXIT_OK = 0
/** The exit code when a file is damaged, is not a checkpoint or cannot be read. */
export const EXIT_FAILURE = 1
/** The exit code when the command was called wrongly, and has done nothing. */
export const EXIT_USAGE = 2
/** The exit code when files differ, where that was asked for. */
export const EXIT_DIFFERENT = 3

/** The width to fit lines into, or undefined if they are not to be cut, because nobody reads along. */
export function widthOf(output: Output): number | undefined {
  return output.isTTY === true && output.columns !== undefined && output.columns > 0
    ? output.columns
    : undefined
}

/** What an error says, on one line, without the path that may stand before it. */
export function errorText(error: unknown): string {
  const message = messageOf(error) || String(error)
  const prefix =
    isCheckpointError(error) && error.path !== undefined ? `${quote(error.path)}: ` : ''
  return printable(message.startsWith(prefix) ? message.slice(prefix.length) : message)
}

/** Prints that something failed, `ckpt: message`, and with CKPT_DEBUG the error as it is. */
export function printError(terminal: Terminal, error: unknown): void {
  const path = isCheckpointError(error) ? error.path : undefined
  const file = path === undefined ? '' : `${printable(path)}: `
  terminal.stderr.write(`ckpt: ${file}${errorText(error)}\n`)
  printStack(terminal, error)
}

/** With CKPT_DEBUG, prints the stacks and fields of an error and its causes. */
export function printStack(terminal: Terminal, error: unknown): void {
  if (!terminal.env.CKPT_DEBUG) return
  terminal.stderr.write(`${inspect(error).split('\n').map(printable).join('\n')}\n`)
}
