/**
 * Builds the site: the README, the guides and the other pages of docs/, and the reference from the doc
 * comments of every entry of package.json. `npm run docs` installs what this needs, and runs it.
 */

import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Application, Converter, ReflectionKind } from 'typedoc'

const here = dirname(fileURLToPath(import.meta.url))
const root = join(here, '..', '..')
// The pages as typedoc takes them: the same tree, with titles, and links that lead somewhere.
const pages = join(here, 'pages')
const out = join(here, 'build')

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const repository = 'https://github.com/lightwatch/lightwatch-checkpoint'

/** The pages of the site by their group, in the order of the navigation. */
const GROUPS = {
  Guides: guidesInOrder(),
  'In depth': ['docs/design.md', 'docs/format.md', 'docs/reliability.md', 'docs/performance.md'],
  Project: ['CHANGELOG.md', 'UPGRADING.md', 'CONTRIBUTING.md', 'SECURITY.md'],
}

/** The guides in the order of their list, and then those that it does not name. */
function guidesInOrder() {
  const list = readFileSync(join(root, 'docs', 'guide', 'README.md'), 'utf8')
  const listed = [...list.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, name]) => name)
  const all = readdirSync(join(root, 'docs', 'guide')).filter((name) => name !== 'README.md')
  return [...new Set([...listed, ...all.sort()])].map((name) => `docs/guide/${name}`)
}

const onSite = new Set(['README.md', ...Object.values(GROUPS).flat()])

/**
 * A page with a title in front (the README has the name of the site instead of its own), and with the links to
 * what is not on the site leading to the repository.
 */
function stage(path, group) {
  const page = readFileSync(join(root, path), 'utf8')
  const [, title] = /^# (.*)$/m.exec(page) ?? [undefined, path]
  const linked = page.replace(
    /(\]\()(?!https?:|mailto:|#)([^)#\s]+)(#[^)\s]*)?\)/g,
    (_, open, to, anchor = '') => {
      const target = join(dirname(path), to)
      const isImage = /\.(svg|png)$/.test(to)
      if (onSite.has(target) || isImage) return `${open}${to}${anchor})`
      return `${open}${repository}/blob/main/${target.replaceAll('\\', '/')}${anchor})`
    },
  )
  const body = group === undefined ? linked.replace(/^# .*\n/, '') : linked
  const matter =
    group === undefined
      ? ''
      : `---\ntitle: ${JSON.stringify(title.replaceAll('`', ''))}\ngroup: ${group}\n---\n\n`
  mkdirSync(dirname(join(pages, path)), { recursive: true })
  writeFileSync(join(pages, path), matter + body)
}

/** The entries of the package: the name of each by the file in src/ that it is made from. */
function entries() {
  const found = new Map()
  const add = (types, name) => {
    const file = types.replace('./dist/', '').replace('.d.ts', '.ts')
    if (!found.has(file)) found.set(file, name)
  }
  for (const [path, { types }] of Object.entries(manifest.exports)) {
    const name = path === '.' ? manifest.name : `${manifest.name}${path.slice(1)}`
    if (typeof types === 'string') add(types, name)
    for (const [condition, target] of typeof types === 'object' ? Object.entries(types) : []) {
      add(target, condition === 'default' ? `${name} (browsers)` : name)
    }
  }
  return found
}

rmSync(pages, { recursive: true, force: true })
stage('README.md')
for (const [group, paths] of Object.entries(GROUPS)) for (const path of paths) stage(path, group)
cpSync(join(root, 'docs', 'images'), join(pages, 'docs', 'images'), { recursive: true })
cpSync(join(root, 'docs', 'performance.svg'), join(pages, 'docs', 'performance.svg'))

const modules = entries()
const app = await Application.bootstrap({
  name: manifest.name,
  entryPoints: [...modules.keys()].map((file) => join(root, file)),
  tsconfig: join(root, 'tsconfig.build.json'),
  readme: join(pages, 'README.md'),
  projectDocuments: Object.values(GROUPS)
    .flat()
    .map((path) => join(pages, path)),
  out,
  cleanOutputDir: true,
  disableGit: true,
  sourceLinkTemplate: `${repository}/blob/main/{path}#L{line}`,
  basePath: root,
  excludeInternal: true,
  groupOrder: [...Object.keys(GROUPS), 'Modules', '*'],
  navigation: { includeGroups: true, includeCategories: false, includeFolders: false },
  sort: ['alphabetical-ignoring-documents'],
  searchInDocuments: true,
  customCss: join(here, 'style.css'),
  highlightLanguages: [
    'typescript',
    'javascript',
    'json',
    'bash',
    'python',
    'cpp',
    'rust',
    'go',
    'java',
    'xml',
    'toml',
    'cmake',
    'jsonc',
  ],
  ignoredHighlightLanguages: ['hexdump'],
  // What they are is in the text of the types that name them.
  intentionallyNotExported: ['DTYPES', 'WritableFile'],
  navigationLinks: { GitHub: repository },
  treatWarningsAsErrors: true,
})
app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
  for (const module of project.getReflectionsByKind(ReflectionKind.Module)) {
    const [source] = module.sources ?? []
    const name = modules.get(relative(root, source?.fullFileName ?? '').replaceAll('\\', '/'))
    if (name !== undefined) module.name = name
  }
})

const project = await app.convert()
if (project !== undefined) await app.generateDocs(project, out)
if (project === undefined || app.logger.hasErrors() || app.logger.hasWarnings())
  process.exitCode = 1
