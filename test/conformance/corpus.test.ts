/** The corpus is what make.ts makes, leaves no rule out, and is read as it has to be. */

import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { CORPUS, type Invalidity, makeCorpus } from '../support/conformance/corpus.js'
import { CODES_OF_BYTES, rulesOfBytes } from '../support/conformance/corpus-rules.js'
import { bindings, lackOf, typescript } from '../support/conformance/implementations.js'
import { difference, type FileReport } from '../support/conformance/report.js'
import { Reporter } from '../support/conformance/reporter-process.js'
import { canMap } from '../support/ways-to-load.js'

const invalid: Record<string, Invalidity> = JSON.parse(
  await readFile(new URL('invalid.json', CORPUS), 'utf8'),
)
const valid = (await readdir(new URL('valid/', CORPUS)))
  .filter((file) => file.endsWith('.ckpt'))
  .map((file) => file.slice(0, -'.ckpt'.length))

const pathOf = (name: string): string => fileURLToPath(new URL(name, CORPUS))

test('every file is what make.ts makes, and there are no other files', async (t) => {
  const made = await makeCorpus()
  for (const [path, bytes] of made) {
    t.true(Buffer.compare(bytes, await readFile(new URL(path, CORPUS))) === 0, path)
  }
  const there = ['invalid.json']
  for (const folder of ['valid', 'invalid']) {
    for (const name of await readdir(new URL(`${folder}/`, CORPUS))) there.push(`${folder}/${name}`)
  }
  t.deepEqual(there.sort(), [...made.keys()].sort())
})

test('the corpus is small', async (t) => {
  let total = 0
  for (const bytes of (await makeCorpus()).values()) total += bytes.byteLength
  t.true(total < 2 ** 20, `${total} bytes`)
})

test('every rule and every code that bytes can break is broken by a file', async (t) => {
  const broken = new Set(Object.values(invalid).flatMap(({ rule }) => rule ?? []))
  t.deepEqual([...broken].sort(), await rulesOfBytes())
  const codes = new Set(Object.values(invalid).map(({ code }) => code))
  t.deepEqual([...codes].sort(), [...CODES_OF_BYTES].sort())
})

for (const [how, args] of [
  ['as it opens a path', []],
  ['without a map', ['--read']],
] as const) {
  if (args.length > 0 && !canMap) continue
  test(`the library reads and refuses every file as it has to, ${how}`, async (t) => {
    const { reporter: command } = typescript
    const reporter = new Reporter({ ...command, args: [...command.args, ...args] })
    t.teardown(() => reporter.close())
    for (const name of valid) {
      const expected: FileReport = JSON.parse(
        await readFile(new URL(`valid/${name}.json`, CORPUS), 'utf8'),
      )
      const actual = await reporter.report(pathOf(`valid/${name}.ckpt`))
      t.is(difference(expected, actual), undefined, name)
    }
    for (const [name, { code, rule }] of Object.entries(invalid)) {
      const actual = await reporter.report(pathOf(`invalid/${name}.ckpt`))
      t.is(difference({ error: { code, rule } }, actual), undefined, name)
    }
    t.true(valid.length > 20 && Object.keys(invalid).length > 200)
  })
}

test('`npm run conformance` covers the other languages, and lists what it lacks', async (t) => {
  for (const implementation of bindings) {
    const lack = await lackOf(implementation)
    t.log(
      `${implementation.name}: left out here${lack === undefined ? '' : `, and there: ${lack}`}`,
    )
  }
  t.is(new Set(bindings.map(({ name }) => name)).size, bindings.length)
})
