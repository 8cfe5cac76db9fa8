/** The files for those who carry the project on: workflows, forms, CONTRIBUTING.md, and the URLs of the packages. */

import { readdir, readFile } from 'node:fs/promises'
import { basename, dirname } from 'node:path'
import test from 'ava'
import { parse } from 'yaml'

const root = new URL('../../', import.meta.url)
const read = (path: string) => readFile(new URL(path, root), 'utf8')
const manifest = JSON.parse(await read('package.json'))

interface Workflow {
  readonly permissions: Record<string, string>
  readonly jobs: Record<string, Job>
}

interface Job {
  readonly 'timeout-minutes': number
  readonly permissions?: Record<string, string>
  readonly strategy?: { readonly matrix: Record<string, unknown[]> }
  readonly steps: readonly { readonly uses?: string; readonly run?: string }[]
}

async function workflow(name: string): Promise<Workflow> {
  return parse(await read(`.github/workflows/${name}.yml`))
}

test('workflows run scripts that there are, have a time limit, and may write nothing by default', async (t) => {
  for (const name of ['ci', 'release']) {
    const { jobs, permissions } = await workflow(name)
    t.deepEqual(permissions, { contents: 'read' }, name)
    for (const [title, job] of Object.entries(jobs)) {
      t.true(job['timeout-minutes'] > 0, title)
      for (const { run = '' } of job.steps) {
        for (const [, script] of run.matchAll(/npm run ([\w:]+)/g)) {
          t.true(Object.hasOwn(manifest.scripts, script!), script)
        }
      }
    }
  }
})

test('the tests run on three systems, and on every major version of Node that is supported', async (t) => {
  const { jobs } = await workflow('ci')
  const { os, node } = jobs.tests!.strategy!.matrix
  t.deepEqual(os, ['ubuntu-latest', 'macos-latest', 'windows-latest'])
  t.deepEqual(node, [20, 22, 24, 26])
  const oldest = Number(/\d+/.exec(manifest.engines.node)![0])
  t.is(Number(await read('.nvmrc')), oldest)
  t.is(node![0], oldest)
  const everything = jobs.everything!.steps.map(({ run }) => run)
  t.true(everything.includes('.ci/run'))
})

test('what publishes to npm, PyPI and crates.io has an identity of the workflow, and no secret', async (t) => {
  const { jobs } = await workflow('release')
  for (const name of ['npm', 'pypi', 'crates']) {
    t.is(jobs[name]!.permissions!['id-token'], 'write', name)
    t.notRegex(JSON.stringify(jobs[name]), /secrets\./, name)
  }
  t.regex(JSON.stringify(jobs.npm), /--provenance/)
})

test('dependabot looks at every folder that has a manifest of an ecosystem', async (t) => {
  const { updates } = parse(await read('.github/dependabot.yml')) as {
    updates: { 'package-ecosystem': string; directory?: string; directories?: string[] }[]
  }
  const looked = updates.flatMap(({ 'package-ecosystem': ecosystem, directory, directories }) =>
    (directories ?? [directory!]).map((folder) => `${ecosystem} ${folder}`),
  )
  const ecosystems = {
    'package.json': 'npm',
    'pyproject.toml': 'pip',
    'Cargo.toml': 'cargo',
    'go.mod': 'gomod',
    'pom.xml': 'maven',
  }
  const expected = ['github-actions /']
  for (const path of await manifestsIn('', Object.keys(ecosystems))) {
    const ecosystem = ecosystems[basename(path) as keyof typeof ecosystems]
    expected.push(`${ecosystem} ${dirname(`/${path}`)}`)
  }
  t.deepEqual(looked.sort(), expected.sort())
})

test('the forms for issues ask for what a report must have', async (t) => {
  for (const name of ['bug', 'feature']) {
    const form = parse(await read(`.github/ISSUE_TEMPLATE/${name}.yml`)) as {
      name: string
      description: string
      body: { id: string; type: string; validations?: { required?: boolean } }[]
    }
    t.truthy(form.name)
    t.truthy(form.description)
    t.true(form.body.some(({ validations }) => validations?.required === true))
    const ids = form.body.map(({ id }) => id)
    t.deepEqual(ids, [...new Set(ids)])
  }
})

test('every package names the repository, as the module of Go does', async (t) => {
  const url = 'https://github.com/lightwatch/lightwatch-checkpoint'
  t.is(manifest.repository.url, `git+${url}.git`)
  t.is(manifest.bugs, `${url}/issues`)
  t.is(manifest.homepage, `${url}#readme`)
  t.true((await read('bindings/go/go.mod')).startsWith(`module ${url.slice(8)}/bindings/go\n`))
  const named = {
    'bindings/python/pyproject.toml': [`Issues = "${url}/issues"`, `Source = "${url}/`],
    'bindings/rust/Cargo.toml': [`repository = "${url}"`, `homepage = "${url}/`],
    'bindings/java/pom.xml': [`<url>${url}</url>`, `<connection>scm:git:${url}.git<`],
    'bindings/cpp/CMakeLists.txt': [`HOMEPAGE_URL "${url}"`],
  }
  for (const [path, texts] of Object.entries(named)) {
    const text = await read(path)
    for (const expected of texts) t.true(text.includes(expected), `${path}: ${expected}`)
  }
})

test('the commands and folders of CONTRIBUTING.md and UPGRADING.md are there', async (t) => {
  for (const page of ['CONTRIBUTING.md', 'UPGRADING.md']) {
    const text = await read(page)
    for (const [, script] of text.matchAll(/npm run ([\w:]+)/g)) {
      t.true(Object.hasOwn(manifest.scripts, script!), script)
    }
    for (const [, folder] of text.matchAll(/^\| `([\w-]+\/)` \|/gm)) {
      await t.notThrowsAsync(readdir(new URL(folder!, root)), folder)
    }
  }
})

const NOT_OURS = new Set(['node_modules', 'dist', 'build', 'target', 'coverage', 'reports', '.git'])

/** Files of these names in a folder of the repository, as paths in the repository. */
async function manifestsIn(folder: string, names: readonly string[]): Promise<string[]> {
  const entries = await readdir(new URL(folder, root), { withFileTypes: true })
  const found = entries.map((entry) => {
    const path = `${folder}${entry.name}`
    if (entry.isDirectory()) return NOT_OURS.has(entry.name) ? [] : manifestsIn(`${path}/`, names)
    return names.includes(entry.name) ? [path] : []
  })
  return (await Promise.all(found)).flat()
}
