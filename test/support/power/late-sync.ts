/** A sync that is held up: time to break a disk right before it, or to repair it. */

import { setTimeout as wait } from 'node:timers/promises'
import type { Injection } from '../crash/tracer.js'

// Milliseconds until something has to have come about.
const PATIENCE = 20_000

/** Of a save into a folder that is there: after the folder above, and the file. */
export const FOLDER_SYNC = 3

// Milliseconds that a sync is held up: far longer than what is to happen meanwhile takes, also on a
// machine that is busy with other things.
const DELAY = 5000

/** The sync of that number takes place a while later than it should. */
export function lateSync(ordinal: number): Injection {
  return {
    call: { thread: 'worker', name: 'fsync', ordinal },
    fault: { kind: 'delay', milliseconds: DELAY },
  }
}

/** Waits for something to come about. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const start = performance.now()
  while (!(await condition())) {
    if (performance.now() - start > PATIENCE) throw new Error('it never came about')
    await wait(5)
  }
}
