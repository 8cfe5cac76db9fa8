/** A training in a process of its own that tells of what is durable. */

import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { loadsTypeScript } from '../child.js'

const program = fileURLToPath(new URL('children/train.ts', import.meta.url))

export interface TrainingMessage {
  readonly durable?: number
  readonly resumed?: number
  readonly skipped?: number
  readonly waiting?: boolean
}

/** Starts it; it is killed after the test, if it is still there. `listen` gets what it tells. */
export function startTraining(
  t: ExecutionContext,
  programArguments: readonly string[],
  listen: (message: TrainingMessage) => void,
  environment: { readonly [name: string]: string } = {},
) {
  const child = fork(program, programArguments, {
    execArgv: [loadsTypeScript],
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { ...process.env, ...environment },
  })
  t.teardown(() => child.kill('SIGKILL'))
  child.on('message', (message) => listen(message as TrainingMessage))
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  // When its messages have arrived as well.
  const ended = new Promise<{ code: number | null; signal: string | null; errors: string }>(
    (resolve, reject) => {
      child.on('error', reject)
      child.on('close', (code, signal) => resolve({ code, signal, errors }))
    },
  )
  return { child, ended }
}
