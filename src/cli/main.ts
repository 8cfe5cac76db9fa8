#!/usr/bin/env node
/** The process of `ckpt`: its streams, its exit code, and what to do when nobody reads its output. */

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
  // A full disk, say: the result is not where it was to go.
  process.exitCode = EXIT_FAILURE
  const message = `the output could not be written: ${error.message}`
  printError(terminal, new Error(message, { cause: error }))
})

// There is nobody to tell.
process.stderr.on('error', () => {})

const code = await run(process.argv.slice(2), terminal)
// Unless the output was lost, which may be known before this or after.
process.exitCode ??= code
