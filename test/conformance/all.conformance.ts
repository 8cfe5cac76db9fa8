/** Every implementation reads every valid file to the same values, and refuses every invalid one. */

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { programsFor } from '../../viewer/src/views/tensor/code.js'
import { corpusCases } from '../support/conformance/cases.js'
import { differential } from '../support/conformance/differential.js'
import { implementations, prepare } from '../support/conformance/implementations.js'
import { longFiles, manyTensors } from '../support/conformance/large-cases.js'
import { compare, countDifferences, table } from '../support/conformance/results.js'
import { specialPaths } from '../support/conformance/special-cases.js'
import { SEED } from '../support/seed.js'
import { runners } from '../support/viewer/programs.js'
import { shownTensors } from '../support/viewer/shown-tensors.js'

const MUTATIONS = 5_000

const { columns, flatbuffers, missing } = await prepare(undefined, () => {})
const judged = flatbuffers === undefined ? columns : [...columns, flatbuffers]

test.serial('no implementation is missing', (t) => {
  t.deepEqual(missing, [])
  t.is(columns.length, implementations.length)
  t.truthy(flatbuffers)
})

test.serial('all of them read and refuse the files of the corpus as they have to', async (t) => {
  t.timeout(20 * 60_000)
  const folder = await mkdtemp(join(tmpdir(), 'lightwatch-conformance-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const cases = [
    ...(await corpusCases()),
    ...(await specialPaths(folder)),
    await manyTensors(folder),
  ]
  const results = await compare(judged, cases)
  if (countDifferences(results) > 0) t.log(table(results))
  t.is(countDifferences(results), 0)
})

test.serial('all of them read the files around 2 GiB, and of more than 4 GiB', async (t) => {
  t.timeout(20 * 60_000)
  const folder = await mkdtemp(join(tmpdir(), 'lightwatch-conformance-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const results = await compare(judged, await longFiles(folder))
  if (countDifferences(results) > 0) t.log(table(results))
  t.is(countDifferences(results), 0)
})

test.serial('all of them agree on thousands of mutated files', async (t) => {
  t.timeout(20 * 60_000)
  const found = await differential({ columns, flatbuffers, seed: SEED, count: MUTATIONS })
  t.log(`${found.accepted} accepted, ${found.refused} refused by ${found.rules.size} rules`)
  t.deepEqual(found.disagreements, [])
  // Mutations that all are refused at the door would show nothing.
  t.true(found.accepted > MUTATIONS / 20 && found.rules.size > 20)
})

for (const [language, runPrograms] of Object.entries(runners)) {
  test.serial(
    `the programs in ${language} that the viewer shows compile and read their tensors`,
    async (t) => {
      t.timeout(5 * 60_000)
      const folder = await mkdtemp(join(tmpdir(), 'lightwatch-programs-'))
      t.teardown(() => rm(folder, { recursive: true, force: true }))
      const { file, tensors } = await shownTensors(folder)
      const programs = tensors.map(
        ({ facts }) =>
          programsFor(facts, file).find((program) => program.language === language)!.text,
      )
      const printed = await runPrograms(programs, folder)
      t.is(printed.length, tensors.length)
      for (const [i, { facts, lengths }] of tensors.entries()) {
        const found = (printed[i]!.match(/\d+/g) ?? []).map(Number)
        t.true(
          lengths.some((length) => found.includes(length)),
          `${facts.dtype}: ${printed[i]}`,
        )
      }
    },
  )
}
