/**
 * The code that flatc generates from the schema for the bindings in other languages, each in a folder that holds
 * nothing else. (C++ is not among them: its code must match one version of FlatBuffers' headers, so the flatc of those
 * headers makes it at build time.)
 */

import { posix } from 'node:path'
import { flatc } from './flatc.js'
import type { Reflection } from './reflection.js'
import { SCHEMA } from './released.js'

interface Binding {
  /** flatc's options. */
  readonly args: readonly string[]
  /** The folder of the generated files, in the project. */
  readonly folder: string
  /** Begins a line comment. */
  readonly comment: string
  /** The new name of one of flatc's files; undefined if the binding does not use it. */
  readonly name: (path: string) => string | undefined
  /** Changes to its text. */
  readonly edit?: (text: string) => string
  /** The files that flatc must write, for tables and enums of these names. */
  readonly expected: (names: readonly string[]) => readonly string[]
}

// Where flatc puts the files of this namespace.
const NAMESPACE = 'out/lightwatch/format/'

function inNamespace(path: string): string | undefined {
  return path.startsWith(NAMESPACE) ? path.slice(NAMESPACE.length) : undefined
}

const BINDINGS: readonly Binding[] = [
  {
    args: ['--python'],
    folder: 'bindings/python/src/lightwatch_checkpoint/generated',
    comment: '#',
    name: inNamespace,
    // Modules import each other by the namespace, which would be a package next to this one.
    edit: (text) => text.replace(/\bfrom lightwatch\.format\./g, 'from .'),
    expected: (names) => ['__init__.py', ...names.map((name) => `${name}.py`)],
  },
  {
    args: ['--rust'],
    folder: 'bindings/rust/src/generated',
    comment: '//',
    name: () => 'mod.rs',
    expected: () => ['mod.rs'],
  },
  {
    args: ['--go'],
    folder: 'bindings/go/internal/format',
    comment: '//',
    name: inNamespace,
    expected: (names) => names.map((name) => `${name}.go`),
  },
  {
    args: ['--java'],
    folder: 'bindings/java/src/main/java/lightwatch/format',
    comment: '//',
    name: inNamespace,
    // This call compiles only with a runtime of flatc's own version, and not every version is published.
    edit: (text) => text.replace(/^ *public static void ValidateVersion\(\).*\n/gm, ''),
    expected: (names) => names.map((name) => `${name}.java`),
  },
]

/** The folders of generated files, in the project. */
export const bindingFolders: readonly string[] = BINDINGS.map(({ folder }) => folder)

/** The generated files of all bindings: their text by their path in the project. */
export async function generateBindings(
  schema: string,
  { objects, enums }: Reflection,
): Promise<Map<string, string>> {
  const names = [...objects, ...enums].map(({ name }) => name.split('.').pop()!)
  const generated = new Map<string, string>()
  for (const { args, folder, comment, name: nameOf, edit, expected } of BINDINGS) {
    const { files } = await flatc([...args, '-o', 'out', SCHEMA], { [SCHEMA]: schema })
    for (const [path, bytes] of files) {
      const name = nameOf(path)
      if (name === undefined) continue
      const text = new TextDecoder().decode(bytes).trim()
      const note = `${comment} Generated from ${SCHEMA}; do not edit: npm run gen\n`
      const edited = edit?.(text) ?? text
      generated.set(posix.join(folder, name), `${note}${edited === '' ? '' : `\n${edited}\n`}`)
    }
    for (const name of expected(names)) {
      const path = posix.join(folder, name)
      if (!generated.has(path)) throw new Error(`flatc ${args.join(' ')} was to make ${path}`)
    }
  }
  return generated
}
