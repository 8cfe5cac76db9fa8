/** The harness's own folders, and the file systems mounted in them. */

import { execFile, execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, realpath } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { ExecutionContext } from 'ava'
import { undoAtExit } from './clean-up.js'

const run = promisify(execFile)

const NAME = /^lightwatch-crash-(\d+)-/

/** An empty folder that is removed after the test, with everything mounted in it. */
export async function workspace(t: ExecutionContext): Promise<string> {
  const { folder, removeNow } = await folderIn(await realpath(tmpdir()))
  t.teardown(removeNow)
  return folder
}

/** An empty folder that is removed when the process ends. */
export async function folderIn(parent: string): Promise<{ folder: string; removeNow: () => void }> {
  removeLeftovers(parent)
  const folder = await mkdtemp(join(parent, `lightwatch-crash-${process.pid}-`))
  return { folder, removeNow: undoAtExit(() => remove(folder)) }
}

/** Mounts something in a new folder, with these arguments of `mount`; unmounted with the workspace. */
export async function mount(folder: string, ...args: readonly string[]): Promise<string> {
  await mkdir(folder, { recursive: true })
  await run('mount', [...args, folder])
  return folder
}

/** Runs a program and returns its output. Throws with its error output. */
export async function command(program: string, ...args: readonly string[]): Promise<string> {
  return (await run(program, args)).stdout
}

/** The folders of runs that were killed. */
function removeLeftovers(parent: string): void {
  for (const name of readdirSync(parent)) {
    const [, pid] = NAME.exec(name) ?? []
    if (pid === undefined || isAlive(Number(pid))) continue
    try {
      remove(join(parent, name))
    } catch {
      // It belongs to another user, or another run uses it.
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function remove(folder: string): void {
  for (const mounted of mountsBelow(folder).reverse()) {
    try {
      execFileSync('umount', [mounted], { stdio: 'ignore' })
    } catch {
      // A process still uses it; it is removed when that process ends.
      execFileSync('umount', ['--lazy', mounted], { stdio: 'ignore' })
    }
  }
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
}

function mountsBelow(folder: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`))
}
