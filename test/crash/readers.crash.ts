/** A file that is read while two processes save to it without a pause. */

import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import type { Mutant } from '../support/crash/mutants.js'
import { Reader } from '../support/crash/reader.js'
import { report } from '../support/crash/report.js'
import { RestlessSaver } from '../support/crash/save-forever.js'
import { scaled } from '../support/crash/scale.js'
import { workspace } from '../support/crash/workspace.js'
import { testWith } from '../support/requires.js'

const READS = scaled(10_000)

// A negative control that has not been caught by then is not.
const CONTROL_READS = 20_000

// Steps of each saver, again and again: so the reader has all of them at hand.
const PERIOD = 16

/** Reads, every other time by a map, until `enough`; what was not whole, and the saves that failed. */
async function readUnderSavers(
  t: ExecutionContext,
  enough: (reads: number, faults: readonly string[]) => boolean,
  mutant?: Mutant,
): Promise<{
  reads: number
  saves: number
  changes: number
  faults: string[]
  failures: string[]
}> {
  const path = join(await workspace(t), 'a.ckpt')
  const savers = await Promise.all(
    [1, 2].map((saver) =>
      RestlessSaver.start({ path, saver, first: 0, period: PERIOD, ...(mutant && { mutant }) }),
    ),
  )
  const reader = new Reader()
  const faults: string[] = []
  let [reads, changes] = [0, 0]
  let before = ''
  try {
    await Promise.all(savers.map((saver) => saver.saved()))
    for (; !enough(reads, faults); reads++) {
      // Not by a map where the file may be truncated: that would end this process (SIGBUS).
      const read = await reader.read(path, { map: mutant === undefined && reads % 2 === 0 })
      if (typeof read === 'string') {
        faults.push(read)
        continue
      }
      const now = `${read.saver}/${read.step}`
      if (now !== before) changes++
      before = now
    }
  } finally {
    for (const saver of savers) await saver.kill()
  }
  const saves = savers.reduce((sum, saver) => sum + saver.saves.length, 0)
  return { reads, saves, changes, faults, failures: savers.flatMap(({ failures }) => failures) }
}

testWith()(
  `${READS.toLocaleString('en')} reads of a file that two processes save to`,
  async (t) => {
    const { reads, saves, changes, faults, failures } = await readUnderSavers(
      t,
      (reads) => reads >= READS,
    )
    t.log(`${saves} saves meanwhile; ${changes} reads found another file than the one before`)
    t.true(changes > reads / 100, 'the reader saw too few files to tell')
    report(t, 'verified reads under two savers', reads, faults)
    report(t, 'saves of two savers to one path', saves, failures)
  },
)

for (const mutant of ['in-place', 'fixed-temporary-name'] as const) {
  testWith()(`negative control: savers that are wrong (${mutant}) are caught`, async (t) => {
    const { reads, faults } = await readUnderSavers(
      t,
      (reads, { length }) => length >= 10 || reads >= CONTROL_READS,
      mutant,
    )
    report(t, `verified reads under two savers, ${mutant}`, reads, faults, { control: true })
  })
}
