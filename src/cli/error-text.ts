/** Errors as lines of text: what is wrong, with which file, and never a stack unless asked for. */

import { isCheckpointError } from '../errors.js'
import { printable, quote } from '../printable.js'
import type { Terminal } from './terminal.js'

/** What an error says, on one line, without the path that may stand before it. */
export function errorText(error: unknown): string {
  const message = error instanceof Error ? error.message || error.name : String(error)
  const prefix =
    isCheckpointError(error) && error.path !== undefined ? `${quote(error.path)}: ` : ''
  return printable(message.startsWith(prefix) ? message.slice(prefix.length) : message)
}

/** Says that something failed: `ckpt: message`, and with CKPT_DEBUG the error as it is. */
export function printError(terminal: Terminal, error: unknown): void {
  const path = isCheckpointError(error) ? error.path : undefined
  const file = path === undefined ? '' : `${printable(path)}: `
  terminal.stderr.write(`ckpt: ${file}${errorText(error)}\n`)
  printStack(terminal, error)
}

/** With CKPT_DEBUG, prints the stacks of an error and its causes. */
export function printStack(terminal: Terminal, error: unknown): void {
  if (!terminal.env.CKPT_DEBUG) return
  for (let at = error; at instanceof Error; at = at.cause) {
    const lines = (at.stack ?? at.message).split('\n')
    terminal.stderr.write(`${lines.map(printable).join('\n')}\n`)
  }
}
