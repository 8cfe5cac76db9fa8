/** A terminal that keeps what is written to it, with a clock that stands still unless told otherwise. */

import { run } from '../../../src/cli/run.js'
import type { Terminal } from '../../../src/cli/terminal.js'

export interface FakeTerminal extends Terminal {
  /** All that was written to stdout, and to stderr. */
  readonly out: () => string
  readonly err: () => string
}

export interface FakeOptions {
  /** Width of both streams; without it they are no terminals. */
  readonly columns?: number
  readonly env?: { readonly [name: string]: string }
  readonly now?: () => number
  readonly gone?: AbortSignal
}

export function fakeTerminal(options: FakeOptions = {}): FakeTerminal {
  const { columns, env = {}, now = () => 0, gone = new AbortController().signal } = options
  const out: string[] = []
  const err: string[] = []
  const output = (lines: string[]) => ({
    write: (text: string) => lines.push(text),
    isTTY: columns !== undefined,
    columns,
  })
  return {
    stdout: output(out),
    stderr: output(err),
    env,
    now,
    gone,
    out: () => out.join(''),
    err: () => err.join(''),
  }
}

/** Runs a command line and returns all that can be seen of it. */
export async function runFake(
  argv: readonly string[],
  options: FakeOptions = {},
): Promise<{ code: number; out: string; err: string }> {
  const terminal = fakeTerminal(options)
  const code = await run(argv, terminal)
  return { code, out: terminal.out(), err: terminal.err() }
}
