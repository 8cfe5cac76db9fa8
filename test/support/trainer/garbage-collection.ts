/** Collects garbage on request, so that a test can find out what is still reachable. */

import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

// The flag gives new contexts a global `gc`; this one was made before.
setFlagsFromString('--expose-gc')
const collect: () => void = runInNewContext('gc')

/** Resolves when unreachable objects have been collected, and WeakRefs to them are empty. */
export async function collectGarbage(): Promise<void> {
  // V8 keeps the target of a used WeakRef until the current job ends.
  await setImmediate()
  collect()
}
