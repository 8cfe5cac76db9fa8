/**
 * The implementations that save, and whether they write the same bytes for the same states. The states are those
 * of the corpus: each writer is given a checkpoint of a state, and saves what it holds again.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { CORPUS } from './corpus.js'
import type { Cell, Results } from './results.js'
import { rewrite } from './rewrite.js'
import { validFiles } from './valid.js'

/** From which checkpoint to which path. */
type Task = readonly [from: string, to: string]

/** An implementation that saves. Its binding has been built; see implementations.ts. */
export interface Writer {
  /** As implementations.ts calls it. */
  readonly name: string
  /** Saves again what each checkpoint holds. */
  readonly rewrite: (tasks: readonly Task[]) => Promise<void>
}

const repository = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

/** The interpreter that has the package for Python. */
export const PYTHON = repository('bindings/python/build/venv/bin/python')

const typescript: Writer = {
  name: 'TypeScript',
  async rewrite(tasks) {
    for (const [from, to] of tasks) await rewrite(from, to)
  },
}

const python: Writer = {
  name: 'Python',
  rewrite: (tasks) =>
    runWith(
      tasks.map((paths) => `${paths.join('\t')}\n`).join(''),
      PYTHON,
      repository('test/support/conformance/rewrite.py'),
    ),
}

const cpp: Writer = {
  name: 'C++',
  async rewrite(tasks) {
    const program = repository('bindings/cpp/build/lightwatch-writer')
    for (const paths of tasks) await runWith('', program, ...paths)
  },
}

export const writers: readonly Writer[] = [typescript, python, cpp]

/** Runs a program with text on its standard input. Rejects with what it says if it fails. */
async function runWith(input: string, program: string, ...args: string[]): Promise<void> {
  const child = spawn(program, args, { stdio: ['pipe', 'ignore', 'pipe'] })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  child.stdin.end(input)
  const [code, signal] = await once(child, 'close')
  if (code !== 0) throw new Error(`${program} ended with ${code ?? signal}: ${errors}`)
}

/**
 * What each writer makes of each state of the corpus, in a folder that is empty at first: rows states, columns
 * writers. They are compared with the file of the corpus if the library for TypeScript wrote it, else with what
 * that library writes for its state.
 */
export async function compareWriters(chosen: readonly Writer[], folder: string): Promise<Results> {
  const described = join(folder, 'described')
  await mkdir(described)
  const states = validFiles
    .filter(({ holds }) => isJson(holds.config))
    .map((file) => {
      const from = fileURLToPath(new URL(`valid/${file.name}.ckpt`, CORPUS))
      // A second writer laid it out in another way, or wrote a number as no number of TypeScript's is written.
      const foreign =
        file.second !== undefined || file.make !== undefined || file.written !== undefined
      return {
        name: file.name,
        from,
        description: foreign ? join(described, file.name) : from,
        foreign,
      }
    })
  for (const { from, description, foreign } of states) {
    if (foreign) await rewrite(from, description)
  }
  const cells: Cell[][] = []
  for (const writer of chosen) {
    const own = join(folder, writer.name)
    await mkdir(own)
    await writer.rewrite(states.map(({ name, description }) => [description, join(own, name)]))
    cells.push(
      await Promise.all(
        states.map(async ({ name, description }) =>
          difference(await readFile(description), await readFile(join(own, name))),
        ),
      ),
    )
  }
  return {
    columns: chosen.map(({ name }) => name),
    rows: states.map(({ name }, i) => ({ name, cells: cells.map((of) => of[i]) })),
  }
}

/** A reader hands out whatever text a config is; no writer takes one that is not JSON. */
function isJson(config: string | null): boolean {
  try {
    if (config !== null) JSON.parse(config)
    return true
  } catch {
    return false
  }
}

function difference(expected: Uint8Array, actual: Uint8Array): Cell {
  if (Buffer.compare(expected, actual) === 0) return undefined
  const at = expected.findIndex((byte, i) => byte !== actual[i])
  return (
    `byte ${at === -1 ? expected.length : at} differs; ` +
    `expected ${expected.length} bytes, found ${actual.length}`
  )
}
