/** Collects garbage on demand, so that a test can tell what is still held. */

import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// The flag gives new contexts a global `gc`; this one was made before.
setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Resolves when everything that nobody reaches any more is gone, and WeakRefs to it are empty. */
export async function collectGarbage(): Promise<void> {
  // What a WeakRef was made of or gave out is kept until the turn of the event loop ends.
  await setImmediate()
  collect()
}
