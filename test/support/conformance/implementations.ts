/**
 * The implementations: what each needs on the machine, how its reporter is built from a fresh clone, and
 * how it is started. Builds go to folders that git ignores; one that is up to date takes seconds.
 */

import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadsTypeScript } from '../child.js'
import type { Command } from './reporter-process.js'
import type { Column } from './results.js'

const run = promisify(execFile)

/** A file or folder of the repository. */
function repository(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url))
}

type Line = readonly [program: string, ...args: string[]]

export interface Implementation {
  /** As the table calls it. */
  readonly name: string
  /** A file of the repository without which there is no such implementation in it. */
  readonly manifest?: string
  /** Commands that succeed where the toolchain is there. */
  readonly needs: readonly Line[]
  /** Commands that build the reporter, in the root of the repository. */
  readonly build: readonly Line[]
  readonly reporter: Command
}

export const typescript: Implementation = {
  name: 'TypeScript',
  needs: [],
  build: [],
  reporter: {
    program: process.execPath,
    args: [loadsTypeScript, repository('test/support/conformance/reporter.ts')],
  },
}

/** A reader that was written from the document alone, which it keeps honest. */
const fromTheDocument: Implementation = {
  name: 'format.md',
  needs: [['python3', '--version']],
  build: [],
  reporter: {
    program: 'python3',
    args: [repository('test/support/conformance/document/reader.py')],
  },
}

// Of a build, in characters.
const MOST_OUTPUT = 2 ** 28

const PYTHON = repository('bindings/python/build/venv/bin/python')

/** The languages of bindings/, each with a folder of its own. */
export const bindings: readonly Implementation[] = [
  {
    name: 'Python',
    manifest: 'bindings/python/pyproject.toml',
    needs: [['python3', '-c', 'import venv, ensurepip']],
    build: [
      ['python3', '-m', 'venv', 'bindings/python/build/venv'],
      [PYTHON, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', 'bindings/python'],
    ],
    reporter: { program: PYTHON, args: ['-m', 'lightwatch_checkpoint.reporter'] },
  },
  {
    name: 'C++',
    manifest: 'bindings/cpp/CMakeLists.txt',
    needs: [
      ['cmake', '--version'],
      ['c++', '--version'],
      ['flatc', '--version'],
    ],
    build: [
      ['cmake', '-S', 'bindings/cpp', '-B', 'bindings/cpp/build', '-DCMAKE_BUILD_TYPE=Release'],
      ['cmake', '--build', 'bindings/cpp/build', '--target', 'reporter', 'lightwatch-writer'],
    ],
    reporter: { program: repository('bindings/cpp/build/reporter'), args: [] },
  },
  {
    name: 'Rust',
    manifest: 'bindings/rust/Cargo.toml',
    needs: [['cargo', '--version']],
    build: [
      [
        'cargo',
        'build',
        '--quiet',
        '--release',
        '--manifest-path',
        'bindings/rust/Cargo.toml',
        '--bin',
        'reporter',
      ],
    ],
    reporter: { program: repository('bindings/rust/target/release/reporter'), args: [] },
  },
  {
    name: 'Go',
    manifest: 'bindings/go/go.mod',
    needs: [['go', 'version']],
    build: [['go', 'build', '-C', 'bindings/go', '-o', 'build/reporter', './cmd/reporter']],
    reporter: { program: repository('bindings/go/build/reporter'), args: [] },
  },
  {
    name: 'Java',
    manifest: 'bindings/java/pom.xml',
    needs: [
      ['javac', '-version'],
      ['mvn', '--version'],
    ],
    build: [
      [
        'mvn',
        '--quiet',
        '--batch-mode',
        '--file',
        'bindings/java/pom.xml',
        '-DskipTests',
        'package',
      ],
    ],
    reporter: {
      program: 'java',
      args: [
        '-cp',
        ['target/classes', 'target/test-classes', 'target/dependency/*']
          .map((path) => repository(`bindings/java/${path}`))
          .join(':'),
        'lightwatch.checkpoint.conformance.Reporter',
      ],
    },
  },
]

/** No implementation, but a judge: what any of them reads has to pass the verifier for C++. */
const flatc: Implementation = {
  name: 'flatc',
  needs: [
    ['g++', '--version'],
    ['flatc', '--version'],
  ],
  build: [],
  reporter: {
    program: process.execPath,
    args: [loadsTypeScript, repository('test/support/conformance/flatc-reporter.ts')],
  },
}

export const implementations: readonly Implementation[] = [typescript, ...bindings, fromTheDocument]

export interface Missing {
  readonly name: string
  readonly why: string
  /** Whether it could have been built here and was not: a fault on any machine. */
  readonly failed: boolean
}

/** What an implementation lacks on this machine, or undefined where it can be built. */
export async function lackOf({ manifest, needs }: Implementation): Promise<string | undefined> {
  if (manifest !== undefined && !existsSync(repository(manifest))) {
    return `${manifest} is not there`
  }
  for (const [program, ...args] of needs) {
    try {
      await run(program, args)
    } catch {
      return `\`${[program, ...args].join(' ')}\` does not work here`
    }
  }
  return undefined
}

/** Builds what this machine can build, of the implementations with these names (default: of all). */
export async function prepare(
  only: readonly string[] | undefined,
  say: (line: string) => void,
): Promise<{ columns: Column[]; flatbuffers: Column | undefined; missing: Missing[] }> {
  const unknown = only?.find((name) => !implementations.some((known) => known.name === name))
  if (unknown !== undefined) throw new RangeError(`there is no implementation called ${unknown}`)
  const columns: Column[] = []
  const missing: Missing[] = []
  for (const implementation of implementations) {
    const { name, build, reporter } = implementation
    if (only !== undefined && !only.includes(name)) continue
    const why = await lackOf(implementation)
    if (why !== undefined) {
      missing.push({ name, why, failed: false })
      continue
    }
    try {
      for (const [program, ...args] of build) {
        say(`${name}: ${[program, ...args].join(' ')}`)
        await run(program, args, { cwd: repository('.'), maxBuffer: MOST_OUTPUT })
      }
    } catch (error) {
      const { stderr, stdout } = error as { stderr?: string; stdout?: string }
      missing.push({ name, why: stderr || stdout || String(error), failed: true })
      continue
    }
    columns.push({ name, command: reporter })
  }
  let flatbuffers: Column | undefined
  if (only === undefined) {
    const why = await lackOf(flatc)
    if (why === undefined) {
      flatbuffers = { name: flatc.name, command: flatc.reporter, flatbuffersOnly: true }
    } else missing.push({ name: flatc.name, why, failed: false })
  }
  return { columns, flatbuffers, missing }
}
