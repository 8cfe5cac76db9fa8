import { execFile } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { asyncDispose, dispose, isUrl, kindOf } from '../../src/realm.js'
import { scratchFolder } from '../support/scratch.js'

const run = promisify(execFile)

test('in a realm of its own, with values of others, everything works', async (t) => {
  const program = fileURLToPath(new URL('../support/realm/attempts.mjs', import.meta.url))
  const flags = ['--experimental-vm-modules', '--no-warnings']
  const { stdout } = await run(process.execPath, [...flags, program, await scratchFolder(t)])
  const outcomes: { readonly [attempt: string]: unknown } = JSON.parse(stdout)
  t.true(Object.keys(outcomes).length > 5)
  for (const [attempt, outcome] of Object.entries(outcomes)) t.is(outcome, true, attempt)
})

test('no source depends on a class or a symbol that a realm may have of its own, or lack', async (t) => {
  // The class of a value from elsewhere may be another realm's; only the library's own classes are its own.
  // `using` is lowered to a symbol that some realms lack.
  const source = fileURLToPath(new URL('../../src', import.meta.url))
  const files = (await readdir(source, { recursive: true, withFileTypes: true })).filter((entry) =>
    entry.isFile(),
  )
  const texts = await Promise.all(
    files.map(({ parentPath, name }) => readFile(join(parentPath, name), 'utf8')),
  )
  const own = texts.flatMap((text) => [...text.matchAll(/\bclass (\w+)/g)].map(([, name]) => name!))
  const faults = new RegExp(
    `\\binstanceof (?!(?:${own.join('|')})\\b)|\\busing [a-z]\\w* =|\\[Symbol\\.(?:asyncDispose|dispose)\\]`,
    'i',
  )
  for (const [i, text] of texts.entries()) {
    const lines = text.split('\n')
    const found = lines.filter((line) => !/^ *(?:\*|\/\/|\/\*)/.test(line) && faults.test(line))
    t.deepEqual(found, [], files[i]!.name)
  }
})

test('a kind is identified by its tag', (t) => {
  t.is(kindOf(new Map()), 'Map')
  t.is(kindOf(null), 'Null')
  t.true(isUrl(new URL('file:///a')))
  t.false(isUrl('file:///a'))
})

test('where the engine has them, the symbols of disposal are its own', (t) => {
  t.is(dispose, Symbol.dispose)
  t.is(asyncDispose, Symbol.asyncDispose)
})
