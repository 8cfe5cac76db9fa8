/**
 * Runs every implementation that this machine can build over the corpus, prints a table, and then gives
 * all of them mutated files. Those that save are compared as writers, too: a second table.
 *
 *   npm run conformance -- [--only NAME,...] [--large] [--mutations N] [--seed N] [--from N] [--keep FOLDER]
 *
 *   --only       the implementations to be run, as the table calls them (TypeScript,Python,...)
 *   --large      files of 2 GiB and more as well: some 9 GB of the disk
 *   --mutations  how many mutated files (default 0)
 *   --seed       of the mutations (default: drawn, and printed)
 *   --from       number of the first mutation
 *   --keep       the folder for files that are disagreed on (default: the system's for temporary files)
 *
 * An implementation whose toolchain is not there is left out, and named; where the environment says CI,
 * that is a failure, and everywhere where a build fails. In the column `flatc`, FlatBuffers' own verifier for C++ looks at what is to be read;
 * of what is to be refused it may think what it likes (`·`). Ends with 1 where anything has failed.
 */

import { randomInt } from 'node:crypto'
import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { corpusCases } from './cases.js'
import { differential } from './differential.js'
import { prepare } from './implementations.js'
import { longFiles, manyTensors } from './large-cases.js'
import { compare, countDifferences, table } from './results.js'
import { specialPaths } from './special-cases.js'
import { compareWriters, writers } from './writers.js'

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    large: { type: 'boolean', default: false },
    mutations: { type: 'string', default: '0' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
    from: { type: 'string', default: '0' },
    keep: { type: 'string', default: tmpdir() },
  },
})

function number(option: 'mutations' | 'seed' | 'from'): number {
  const value = Number(values[option])
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`--${option} ${values[option]}: a number is expected`)
  }
  return value
}

const mutations = number('mutations')
const seed = number('seed')
const from = number('from')

const { columns, flatbuffers, missing } = await prepare(values.only?.split(','), console.log)
for (const { name, why } of missing) console.log(`left out: ${name} (${why})`)

const folder = await mkdtemp(join(tmpdir(), 'lightwatch-conformance-'))
let failed = missing.some(({ failed }) => failed || Boolean(process.env.CI))
try {
  const cases = await corpusCases()
  cases.push(...(await specialPaths(folder)), await manyTensors(folder))
  if (values.large) cases.push(...(await longFiles(folder)))
  const results = await compare(
    flatbuffers === undefined ? columns : [...columns, flatbuffers],
    cases,
  )
  const differences = countDifferences(results)
  console.log(table(results))
  console.log(
    `${cases.length} files, ${columns.length} implementations, ${differences} differences`,
  )
  failed ||= differences > 0

  const able = writers.filter(({ name }) => columns.some((column) => column.name === name))
  const own = join(folder, 'writers')
  await mkdir(own)
  const written = await compareWriters(able, own)
  console.log(`\nThe bytes that writers make of the states of the valid files\n\n${table(written)}`)
  const wrong = countDifferences(written)
  console.log(`${written.rows.length} states, ${able.length} writers, ${wrong} differences`)
  failed ||= wrong > 0
} finally {
  await rm(folder, { recursive: true, force: true })
}

if (mutations > 0) {
  const { keep } = values
  console.log(`\n${mutations} mutations from number ${from}, seed ${seed}`)
  const found = await differential({ columns, flatbuffers, seed, from, count: mutations, keep })
  for (const { number, of, what, path } of found.disagreements) {
    console.log(`\n✗ seed ${seed}, number ${number}, of ${of}: ${path}\n  ${what}`)
  }
  console.log(
    `${found.accepted} accepted by all, ${found.refused} refused, by ${found.rules.size} rules ` +
      `(${found.otherRules} not by the same one); ${found.disagreements.length} disagreements`,
  )
  failed ||= found.disagreements.length > 0
}

process.exitCode = failed ? 1 : 0
