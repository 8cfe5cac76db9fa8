/**
 * Everything that is generated from schema/checkpoint.fbs and tables.json. In generated/: flatc's classes for the
 * tables and enums, the description that drives the verifier, and tables. For the bindings in other languages: flatc's
 * code and tables. In the document of the format: the dtypes. Generating is separate from writing. So a mistake in the
 * schema leaves the folders unchanged, and a test can compare without writing.
 */

import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join, posix, relative, sep } from 'node:path'
import type { SchemaDescription } from '../src/format/description.js'
import { bindingFolders, generateBindings } from './bindings.js'
import { flatc, flatcVersion } from './flatc.js'
import { type Reflection, reflect } from './reflection.js'
import { checkConformity, readReleased, SCHEMA } from './released.js'
import { cppTables } from './tables/cpp.js'
import { DOCUMENT, withDTypes } from './tables/document.js'
import { goTables } from './tables/go.js'
import { javaTables } from './tables/java.js'
import { pythonTables } from './tables/python.js'
import { rustTables } from './tables/rust.js'
import { readTables, TABLES, type TableFile, type Tables } from './tables/tables.js'
import { typescriptTables } from './tables/typescript.js'

/** The folder of generated code for the library itself. */
const GENERATED = 'generated'

/** The folders of a project that hold generated files and nothing else. */
export const generatedFolders: readonly string[] = [GENERATED, ...bindingFolders]

/**
 * The folders where generated table files stand among others, because a language wants them in its package. The note at
 * their head identifies them.
 */
export const mixedFolders: readonly string[] = [
  'bindings/cpp/include/lightwatch/checkpoint',
  'bindings/go',
  'bindings/java/src/main/java/lightwatch/checkpoint',
  'bindings/rust/src',
]

const LANGUAGES: readonly ((tables: Tables) => TableFile[])[] = [
  typescriptTables,
  pythonTables,
  cppTables,
  rustTables,
  goTables,
  javaTables,
]

// The generated classes are only certain to match the runtime of their own version.
const MANIFEST = new URL('../package.json', import.meta.url)

const DO_NOT_EDIT = 'do not edit: npm run gen'
const NOTE = `// Generated from ${SCHEMA}; ${DO_NOT_EDIT}`

/**
 * Generates the files of the project in `folder`: their text by their path in the project, with forward slashes. Writes
 * nothing. Throws if the schema is wrong or does not conform to a release, and if the library could not use flatc's
 * output.
 */
export async function generate(folder: string): Promise<Map<string, string>> {
  await checkVersion()
  const schema = await readFile(join(folder, SCHEMA), 'utf8')
  const reflection = await reflect(schema, SCHEMA)
  const tables = readTables(reflection, await readFile(join(folder, TABLES), 'utf8'))
  const description = descriptionModule(tables.description)
  const document = await readFile(join(folder, DOCUMENT), 'utf8')
  const classes = await generateClasses(schema, reflection)
  const bindings = await generateBindings(schema, reflection)
  await checkConformity(schema, await readReleased(folder))
  const ours = [...classes, ['description.ts', description] as const].map(
    ([path, text]) => [`${GENERATED}/${path}`, text] as const,
  )
  return new Map([
    ...ours,
    ...bindings,
    ...LANGUAGES.flatMap((files) => files(tables)).map(withNote),
    [DOCUMENT, withDTypes(document, tables.dtypes)],
  ])
}

/**
 * Makes `files` the generated files of the project in `folder`, and removes all others in their folders. Unchanged
 * files are not touched.
 */
export async function writeGenerated(
  folder: string,
  files: ReadonlyMap<string, string>,
): Promise<void> {
  const before = await readGenerated(folder)
  for (const [path, text] of files) {
    if (before.get(path) === text) continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), text)
  }
  for (const path of before.keys()) {
    if (!files.has(path)) await rm(join(folder, path))
  }
}

/** The generated files of the project in `folder`, in the form that `generate` returns. */
export async function readGenerated(folder: string): Promise<Map<string, string>> {
  const files = new Map<string, string>()
  for (const generated of generatedFolders.map((path) => join(folder, path))) {
    if (!existsSync(generated)) continue
    for (const entry of await readdir(generated, { recursive: true, withFileTypes: true })) {
      // Python keeps its compiled files next to the source.
      if (entry.isDirectory() || entry.parentPath.endsWith('__pycache__')) continue
      const path = join(entry.parentPath, entry.name)
      files.set(relative(folder, path).split(sep).join('/'), await readFile(path, 'utf8'))
    }
  }
  for (const mixed of mixedFolders) {
    if (!existsSync(join(folder, mixed))) continue
    for (const entry of await readdir(join(folder, mixed), { withFileTypes: true })) {
      if (!entry.isFile()) continue
      const text = await readFile(join(folder, mixed, entry.name), 'utf8')
      if (text.slice(0, text.indexOf('\n')).endsWith(DO_NOT_EDIT)) {
        files.set(`${mixed}/${entry.name}`, text)
      }
    }
  }
  if (existsSync(join(folder, DOCUMENT))) {
    files.set(DOCUMENT, await readFile(join(folder, DOCUMENT), 'utf8'))
  }
  return files
}

