import { existsSync } from 'node:fs'
import test from 'ava'
import { catalogue } from '../support/hostile/catalogue.js'
import { threats } from '../support/hostile/threats.js'

const names = catalogue.map(({ name }) => name)

for (const { threat, fixtures = [], tests = [], never } of threats) {
  test(`${threat}: ${never ?? 'is tested'}`, (t) => {
    t.true(fixtures.length + tests.length > 0 || never !== undefined)
    for (const fixture of fixtures) {
      const fits = (name: string) =>
        typeof fixture === 'string' ? name === fixture : fixture.test(name)
      t.true(names.some(fits), `no fixture is called ${fixture}`)
    }
    for (const file of tests) {
      t.true(existsSync(new URL(`../${file}`, import.meta.url)), `there is no test/${file}`)
    }
  })
}

test('all threats that are known are listed', (t) => {
  t.is(threats.length, 63)
})
