/** The table shows what differs, and counts it. */

import test from 'ava'
import { corpusCases } from '../support/conformance/cases.js'
import { typescript } from '../support/conformance/implementations.js'
import type { FileReport } from '../support/conformance/report.js'
import { type Column, compare, countDifferences, table } from '../support/conformance/results.js'

const REFUSES = `import { createInterface } from 'node:readline'
for await (const path of createInterface({ input: process.stdin })) {
  process.stdout.write('{"error":{"code":"CKPT_FORMAT","rule":"gap"}}\\n')
}`

const library: Column = { name: 'TypeScript', command: typescript.reporter }
const suspicious: Column = {
  name: 'suspicious',
  command: { program: process.execPath, args: ['--input-type=module', '--eval', REFUSES] },
}

test('an implementation that refuses everything is right about files that break the rule it names', async (t) => {
  const cases = await corpusCases()
  const results = await compare(
    [library, suspicious, { ...suspicious, name: 'flatc', flatbuffersOnly: true }],
    cases,
  )
  for (const [i, { expected }] of cases.entries()) {
    const { name, cells } = results.rows[i]!
    const [ours, its, judged] = cells
    t.is(ours, undefined, name)
    if ('error' in expected) {
      t.is(its === undefined, expected.error.rule === 'gap', name)
      // What is to be refused by our rules may be a sound FlatBuffer.
      t.is(judged, null, name)
    } else {
      t.is(its, 'refused: gap', name)
      t.is(judged, 'refused', name)
    }
  }
  const gaps = cases.filter(
    ({ expected }) => 'error' in expected && expected.error.rule === 'gap',
  ).length
  const valid = cases.filter(({ expected }) => !('error' in expected)).length
  t.true(gaps > 3)
  t.is(countDifferences(results), cases.length - gaps + valid)
  const text = table(results)
  t.regex(text, /valid\/nothing +✓ +✗ +✗\n/)
  t.regex(text, /invalid\/version-0 +✓ +✗ +·\n/)
  t.regex(text, /✗ suspicious: valid\/nothing\n {2}refused: gap\n/)
})

test('a value that is read as another one is reported with its position', async (t) => {
  const [first] = (await corpusCases()).filter(({ name }) => name === 'valid/example')
  const expected = { ...(first!.expected as FileReport), step: 999 }
  const results = await compare([library], [{ ...first!, expected }])
  t.is(results.rows[0]!.cells[0], 'step: 1000 instead of 999')
})
