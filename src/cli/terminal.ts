/**
 * The environment of a command: its streams, a clock, and whether its output still has a reader. Tests pass their own
 * instead of the process's.
 */

import { inspect } from 'node:util'
import { isCheckpointError, messageOf } from '../errors.js'
import { printable, quote } from '../printable.js'

/** A stream for text, like `process.stdout`. */
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
  /** Errors, and the progress of a long verification. */
  readonly stderr: Output
  readonly env: { readonly [name: string]: string | undefined }
  /** Milliseconds since some fixed moment. */
  readonly now: () => number
  /** Aborted when the reader of `stdout` has exited, so that work may stop. */
  readonly gone: AbortSignal
}

/** The exit code of success. */
export const EXIT_OK = 0
/** The exit code if a file is damaged, is not a checkpoint or cannot be read. */
export const EXIT_FAILURE = 1
/** The exit code of wrong arguments. The command has done nothing. */
export const EXIT_USAGE = 2
/** The exit code when files differ, where that was asked for. */
export const EXIT_DIFFERENT = 3

/** The width that lines must fit into, or undefined if the output is not a terminal. */
export function widthOf(output: Output): number | undefined {
  return output.isTTY === true && output.columns !== undefined && output.columns > 0
    ? output.columns
    : undefined
}

/** The message of an error on one line, without the path that may precede it. */
export function errorText(error: unknown): string {
  const message = messageOf(error) || String(error)
  const prefix =
    isCheckpointError(error) && error.path !== undefined ? `${quote(error.path)}: ` : ''
  return printable(message.startsWith(prefix) ? message.slice(prefix.length) : message)
}

/** Prints an error as `ckpt: message`, and with CKPT_DEBUG also its stack. */
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
