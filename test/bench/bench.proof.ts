import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import type { Report } from '../../bench/report.js'
import { loadsTypeScript } from '../support/child.js'
import { requires } from '../support/requires.js'

const repository = fileURLToPath(new URL('../..', import.meta.url))

function bench(...programArguments: string[]) {
  return spawnSync(process.execPath, [loadsTypeScript, 'bench/main.ts', ...programArguments], {
    cwd: repository,
    encoding: 'utf8',
  })
}

test('a run measures, writes its report, and leaves nothing in its folder', (t) => {
  // In the repository and not in a temporary folder, which may be in memory.
  const folder = mkdtempSync(join(repository, 'bench', '.data-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const out = join(folder, 'out')
  const data = join(folder, 'data')
  const common = ['--ours-alone', '--size', 'small', '--rounds', '1', '--dir', data]
  const { status, stdout, stderr } = bench(...common, '--only', 'save,restore', '--out', out)
  t.is(status, 0, stderr)
  t.true(stdout.includes('### Durable save'))

  const report = JSON.parse(readFileSync(join(out, 'performance.json'), 'utf8')) as Report
  t.deepEqual(
    report.tables.map(({ id }) => id),
    ['save', 'restore'],
  )
  t.is(report.tables[0]!.rows.length, 1)
  t.is(report.tables[1]!.rows.length, 2)
  for (const { values } of report.tables.flatMap(({ rows }) => rows)) {
    t.is(values.length, 1)
    t.true(values[0]! > 0 && values[0]! < 60)
  }
  t.is(report.environment.node, process.version)
  t.true(readFileSync(join(out, 'performance.svg'), 'utf8').startsWith('<svg '))
  t.deepEqual(readdirSync(data), [])
})

test('a document gets the figures, and keeps its prose', (t) => {
  const folder = mkdtempSync(join(repository, 'bench', '.data-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const document = join(folder, 'performance.md')
  const shipped = readFileSync(join(repository, 'docs', 'performance.md'), 'utf8')
  writeFileSync(document, shipped)
  const common = ['--ours-alone', '--size', 'small', '--rounds', '1', '--dir', join(folder, 'data')]
  const { status, stderr } = bench(...common, '--only', 'staged', '--out', folder)
  t.is(status, 0, stderr)
  const written = readFileSync(document, 'utf8')
  t.true(written.includes('### Save in the background'))
  t.is(written.slice(0, written.indexOf('<!--')), shipped.slice(0, shipped.indexOf('<!--')))
})

test('wrong options end a run with the help and exit code 2', (t) => {
  const { status, stderr } = bench('--only', 'nothing')
  t.is(status, 2)
  t.true(stderr.includes('--only: nothing is none of save, '))
  t.true(stderr.includes('--rounds N'))
})

const withMemory = requires(test, 'linux', 'tmpfs:/dev/shm')

withMemory('a folder in memory is refused: a save there waits for no device', (t) => {
  const folder = mkdtempSync('/dev/shm/bench-test-')
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const { status, stderr } = bench('--ours-alone', '--only', 'save', '--dir', folder)
  t.not(status, 0)
  t.true(stderr.includes('in memory and not on a disk'))
})
