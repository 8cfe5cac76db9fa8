import test from 'ava'
import { MUTANTS } from '../support/crash-model/mutants.js'
import { SCENARIOS } from '../support/crash-model/scenarios.js'

// Orders of two savers' calls; the bugs that they find show in few.
const ORDERS = 100

for (const mutant of MUTANTS) {
  test(`a planted bug is found: ${mutant.name}`, async (t) => {
    const scenario = SCENARIOS.find(({ name }) => name === mutant.foundBy)
    const { violations, faults, examples, accepted } = await scenario!.run(mutant, ORDERS)
    t.true(violations + faults > 0, `${mutant.foundBy} has not found it`)
    t.true(examples.length > 0)
    t.is(accepted, 0, 'a damaged file was taken for whole')
  })
}
