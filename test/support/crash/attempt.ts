/** A save under a shortage or without a right, and whether it ended as required. */

import { readFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { loadFault, temporaryFiles } from './found.js'
import { outcomeFaults } from './promise.js'
import { type SaveOnce, type SaveOnceOptions, Saver } from './save-once.js'
import { checkpointBytes } from './training.js'

/** The step of the existing file, if there is one, and of the save. */
export const OLD = 1
export const NEW = 2

export interface Attempt extends Omit<SaveOnce, 'step'>, SaveOnceOptions {
  /** The shortage, in words. */
  readonly what: string
  /**
   * The system error with which the save must end as CKPT_NOT_COMMITTED; null if the system gives none. If absent, the
   * save must succeed.
   */
  readonly error?: string | null | undefined
  /** The temporary file cannot be removed, either. */
  readonly mayBeLeft?: boolean
}

/** Saves in a separate process, and returns the fault in how that ended. */
export async function faultsOfAttempt(attempt: Attempt): Promise<string[]> {
  const { what, error, mayBeLeft = false, wrapper, environment, ...job } = attempt
  const before = await readIfAny(job.path)
  const saver = await Saver.start(
    { ...job, step: NEW },
    { ...(wrapper && { wrapper }), ...(environment && { environment }) },
  )
  saver.begin()
  const { outcome, signal } = await saver.ended
  const faults: string[] = []
  if (signal !== null) faults.push(`the process was killed by ${signal}`)
  faults.push(...outcomeFaults(outcome, error === undefined ? 'committed' : 'not committed', error))
  const after = await readIfAny(job.path)
  const expected = error === undefined ? await checkpointBytes(NEW) : before
  if (after === undefined || expected === undefined) {
    if (after !== expected) faults.push('there is a file where there was none, or none any more')
  } else if (!after.equals(expected)) {
    const fault = await loadFault(job.path)
    faults.push(`the file is not the one that it should be: ${fault ?? 'it is another one'}`)
  }
  if (!mayBeLeft && (await temporaryFiles(dirname(job.path))).length > 0) {
    faults.push('a temporary file is left')
  }
  return faults.map((fault) => `${what}: ${fault}`)
}

async function readIfAny(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