function withNote([path, text]: TableFile): TableFile {
  const comment = path.endsWith('.py') ? '#' : '//'
  return [path, `${comment} Generated from ${SCHEMA} and ${TABLES}; ${DO_NOT_EDIT}\n\n${text}`]
}

async function checkVersion(): Promise<void> {
  const manifest = JSON.parse(await readFile(MANIFEST, 'utf8'))
  const expected: string = manifest.dependencies.flatbuffers
  const actual = await flatcVersion()
  if (actual !== expected) {
    throw new Error(`expected the flatc of the runtime in use, ${expected}, got ${actual}`)
  }
}

/** flatc's TypeScript: a module for each table, struct and enum, in folders by namespace. */
async function generateClasses(
  schema: string,
  reflection: Reflection,
): Promise<Map<string, string>> {
  // No entry points: each module is imported where it is used.
  const args = ['--ts', '--ts-omit-entrypoint', '-o', 'out', SCHEMA]
  const { files } = await flatc(args, { [SCHEMA]: schema })
  const modules = new Map<string, string>()
  for (const path of [...files.keys()].sort()) {
    // Our note replaces flatc's at the top of a file.
    const text = new TextDecoder()
      .decode(files.get(path))
      .replace(/^(?:\/\/.*\n|\/\* eslint.*\n|\n)+/, '')
    modules.set(path.replace(/^out\//, ''), `${NOTE}\n// @ts-nocheck\n\n${text}`)
  }
  for (const { name } of [...reflection.objects, ...reflection.enums]) checkModule(name, modules)
  for (const [path, text] of modules) checkImports(path, text, modules)
  return modules
}

/** The exported tables, structs and enums, and the module of each. */
function checkModule(fullName: string, modules: ReadonlyMap<string, string>): void {
  const names = fullName.split('.')
  const exported = new RegExp(`^export (class|enum) ${names.pop()} `, 'm')
  const folder = names.join('/') || '.'
  for (const [path, text] of modules) {
    if (posix.dirname(path) === folder && exported.test(text)) return
  }
  const made = [...modules.keys()].join(', ') || 'nothing'
  throw new Error(`flatc was to make a module of ${fullName}, and made ${made}`)
}

/** Modules import each other with their extension, and the runtime in one common way. */
function checkImports(path: string, text: string, modules: ReadonlyMap<string, string>): void {
  for (const [line, what, from = ''] of text.matchAll(/^import (.*) from '(.*)';?$/gm)) {
    const runtime = from === 'flatbuffers' && what === '* as flatbuffers'
    const target = posix.join(posix.dirname(path), from.replace(/\.js$/, '.ts'))
    const module = from.endsWith('.js') && modules.has(target)
    if (!runtime && !module) throw new Error(`flatc made a ${path} that has ${line}`)
  }
}

function descriptionModule(description: SchemaDescription): string {
  const { identifier, root, tables } = description
  return `${NOTE}

import type { SchemaDescription } from '../src/format/description.js'

export const description: SchemaDescription = {
  identifier: ${literal(identifier)},
  root: ${literal(root)},
  tables: ${lists(tables)},
}
`
}

/** Lists by name, one element per line. */
function lists(byName: { readonly [name: string]: readonly object[] }): string {
  const entries = Object.entries(byName).map(([name, list]) => {
    const lines = list.map((element) => `      ${literal(element)},\n`)
    return `    ${name}: [\n${lines.join('')}    ],\n`
  })
  return `{\n${entries.join('')}  }`
}

function literal(value: unknown): string {
  if (typeof value === 'string') {
    return `'${JSON.stringify(value).slice(1, -1).replaceAll("'", "\\'")}'`
  }
  if (typeof value !== 'object' || value === null) return String(value)
  const entries = Object.entries(value).map(([key, entry]) => `${key}: ${literal(entry)}`)
  return `{ ${entries.join(', ')} }`
}
