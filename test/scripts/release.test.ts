import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type PackageCheck, runCheck } from '../../scripts/release/package-check.js'
import { exampleOf } from '../../scripts/release/readme.js'
import { agreedVersion, leftToDo, STATED_IN } from '../../scripts/release/versions.js'

const project = fileURLToPath(new URL('../..', import.meta.url))

/** A folder with what a project states its version in, and its schema. */
async function copyOfProject(t: ExecutionContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'release-test-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  for (const path of [...STATED_IN, 'schema/checkpoint.fbs', 'schema/released/README.md']) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await cp(join(project, path), join(folder, path))
  }
  return folder
}

async function edit(path: string, from: string | RegExp, to: string): Promise<void> {
  const text = await readFile(path, 'utf8')
  const edited = text.replace(from, to)
  if (edited === text) throw new Error(`${path} has no ${from}`)
  await writeFile(path, edited)
}

test('every package has one version, which the changelog has as well', async (t) => {
  const { version } = JSON.parse(await readFile(join(project, 'package.json'), 'utf8'))
  t.is(await agreedVersion(project), version)
})

test('a version that one package alone has is named with its file', async (t) => {
  for (const path of STATED_IN) {
    const folder = await copyOfProject(t)
    const version = await agreedVersion(folder)
    const own = version.replaceAll('.', '\\.')
    const stated = path === 'CHANGELOG.md' ? `(?<=^## )${own}` : `${own}(?=["\\s<])`
    await edit(join(folder, path), new RegExp(stated, 'm'), '9.9.9')
    const error = await t.throwsAsync(agreedVersion(folder), undefined, path)
    t.true(error!.message.includes(`${path}: 9.9.9`), error!.message)
  }
})

test('what is left to do before a tag is named, until it is done', async (t) => {
  const folder = await copyOfProject(t)
  const version = await agreedVersion(folder)
  const changelog = join(folder, 'CHANGELOG.md')
  await writeFile(
    changelog,
    `# Changelog\n\n## Unreleased\n\n- New.\n\n## ${version} (unreleased)\n`,
  )
  t.is((await leftToDo(folder, version)).length, 3)
  await cp(join(folder, 'schema/checkpoint.fbs'), join(folder, `schema/released/${version}.fbs`))
  t.is((await leftToDo(folder, version)).length, 2)
  await edit(changelog, /^## Unreleased$/m, '## 99.0.0 (2026-11-28)')
  t.deepEqual(await leftToDo(folder, '99.0.0'), [])
})

test('the packages that cannot take the licence from the repository have the same text', async (t) => {
  const licence = await readFile(join(project, 'LICENSE'), 'utf8')
  for (const language of ['python', 'rust']) {
    t.is(await readFile(join(project, 'bindings', language, 'LICENSE'), 'utf8'), licence, language)
  }
})

test('the first step that fails ends the check of a package, and is told with the output of its program', async (t) => {
  const said: string[] = []
  const step = (title: string, code: string) => ({
    title,
    run: async ({ run }: { run: (program: string, args: string[]) => Promise<string> }) => {
      await run(process.execPath, ['--eval', code])
    },
  })
  const check: PackageCheck = {
    name: 'x',
    needs: ['node'],
    steps: [
      step('one', ''),
      step('two', 'console.error("no disk"); process.exit(3)'),
      step('three', ''),
    ],
  }
  const outcome = await runCheck(check, { root: project, version: '1.0.0' }, (line) =>
    said.push(line),
  )
  t.is(outcome.done, 1)
  t.is(outcome.failure?.title, 'two')
  t.regex(outcome.failure!.why, /ended with 3:\nno disk/)
  t.is(said.length, 2)
})

test('a package whose toolchain is missing is not ready', async (t) => {
  const check: PackageCheck = { name: 'x', needs: ['no-such-program'], steps: [] }
  const outcome = await runCheck(check, { root: project, version: '1.0.0' }, () => {})
  t.is(outcome.failure?.title, 'no-such-program is there')
})

test('the example of a README is the only block of its language with a word', (t) => {
  const readme = '```rust,no_run\nfn main() {}\n```\n\n```sh\na\n```\n\n```sh\nb\n```\n'
  t.is(exampleOf(readme, 'rust'), 'fn main() {}\n')
  t.is(exampleOf(readme, 'sh', 'b'), 'b\n')
  t.throws(() => exampleOf(readme, 'sh'))
  t.throws(() => exampleOf(readme, 'go'))
})
