/**
 * Makes one JavaScript module of a TypeScript program and all that it imports from this project, for tests: Node loads
 * one module in a fifth of the time of a hundred. Packages stay imports. A bundle is kept in node_modules/.cache, and
 * made again when a file in it has changed.
 */

import { mkdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))

// Raise it when `make` changes.
const CACHE_VERSION = 1
const cache = join(root, 'node_modules', '.cache', `bundles-${CACHE_VERSION}`)

const keptIn = (program) => join(cache, relative(root, program).replace(/\.ts$/, '.mjs'))

/** What tells whether a file has changed: the time of its last change in milliseconds, and its size in bytes. */
function stampOf(path) {
  const { mtimeMs, size } = statSync(join(root, path))
  return `${mtimeMs} ${size}`
}

function isFresh(program) {
  try {
    const made = JSON.parse(readFileSync(`${keptIn(program)}.inputs`, 'utf8'))
    if (made.root !== root) return false
    return Object.entries(made.stamps).every(([path, stamp]) => stampOf(path) === stamp)
  } catch {
    return false
  }
}

/** Returns the path of a program's bundle, which is that of the program's text now. */
export async function bundleOf(program) {
  if (!isFresh(program)) await make([program])
  return keptIn(program)
}

/** Makes the bundles of many programs that are not fresh, at once: a hundredth of the time for each. Returns how many. */
export async function bundleAll(programs) {
  const stale = programs.filter((program) => !isFresh(program))
  if (stale.length > 0) await make(stale)
  return stale.length
}

async function make(programs) {
  const { build } = await import('esbuild')
  const stamps = new Map()
  const { outputFiles, metafile } = await build({
    absWorkingDir: root,
    entryPoints: programs,
    outdir: cache,
    outbase: root,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    write: false,
    metafile: true,
    format: 'esm',
    platform: 'node',
    target: 'es2022',
    // Everything is evaluated, as Node evaluates it, also where package.json says that it has no effects.
    ignoreAnnotations: true,
    packages: 'external',
    sourcemap: 'linked',
    sourcesContent: false,
    tsconfigRaw: { compilerOptions: { target: 'es2022', verbatimModuleSyntax: true } },
    logLevel: 'error',
    plugins: [{ name: 'own-url', setup: (build) => keepUrls(build, stamps) }],
  })
  const inputsOf = Object.values(metafile.outputs).filter(({ entryPoint }) => entryPoint)
  for (const { entryPoint, inputs } of inputsOf) {
    const kept = keptIn(join(root, entryPoint))
    mkdirSync(dirname(kept), { recursive: true })
    const own = Object.fromEntries(Object.keys(inputs).map((path) => [path, stamps.get(path)]))
    // The inputs last: with them the bundle counts as fresh.
    for (const { path, contents } of outputFiles) {
      if (path === kept || path === `${kept}.map`) write(path, contents)
    }
    // With the folder, which stands in the bundle.
    write(`${kept}.inputs`, JSON.stringify({ root, stamps: own }))
  }
}

/** In a bundle, too, each module's `import.meta.url` is that of its own file. */
function keepUrls(build, stamps) {
  build.onLoad({ filter: /\.[cm]?[jt]sx?$/ }, ({ path }) => {
    // Before the text is read: a change in between makes the bundle stale.
    const name = relative(root, path).replaceAll('\\', '/')
    stamps.set(name, stampOf(name))
    const text = readFileSync(path, 'utf8')
    if (!text.includes('import.meta.url')) return undefined
    const url = JSON.stringify(pathToFileURL(path).href)
    const loader = /\.[cm]?([jt]sx?)$/.exec(path)[1]
    return { contents: text.replaceAll('import.meta.url', url), loader }
  })
}

/** Several processes may make the same bundle: each sees a whole one. */
function write(path, contents) {
  const temporary = `${path}.${process.pid}`
  writeFileSync(temporary, contents)
  renameSync(temporary, path)
}
