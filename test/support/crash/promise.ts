/** What a save has to do about a call that fails, by what the call is for. */

import type { Outcome } from './save-once.js'
import type { Call } from './trace.js'

export type Promised =
  /** Nothing: the save does without. */
  | 'committed'
  /** It gives up: CKPT_NOT_COMMITTED, for that cause, and the old file. */
  | 'not committed'
  /** CKPT_NOT_DURABLE, for that cause, and the new file. */
  | 'not durable'

// Where a scene has its file: see scene.ts and trace.ts.
const FOLDER = '~/run'

/** What has to come of a save in which `call` fails with `error`, before the rename or after it. */
export function promiseOf({ name, thread, text }: Call, error: string, renamed: boolean): Promised {
  // Node makes a call again that was interrupted, and takes a close for one that was done.
  if (error === 'EINTR') return 'committed'
  // It looks up which machine and container this is: without, names of temporary files say less.
  if (thread === 'main') return 'committed'
  // Only root may give files away.
  if (name === 'fchown') return 'committed'
  // Where there is no lock, there are other ways to tell the dead from the living.
  if (name === 'flock') return 'committed'
  // What was synced and renamed is as good closed as not.
  if (name === 'close' && text.includes(`<${FOLDER}/a.ckpt>`)) return 'committed'
  // The sweep of what killed processes have left: of the folder, and of a file in it.
  if (text.includes('LEFTOVER')) return 'committed'
  if (name === 'openat' && text.includes(`"${FOLDER}", O_RDONLY|O_NONBLOCK`)) return 'committed'
  const ofFolder = text.includes(`<${FOLDER}>`)
  // Whether it is there still. XFS that has shut itself down says so here, and not when it is synced.
  if (renamed && ofFolder && /^(statx|newfstatat|fstat)$/.test(name)) return 'not durable'
  if (ofFolder && /^(getdents|newfstatat|fstat)/.test(name)) return 'committed'
  // A folder that was only read is as good closed as not.
  if (ofFolder && name === 'close') return 'committed'
  if (ofFolder && (name === 'fsync' || name === 'statx')) return 'not durable'
  return 'not committed'
}

/** What is wrong about how a save ended. `error` is to be its cause: null for none of the system's. */
export function outcomeFaults(
  outcome: Outcome | undefined,
  promised: Promised,
  error?: string | null,
): string[] {
  if (outcome === undefined) return ['the process ended without an outcome']
  const { durability, code, cause, message } = outcome
  const said = durability ?? code ?? message
  if (promised === 'committed') {
    return durability === 'durable' ? [] : [`the save should have been durable, and is ${message}`]
  }
  const expected = promised === 'not committed' ? 'CKPT_NOT_COMMITTED' : 'CKPT_NOT_DURABLE'
  const faults: string[] = []
  if (code !== expected) faults.push(`the save should have ended with ${expected}, not ${said}`)
  if (error !== undefined && cause !== (error ?? undefined)) {
    faults.push(`the cause should be ${error}, not ${cause}`)
  }
  // People read the message, and not the cause.
  if (error && !message?.includes(`(${error}: `)) faults.push(`the message is ${message}`)
  return faults
}
