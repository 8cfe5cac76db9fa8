/** The languages that a run can be handed over between, and how each trains a leg of it. */

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { loadsTypeScript } from '../child.js'
import { PYTHON } from '../conformance/writers.js'

const run = promisify(execFile)
const repository = (path: string) => fileURLToPath(new URL(`../../../${path}`, import.meta.url))

export type Language = 'TypeScript' | 'Python' | 'C++'

/**
 * Trains `steps` steps from a checkpoint (null: from the beginning), and saves to `to`. Rejects with what the
 * program says if it fails.
 */
export type Trainer = (from: string | null, steps: number, to: string) => Promise<void>

/** The trainers. Builds the one in C++ in `folder`; the bindings have been built (implementations.ts). */
export async function buildTrainers(folder: string): Promise<Record<Language, Trainer>> {
  const program = join(folder, 'train')
  await run('c++', [
    ...['-std=c++17', '-O2', '-ffp-contract=off', '-D_FILE_OFFSET_BITS=64', '-pthread'],
    ...['-I', repository('bindings/cpp/include'), '-I', repository('bindings/cpp/build/generated')],
    ...[repository('test/support/handover/train.cpp'), '-o', program],
  ])
  const script = repository('test/support/handover/train.ts')
  return {
    TypeScript: trainer(process.execPath, loadsTypeScript, script),
    Python: trainer(PYTHON, repository('test/support/handover/train.py')),
    'C++': trainer(program),
  }
}

function trainer(program: string, ...args: string[]): Trainer {
  return async (from, steps, to) => {
    await run(program, [...args, from ?? '-', String(steps), to])
  }
}
