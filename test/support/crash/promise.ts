/** How a save must react to a failing call, by the purpose of the call. */

import type { Outcome } from './save-once.js'
import type { Call } from './trace.js'

export type Promised =
  /** Nothing: the save continues without it. */
  | 'committed'
  /** The save fails with CKPT_NOT_COMMITTED and that cause, and the old file stays. */
  | 'not committed'
  /** The save fails with CKPT_NOT_DURABLE and that cause, and the new file is in place. */
  | 'not durable'

// Where a scene has its file: see scene.ts and trace.ts.
const FOLDER = '~/run'

/** The required result of a save in which `call` fails with `error`, before or after the rename. */
export function promiseOf({ name, thread, text }: Call, error: string, renamed: boolean): Promised {
  // Node makes a call again that was interrupted, and takes a close for one that was done.
  if (error === 'EINTR') return 'committed'
  // It finds out the machine and container. Without them, names of temporary files say less.
  if (thread === 'main') return 'committed'
  // Only root may give files away.
  if (name === 'fchown') return 'committed'
  // Without locks, there are other ways to find dead savers.
  if (name === 'flock') return 'committed'
  // After the sync and the rename, a failed close does not matter.
  if (name === 'close' && text.includes(`<${FOLDER}/a.ckpt>`)) return 'committed'
  // The removal of leftovers of killed processes: of the folder, and of a file in it.
  if (text.includes('LEFTOVER')) return 'committed'
  if (name === 'openat' && text.includes(`"${FOLDER}", O_RDONLY|O_NONBLOCK`)) return 'committed'
  const ofFolder = text.includes(`<${FOLDER}>`)
  // Whether it is there still. XFS that has shut itself down says so here, and not when it is synced.
  if (renamed && ofFolder && /^(statx|newfstatat|fstat)$/.test(name)) return 'not durable'
  if (ofFolder && /^(getdents|newfstatat|fstat)/.test(name)) return 'committed'
  // A failed close of a folder that was only read does not matter.
  if (ofFolder && name === 'close') return 'committed'
  if (ofFolder && (name === 'fsync' || name === 'statx')) return 'not durable'
  return 'not committed'
}

/** Returns the fault in how a save ended. `error` must be its cause; null for no system error. */
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
  // People read the message, not the cause.
  if (error && !message?.includes(`(${error}: `)) faults.push(`the message is ${message}`)
  return faults
}
