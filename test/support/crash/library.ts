/**
 * The library as it is published, compiled for this run, with the programs that use it. Plain Node runs them, without a
 * loader of the tests between a save and the system.
 */

import { execFile } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { folderIn } from './workspace.js'

const root = fileURLToPath(new URL('../../..', import.meta.url))

let built: Promise<string> | undefined

/** The path of a compiled program of `test/support/crash/programs`. */
export async function compiled(program: string): Promise<string> {
  built ??= build()
  return join(await built, 'test', 'support', 'crash', 'programs', `${program}.js`)
}

async function build(): Promise<string> {
  // Below node_modules, so that its imports are found there; git does not see it.
  const caches = join(root, 'node_modules', '.cache')
  await mkdir(caches, { recursive: true })
  const { folder } = await folderIn(caches)
  await writeFile(join(folder, 'package.json'), '{ "type": "module" }')
  const config = join(folder, 'tsconfig.json')
  await writeFile(
    config,
    JSON.stringify({
      extends: join(root, 'tsconfig.build.json'),
      // Another job verifies the types.
      compilerOptions: { rootDir: root, outDir: folder, declaration: false, noCheck: true },
      include: ['src', 'generated', 'test/support/crash/programs'].map((path) => join(root, path)),
    }),
  )
  const manifest = createRequire(import.meta.url).resolve('typescript/package.json')
  const { bin } = JSON.parse(await readFile(manifest, 'utf8'))
  await promisify(execFile)(process.execPath, [
    join(dirname(manifest), bin.tsc),
    ...['--project', config],
  ])
  return folder
}
