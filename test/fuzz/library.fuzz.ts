import { availableParallelism } from 'node:os'
import test from 'ava'
import type { Stretch, TargetName } from '../support/fuzz/campaign.js'
import { runCrew } from '../support/fuzz/crew.js'
import { MEMORY_LIMIT, Report } from '../support/fuzz/report.js'
import { SEED } from '../support/seed.js'

// Enough to meet every way in which a file is refused many times over, in half a minute.
const INPUTS: Readonly<Record<Exclude<TargetName, 'cpp'>, number>> = {
  verify: 160_000,
  load: 40_000,
  sparse: 12_000,
  restore: 20_000,
  file: 6_000,
}
const STRETCH = 4_000

function* stretches(): Generator<Stretch> {
  for (const [target, inputs] of Object.entries(INPUTS)) {
    for (let from = 0; from < inputs; from += STRETCH) {
      yield {
        target: target as TargetName,
        seed: SEED,
        from,
        count: Math.min(STRETCH, inputs - from),
      }
    }
  }
}

test('any mutated file is refused with a CheckpointError, or read without harm', async (t) => {
  t.timeout(600_000)
  const report = new Report()
  await runCrew(availableParallelism(), stretches(), (stretch, result) =>
    report.add(stretch, result),
  )
  t.log(report.line())
  t.deepEqual(report.failures, [])
  t.true(report.peakMemory < MEMORY_LIMIT, `${report.peakMemory} bytes`)
  t.is(
    report.inputs,
    Object.values(INPUTS).reduce((a, b) => a + b),
  )

  // It has not only scratched the surface.
  for (const target of Object.keys(INPUTS) as (keyof typeof INPUTS)[]) {
    const outcomes = report.outcomes(target)
    t.true(outcomes.size >= 20, `${target}: ${[...outcomes.keys()]}`)
    t.true(report.reachedVerifier(target) > 0.7, target)
  }
  t.true((report.outcomes('verify').get('sound metadata') ?? 0) > 0.1 * INPUTS.verify)
  t.true((report.outcomes('load').get('read') ?? 0) > 0.1 * INPUTS.load)
  t.true((report.outcomes('file').get('read') ?? 0) > 0.1 * INPUTS.file)
  t.true((report.outcomes('restore').get('restored') ?? 0) > 0.1 * INPUTS.restore)
})
