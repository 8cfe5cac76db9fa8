/** Every implementation that saves writes the same bytes for the same state. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { prepare } from '../support/conformance/implementations.js'
import { countDifferences, table } from '../support/conformance/results.js'
import { compareWriters, writers } from '../support/conformance/writers.js'

test('TypeScript, Python and C++ write the same bytes for each state of the corpus', async (t) => {
  t.timeout(20 * 60_000)
  const names = writers.map(({ name }) => name)
  t.deepEqual(names, ['TypeScript', 'Python', 'C++'])
  const { missing } = await prepare(names, () => {})
  t.deepEqual(missing, [])
  const folder = await mkdtemp(join(tmpdir(), 'lightwatch-writers-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const results = await compareWriters(writers, folder)
  t.true(results.rows.length > 25)
  if (countDifferences(results) > 0) t.log(table(results))
  t.is(countDifferences(results), 0)
})
