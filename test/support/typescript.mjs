/**
 * Loads the project's TypeScript module by module: `node --import=./test/support/typescript.mjs`. Coverage needs that,
 * and so does a program that imports modules by names it computes; all others are loaded as bundles (typescript.cjs).
 * Starting costs a third of what tsx costs. It knows this project's conventions only: relative imports are written
 * `.js`, and all modules are ES modules.
 *
 * What esbuild makes of a file is kept in node_modules/.cache, by the checksum of its text.
 */

import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { register } from 'node:module'
import { fileURLToPath } from 'node:url'

const HOOKS = '#hooks'

// Raise it when `compile` changes.
const CACHE_VERSION = 1
const cache = fileURLToPath(
  new URL(`../../node_modules/.cache/typescript-${CACHE_VERSION}/`, import.meta.url),
)

// The same module is imported twice: by the process, and with a mark by the thread that loads modules.
if (!import.meta.url.endsWith(HOOKS)) register(import.meta.url + HOOKS)

/** @type {import('node:module').ResolveHook} */
export async function resolve(specifier, context, next) {
  if (/^\.\.?\/.*\.js$/.test(specifier) && context.parentURL?.endsWith('.ts')) {
    const url = new URL(specifier.replace(/js$/, 'ts'), context.parentURL)
    if (existsSync(url)) return { url: url.href, format: 'module', shortCircuit: true }
  }
  return next(specifier, context)
}

/** @type {import('node:module').LoadHook} */
export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context)
  return { format: 'module', source: await compiled(fileURLToPath(url)), shortCircuit: true }
}

async function compiled(path) {
  const text = readFileSync(path)
  // With the path, which stands in the source map.
  const key = createHash('sha1').update(path).update('\0').update(text).digest('hex')
  const kept = `${cache}${key}.js`
  try {
    return readFileSync(kept, 'utf8')
  } catch {
    const code = await compile(path, text)
    mkdirSync(cache, { recursive: true })
    const temporary = `${kept}.${process.pid}`
    writeFileSync(temporary, code)
    renameSync(temporary, kept)
    return code
  }
}

async function compile(path, text) {
  const { transform } = await import('esbuild')
  const { code } = await transform(text, {
    loader: 'ts',
    format: 'esm',
    target: 'es2022',
    sourcefile: path,
    sourcemap: 'inline',
    sourcesContent: false,
    tsconfigRaw: { compilerOptions: { target: 'es2022', verbatimModuleSyntax: true } },
  })
  return code
}
