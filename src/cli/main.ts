#!/usr/bin/env node
/** The process of `ckpt`: its streams, its exit code, and what it does when the reader of its output exits. */

import { run } from './run.js'
import { EXIT_FAILURE, printError, type Terminal } from './terminal.js'

const gone = new AbortController()

const terminal: Terminal = {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  now: () => performance.now(),
  gone: gone.signal,
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  const first = !gone.signal.aborted
  gone.abort(error)
  // `ckpt inspect file | head -1`: the reader has what it wants.
  if (error.code === 'EPIPE' || error.code === 'ECONNRESET' || !first) return
  // A full disk, for example: the result is lost.
  process.exitCode = EXIT_FAILURE
  const message = `the output could not be written: ${error.message}`
  printError(terminal, new Error(message, { cause: error }))
})

// An error of stderr has no place where it could be reported.
process.stderr.on('error', () => {})

const code = await run(process.argv.slice(2), terminal)
// Unless the output was lost, which may be known before this line or after it.
process.exitCode ??= code
