/** The C++ library as a saver: its program, built in bindings/cpp, and the description of what it saves. */

import { writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Need } from '../requires.js'
import { checkpointBytes } from './training.js'
import { command, folderIn } from './workspace.js'

const binding = fileURLToPath(new URL('../../../bindings/cpp', import.meta.url))

/** The requirements of a test with it. */
export const CPP_NEEDS = [
  'program:cmake',
  'program:c++',
  'program:flatc',
] as const satisfies readonly Need[]

let built: Promise<string> | undefined

/** The path of the program that saves once. */
export function cppSaver(): Promise<string> {
  built ??= build()
  return built
}

async function build(): Promise<string> {
  const folder = join(binding, 'build')
  await command('cmake', '-S', binding, '-B', folder, '-DCMAKE_BUILD_TYPE=Release')
  await command('cmake', '--build', folder, '--target', 'save_once')
  return join(folder, 'test', 'save_once')
}

const descriptions = new Map<string, Promise<string>>()

/** A file with the content that the saver saves after a step; removed when this process ends. */
export function description(step: number, saver = 0): Promise<string> {
  const key = `${step}-${saver}`
  const known = descriptions.get(key) ?? describe(key, step, saver)
  descriptions.set(key, known)
  return known
}

async function describe(key: string, step: number, saver: number): Promise<string> {
  const { folder } = await folderIn(tmpdir())
  const path = join(folder, `${key}.ckpt`)
  await writeFile(path, await checkpointBytes(step, saver))
  return path
}
