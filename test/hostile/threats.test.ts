import { readdirSync } from 'node:fs'
import test from 'ava'
import { catalogue } from '../support/hostile/catalogue.js'
import { threats } from '../support/hostile/threats.js'

const names = catalogue.map(({ name }) => name)
const files = readdirSync(new URL('..', import.meta.url), { recursive: true }).map(String)
const testFiles = new Set(
  files.map((path) => path.replaceAll('\\', '/').replace(/\.[a-z]+\.ts$/, '')),
)

for (const { threat, fixtures = [], tests = [], never } of threats) {
  test(`${threat}: ${never ?? 'is tested'}`, (t) => {
    t.true(fixtures.length + tests.length > 0 || never !== undefined)
    for (const fixture of fixtures) {
      const fits = (name: string) =>
        typeof fixture === 'string' ? name === fixture : fixture.test(name)
      t.true(names.some(fits), `no fixture is called ${fixture}`)
    }
    for (const file of tests) {
      t.true(testFiles.has(file), `there is no test/${file}`)
    }
  })
}

test('all known threats are listed', (t) => {
  t.is(threats.length, 63)
})
