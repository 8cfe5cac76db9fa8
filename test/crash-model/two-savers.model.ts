import test from 'ava'
import { libraryCommit } from '../support/crash-model/stage.js'
import { TWO_SAVERS } from '../support/crash-model/two-savers.js'

for (const { name, run } of TWO_SAVERS) {
  test(`${name}: each saver's promise holds, and the last file stays`, async (t) => {
    const { violations, faults, examples, runs, states, sampled } = await run(libraryCommit)
    t.deepEqual(examples, [])
    t.is(violations + faults, 0)
    t.is(sampled, name.includes('random'), `${runs} orders`)
    t.true(runs >= 70, `only ${runs} orders`)
    t.true(states > 10 * runs, `only ${states} crash states`)
  })
}
