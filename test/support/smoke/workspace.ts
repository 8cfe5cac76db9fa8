/**
 * The folder in which the smoke test runs: the package as it is published, installed by npm beside the
 * runtimes, test runners and bundlers that it is tried in. Kept between runs where neither has changed.
 */

import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readFile, rename, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)
const root = fileURLToPath(new URL('../../..', import.meta.url))
const tools = fileURLToPath(new URL('tools', import.meta.url))
const programs = fileURLToPath(new URL('programs', import.meta.url))

// No scripts: a tool that would fetch a binary has it in a package of its own here.
const QUIET = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline']

/** Installs what is missing and returns the folder. Takes minutes the first time. */
export async function workspace(): Promise<string> {
  const lock = await readFile(join(tools, 'package-lock.json'))
  const tag = createHash('sha256').update(lock).digest('hex').slice(0, 12)
  // Not below node_modules or a folder whose name has a dot: test runners find no tests there.
  const folder = join(tmpdir(), `lightwatch-smoke-${tag}`)
  if (!existsSync(folder)) {
    const draft = await mkdtemp(join(tmpdir(), 'lightwatch-smoke-'))
    await cp(tools, draft, { recursive: true })
    await run('npm', ['ci', ...QUIET], { cwd: draft, maxBuffer: 2 ** 26 })
    await rename(draft, folder)
  }
  await rm(join(folder, 'programs'), { recursive: true, force: true })
  await cp(programs, join(folder, 'programs'), { recursive: true })
  const packed = await run(
    'npm',
    ['pack', '--ignore-scripts', '--json', '--pack-destination', folder],
    {
      cwd: root,
    },
  )
  const [{ filename }] = JSON.parse(packed.stdout)
  await rm(join(folder, 'node_modules', 'lightwatch-checkpoint'), { recursive: true, force: true })
  await run('npm', ['install', '--no-save', ...QUIET, join(folder, filename)], {
    cwd: folder,
    maxBuffer: 2 ** 26,
  })
  return folder
}

/** A file of a package of the workspace. */
export function fileOf(folder: string, ...path: string[]): string {
  return join(folder, 'node_modules', ...path)
}
