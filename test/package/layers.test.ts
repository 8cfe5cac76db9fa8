import { readdir, readFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'

const root = fileURLToPath(new URL('../..', import.meta.url))

/** What a source file imports: paths from the root for our own files, names for packages. */
async function importsOf(file: string): Promise<string[]> {
  const source = await readFile(join(root, file), 'utf8')
  const found = source.matchAll(/(?:from|import) ?\(?'([^']+)'/g)
  return [...found].map(([, name]) =>
    name!.startsWith('.') ? join(dirname(file), name!).replace(/\.js$/, '.ts') : name!,
  )
}

async function filesIn(folder: string): Promise<string[]> {
  const entries = await readdir(join(root, folder), { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
}

/** Every file that is loaded with `file`, itself included, and the packages among the imports. */
async function closure(file: string): Promise<{ files: Set<string>; packages: Set<string> }> {
  const files = new Set<string>()
  const packages = new Set<string>()
  const visit = async (path: string): Promise<void> => {
    if (files.has(path)) return
    files.add(path)
    for (const name of await importsOf(path)) {
      if (name.endsWith('.ts')) await visit(name)
      else packages.add(name)
    }
  }
  await visit(file)
  return { files, packages }
}

/** The rooms of src/ from the top down, with the files of its root. A file imports from its own row, or lower ones. */
const LAYERS: readonly (readonly string[])[] = [
  ['index.ts', 'browser.ts', 'public.ts'],
  ['manager', 'adapters', 'exchange', 'resume-check', 'diff', 'cli'],
  ['save', 'load', 'restore'],
  ['threads'],
  ['io'],
  ['state.ts', 'options.ts', 'path.ts', 'progress.ts'],
  ['format'],
  ['errors.ts', 'printable.ts', 'realm.ts'],
]

/** Which row a file of src/ is in. */
function layerOf(file: string): number {
  const room = file.split('/')[1]!
  return LAYERS.findIndex((rooms) => rooms.includes(room))
}

test('imports run downward only', async (t) => {
  for (const file of await filesIn('src')) {
    t.not(layerOf(file), -1, `${file} is in no layer`)
    for (const name of await importsOf(file)) {
      if (name.startsWith('src/')) {
        t.true(layerOf(name) >= layerOf(file), `${file} imports ${name}`)
      }
    }
  }
})

test('no files import each other in a circle, not even types', async (t) => {
  const files = await filesIn('src')
  const imports = new Map<string, readonly string[]>()
  for (const file of files) imports.set(file, await importsOf(file))
  const done = new Set<string>()
  const visit = (file: string, above: readonly string[]): void => {
    const start = above.indexOf(file)
    t.is(start, -1, [...above.slice(start), file].join(' imports '))
    if (done.has(file) || start !== -1) return
    for (const name of imports.get(file) ?? []) visit(name, [...above, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
})

test('the format is pure: it imports no package but flatbuffers', async (t) => {
  for (const file of await filesIn('src/format')) {
    for (const name of await importsOf(file)) {
      t.true(/^src\/|^generated\/|^flatbuffers$/.test(name), `${file} imports ${name}`)
    }
  }
})

test('bytes in and out know nothing of tensors: of the format they import checksums alone', async (t) => {
  for (const file of await filesIn('src/io')) {
    for (const name of await importsOf(file)) {
      t.true(
        /^src\/io\/|^src\/(errors|path|printable|realm)\.ts$|^src\/format\/checksum(-combine)?\.ts$|^node:|^koffi$|^@aws-sdk\/client-s3$/.test(
          name,
        ),
        `${file} imports ${name}`,
      )
    }
  }
})

test('generated classes are touched in encode and decode alone', async (t) => {
  for (const file of await filesIn('src')) {
    const touched = (await importsOf(file)).filter((name) =>
      name.startsWith('generated/lightwatch/'),
    )
    // The numbers of dtypes are an enum, not a class.
    const classes = touched.filter((name) => !name.endsWith('/dtype.ts'))
    if (classes.length > 0) t.regex(file, /src\/format\/(en|de)code\.ts/)
  }
  t.pass()
})

test('no module of Node is loaded by the entry for browsers or by an adapter', async (t) => {
  const entries = [
    'src/browser.ts',
    'src/diff/diff.ts',
    'src/exchange/safetensors.ts',
    'src/exchange/numpy.ts',
    'src/exchange/convert-checkpoint.ts',
    'src/exchange/pytorch.ts',
    'src/exchange/model-json.ts',
    'src/io/s3/s3-store.ts',
    ...(await filesIn('src/adapters')),
  ]
  for (const entry of entries) {
    const { packages } = await closure(entry)
    t.deepEqual(
      [...packages].filter((name) => name !== 'flatbuffers' && name !== '@aws-sdk/client-s3'),
      [],
      entry,
    )
  }
})

test('adapters import no framework', async (t) => {
  for (const file of await filesIn('src/adapters')) {
    for (const name of await importsOf(file)) t.true(name.startsWith('src/'), `${file}: ${name}`)
  }
  t.pass()
})
