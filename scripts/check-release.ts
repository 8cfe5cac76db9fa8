/**
 * `npm run release:check`: everything that has to hold of every package before a release, dry. Builds each as
 * its registry takes it, installs it into an empty folder, and runs the examples of its README there. Ends with
 * a table, and with 1 where something fails.
 *
 *   npm run release:check -- --only npm,Go   these packages alone
 *   npm run release:check -- --tag v0.2.0    what is left to do before this tag counts as a failure, too
 *                                            (or RELEASE_TAG=v0.2.0)
 *
 * `npm publish` runs it with `--schema-only` (prepublishOnly): the schema must be among the released ones.
 */

import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { cpp } from './release/cpp.js'
import { go } from './release/go.js'
import { java } from './release/java.js'
import { npm } from './release/npm.js'
import { type Outcome, type PackageCheck, runCheck } from './release/package-check.js'
import { python } from './release/python.js'
import { rust } from './release/rust.js'
import { agreedVersion, leftToDo, schemaLeft } from './release/versions.js'

const CHECKS: readonly PackageCheck[] = [npm, python, rust, go, java, cpp]

const { values, positionals } = parseArgs({
  options: {
    only: { type: 'string' },
    tag: { type: 'string', default: process.env.RELEASE_TAG },
    'schema-only': { type: 'boolean', default: false },
  },
  allowPositionals: true,
})
const root = positionals[0] ?? fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

try {
  process.exitCode = (await (values['schema-only'] ? checkSchema() : checkAll())) ? 0 : 1
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}

async function checkSchema(): Promise<boolean> {
  const left = await schemaLeft(root)
  if (left !== undefined) console.error(left)
  return left === undefined
}

async function checkAll(): Promise<boolean> {
  const checks = chosen(values.only)
  const version = await agreedVersion(root)
  console.log(`Every package, and the changelog, has version ${version}.`)
  if (values.tag !== undefined && values.tag !== `v${version}`) {
    throw new Error(`the tag is ${values.tag}, and the packages have version ${version}`)
  }
  const outcomes: Outcome[] = []
  for (const check of checks) {
    console.log(`\n${check.name}`)
    outcomes.push(await runCheck(check, { root, version }, (line) => console.log(line)))
  }
  console.log(`\n${table(outcomes, version)}`)
  const left = await leftToDo(root, version)
  if (left.length > 0)
    console.log(`\nBefore the tag v${version}:\n${left.map((l) => `- ${l}`).join('\n')}`)
  const ready = values.tag === undefined || left.length === 0
  return ready && outcomes.every(({ failure }) => failure === undefined)
}

function chosen(only: string | undefined): readonly PackageCheck[] {
  if (only === undefined) return CHECKS
  return only.split(',').map((name) => {
    const check = CHECKS.find((known) => known.name.toLowerCase() === name.trim().toLowerCase())
    if (check !== undefined) return check
    const names = CHECKS.map((known) => known.name).join(', ')
    throw new RangeError(`there is no package called ${name}; there are ${names}`)
  })
}

function table(outcomes: readonly Outcome[], version: string): string {
  const rows = outcomes.map(({ name, done, steps, seconds, failure }) => [
    name,
    version,
    `${done} of ${steps}`,
    `${seconds.toFixed(0)} s`,
    failure === undefined ? 'ready' : `FAILED: ${failure.title}`,
  ])
  const all = [['Package', 'Version', 'Checks', 'Time', 'Outcome'], ...rows]
  const widths = all[0]!.map((_, i) => Math.max(...all.map((row) => row[i]!.length)))
  const line = (row: string[]) => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  const rule = widths.map((width) => '-'.repeat(width))
  return [line(all[0]!), line(rule), ...all.slice(1).map(line)].join('\n')
}
