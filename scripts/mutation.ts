/**
 * `npm run mutation [-- group ...]`: runs Stryker over the given groups, or all of them, one after another, and prints
 * a row for each file. Fails if less than MINIMUM % of a file's mutants are killed. The survivors are in
 * reports/mutation/<group>.json.
 */

import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { groups } from './mutation-groups.mjs'

/** In percent of a file's mutants, including those that no test reaches. */
const MINIMUM = 90

interface Report {
  readonly files: Readonly<Record<string, { readonly mutants: readonly { status: string }[] }>>
}

const folder = fileURLToPath(new URL('..', import.meta.url))
const manifest = createRequire(import.meta.url).resolve('@stryker-mutator/core/package.json')
const stryker = join(dirname(manifest), 'bin', 'stryker.js')

const names = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(groups)
const rows: string[] = []
for (const name of names) {
  if (!Object.hasOwn(groups, name)) throw new Error(`no group ${name}: ${Object.keys(groups)}`)
  const { status, error } = spawnSync(process.execPath, [stryker, 'run'], {
    cwd: folder,
    // A fifth of the tests with random damage, because the others find almost all of it.
    env: { TEST_EFFORT: '0.2', ...process.env, MUTATION_GROUP: name },
    stdio: 'inherit',
  })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`Stryker ended with ${status} in group ${name}`)
  const path = join(folder, 'reports', 'mutation', `${name}.json`)
  const report: Report = JSON.parse(readFileSync(path, 'utf8'))
  for (const [file, { mutants }] of Object.entries(report.files)) {
    const count = (which: string) => mutants.filter((mutant) => mutant.status === which).length
    const killed = count('Killed') + count('Timeout')
    const survived = count('Survived') + count('NoCoverage')
    const tried = killed + survived
    const percent = tried === 0 ? 0 : (100 * killed) / tried
    if (percent < MINIMUM) process.exitCode = 1
    rows.push(
      `| ${file} | ${tried} | ${count('Killed')} | ${count('Timeout')} | ${survived} | ` +
        `${percent.toFixed(1)} % |`,
    )
  }
}
console.log('| File | Mutants | Killed | Timeouts | Survived | Found |')
console.log('|---|--:|--:|--:|--:|--:|')
for (const row of rows) console.log(row)
