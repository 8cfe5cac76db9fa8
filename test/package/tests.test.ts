/** What holds of the tests themselves: where they are, and that none is passed over in silence. */

import { readdir, readFile } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { groups } from '../../scripts/mutation-groups.mjs'

const folder = fileURLToPath(new URL('..', import.meta.url))

/** The files of programs outside test/support, with their text. */
async function programs(): Promise<{ path: string; text: string }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile() && /\.[cm]?[jt]s$/.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .filter((path) => !path.startsWith('support/'))
  return Promise.all(
    paths.map(async (path) => ({ path, text: await readFile(join(folder, path), 'utf8') })),
  )
}

/** The suites that package.json has scripts for: `npm test` is called `test`, and test:x is called x. */
async function suites(): Promise<string[]> {
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> }
  return Object.values(scripts).flatMap((command) => {
    const [, suite] = /"test\/\*\*\/\*\.(\w+)\.ts"/.exec(command) ?? []
    return suite ?? []
  })
}

test('every program outside test/support is a test of a suite, and has one', async (t) => {
  const known = new Set(await suites())
  t.true(known.has('test'))
  for (const { path, text } of await programs()) {
    const [, suite] = /\.(\w+)\.ts$/.exec(path) ?? []
    t.true(suite !== undefined && known.has(suite), `test/${path} belongs to no suite`)
    // Its own, or those of a suite that every source or sink runs.
    t.regex(text, /from 'ava'|from '[./]+\/support\//, `test/${path} has no test`)
  }
})

test('no test is silently skipped: requires() names what a machine lacks', async (t) => {
  for (const { path, text } of await programs()) {
    if (path === 'package/tests.test.ts') continue
    t.notRegex(text, /\.skip\b/, `test/${path} skips a test by itself`)
    t.notRegex(text, /return t\.pass\(|t\.pass\(['"`]/, `test/${path} passes without a test`)
  }
})

test('every suite is in test/README.md, and is run in CI', async (t) => {
  const readme = await readFile(join(folder, 'README.md'), 'utf8')
  const ci = await readFile(new URL('../../.ci/run', import.meta.url), 'utf8')
  const manifest = await readFile(new URL('../../package.json', import.meta.url), 'utf8')
  const { scripts } = JSON.parse(manifest) as { scripts: Record<string, string> }
  for (const name of Object.keys(scripts).filter((name) => /^test(:|$)/.test(name))) {
    t.regex(ci, new RegExp(`npm (run )?${name}$`, 'm'), name)
    t.regex(readme, new RegExp(`\`npm (run )?${name}\``), name)
  }
})

test('files that are mutated, or whose branches are counted, exist', async (t) => {
  const read = (path: string) => readFile(join(folder, '..', path), 'utf8')
  for (const [name, { mutate, tests }] of Object.entries(groups)) {
    t.true(mutate.length > 0 && tests.length > 0, name)
    for (const path of [...mutate, ...tests]) await t.notThrowsAsync(read(path), path)
  }
  const { include }: { include: string[] } = JSON.parse(await read('.c8rc.json'))
  for (const path of include) await t.notThrowsAsync(read(path), path)
})
