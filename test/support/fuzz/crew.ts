/**
 * Several processes that fuzz at once. One that hangs, crashes or runs out of memory is a finding,
 * with the stretch of inputs that it was at.
 */

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { loadsTypeScript } from '../child.js'
import type { Failure, Stretch, StretchResult } from './campaign.js'

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))

// Heap of a worker, in MiB: an input that needs more is a finding.
const HEAP = 256

// Longest time for a stretch without an answer, in milliseconds.
const PATIENCE = 300_000

/** A worker died, or did not answer. */
export class WorkerLost extends Error {
  override readonly name = 'WorkerLost'
}

/**
 * Runs the stretches on `size` processes. `done` is called with each result; a lost worker counts as a
 * failure of its stretch, and is replaced. `oracle` is the program of the comparison.
 */
export async function runCrew(
  size: number,
  stretches: Iterator<Stretch>,
  done: (stretch: Stretch, result: StretchResult | Failure) => void,
  oracle?: string,
): Promise<void> {
  const member = async (): Promise<void> => {
    let worker: ChildProcess | undefined
    for (let next = stretches.next(); next.done !== true; next = stretches.next()) {
      const stretch = next.value
      worker ??= fork(WORKER, oracle === undefined ? [] : [oracle], {
        execArgv: [`--max-old-space-size=${HEAP}`, loadsTypeScript],
      })
      try {
        done(stretch, await ask(worker, stretch))
      } catch (error) {
        worker.kill('SIGKILL')
        worker = undefined
        const { target, seed, from } = stretch
        done(stretch, { target, seed, index: from, error: String(error), input: '' })
      }
    }
    worker?.disconnect()
  }
  await Promise.all(Array.from({ length: size }, member))
}

function ask(worker: ChildProcess, stretch: Stretch): Promise<StretchResult> {
  return new Promise((resolve, reject) => {
    const inputs = `${stretch.target}, seed ${stretch.seed}, ${stretch.count} from ${stretch.from}`
    const timer = setTimeout(() => finish(new WorkerLost(`no answer: ${inputs}`)), PATIENCE)
    const exited = (code: number | null, signal: string | null): void =>
      finish(new WorkerLost(`a worker ended with ${code ?? signal}: ${inputs}`))
    const answered = (result: unknown): void => finish(undefined, result as StretchResult)
    const finish = (error: Error | undefined, result?: StretchResult): void => {
      clearTimeout(timer)
      worker.off('exit', exited)
      worker.off('message', answered)
      if (error !== undefined) reject(error)
      else resolve(result!)
    }
    worker.on('exit', exited)
    worker.on('message', answered)
    worker.send(stretch)
  })
}
