/**
 * Writes that take fewer bytes than they were given, without an error. Node goes on with such a write
 * itself; but where an error follows, it tells the count and not the error.
 */

import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { type Attempt, faultsOfAttempt, OLD } from '../support/crash/attempt.js'
import { inParallel } from '../support/crash/in-parallel.js'
import { report } from '../support/crash/report.js'
import { checkpointBytes } from '../support/crash/training.js'
import { command, workspace } from '../support/crash/workspace.js'
import { testWith } from '../support/requires.js'

// More than a save makes; the later ones change nothing.
const CALLS = Array.from({ length: 10 }, (_, i) => i + 1)

// Less than any of the large writes.
const BYTES = [1, 7, 500, 65_536]

interface Short {
  /** 0 for every one. */
  readonly call: number
  /** At most. */
  readonly bytes: number
  /** The next call finds the disk full, and that it tells; the one after that has room again. */
  readonly thenFull?: boolean
}

/** Saves with each of these short writes, and returns what is wrong. */
async function trySaves(
  t: ExecutionContext,
  writes: readonly Short[],
  attempt: Pick<Attempt, 'mutant' | 'error'> = {},
): Promise<string[]> {
  const folder = await workspace(t)
  const library = join(folder, 'short-writes.so')
  const source = fileURLToPath(new URL('../support/crash/short-writes.c', import.meta.url))
  await command('cc', '-shared', '-fPIC', '-O1', '-o', library, source, '-ldl')
  const faults = await inParallel(writes, async ({ call, bytes, thenFull = false }, i) => {
    const place = join(folder, String(i))
    await mkdir(place)
    const path = join(place, 'a.ckpt')
    await writeFile(path, await checkpointBytes(OLD))
    return faultsOfAttempt({
      what: `at most ${bytes} bytes in ${call === 0 ? 'every call' : `call ${call}`}`,
      path,
      environment: {
        LD_PRELOAD: library,
        SHORT_CALL: String(call),
        SHORT_BYTES: String(bytes),
        ...(thenFull ? { SHORT_FULL: 'yes' } : {}),
      },
      ...attempt,
    })
  })
  return faults.flat()
}

testWith('program:cc')('a short write is continued', async (t) => {
  const writes: Short[] = CALLS.flatMap((call) => BYTES.map((bytes) => ({ call, bytes })))
  for (const bytes of [97, 1000, 4096, 65_536]) writes.push({ call: 0, bytes })
  report(t, 'writes cut short (`LD_PRELOAD`)', writes.length, await trySaves(t, writes))
})

// Those of segments. (The metadata are the last: there is no next write whose error would end the save.)
const LARGE = [1, 2, 3].map((call) => ({ call, bytes: 500, thenFull: true }))

testWith('program:cc')('a short write after a temporary error is continued', async (t) => {
  report(t, 'writes cut short by a passing error', LARGE.length, await trySaves(t, LARGE))
})

testWith('program:cc')(
  'negative control: a save that believes short writes is caught',
  async (t) => {
    const faults = await trySaves(t, LARGE, { mutant: 'short-writes-taken-for-whole' })
    const what = 'writes cut short by a passing error, short-writes-taken-for-whole'
    report(t, what, LARGE.length, faults, { control: true })
  },
)

testWith('program:cc')('a write of 0 bytes without an error is an error', async (t) => {
  const writes = [0, 1, 2, 3, 4].map((call) => ({ call, bytes: 0 }))
  const faults = await trySaves(t, writes, { error: null })
  report(t, 'writes of nothing (`LD_PRELOAD`)', writes.length, faults)
})
