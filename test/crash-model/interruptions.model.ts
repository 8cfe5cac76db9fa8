import test from 'ava'
import { INTERRUPTED } from '../support/crash-model/scenarios.js'
import { libraryCommit } from '../support/crash-model/stage.js'

for (const { name, run } of INTERRUPTED) {
  test(`${name}: the next save succeeds, cleans up, and is as safe as any other`, async (t) => {
    const { violations, faults, examples, runs, sampled } = await run(libraryCommit)
    t.deepEqual(examples, [])
    t.is(violations + faults, 0)
    t.false(sampled)
    t.true(runs > 100, `only ${runs} runs`)
  })
}
