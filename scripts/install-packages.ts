/**
 * Installs the packages of a folder with a lock file of its own: an example with its framework and data, for the
 * programs that run it and for the tests of the adapters, or the tools of the site. The library does not depend on
 * them, so its own install does not include them.
 */

import { spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** The examples' folders. */
export const digits = fileURLToPath(new URL('../examples/digits', import.meta.url))
export const jax = fileURLToPath(new URL('../examples/jax', import.meta.url))
export const plain = fileURLToPath(new URL('../examples/plain', import.meta.url))
export const libraries = fileURLToPath(new URL('../examples/libraries', import.meta.url))
export const nanogpt = fileURLToPath(new URL('../examples/nanogpt', import.meta.url))

const lockfileOf = (folder: string) => join(folder, 'package-lock.json')
// A copy of the lock file of the present install, removed with it.
const installedOf = (folder: string) => join(folder, 'node_modules', '.installed-package-lock.json')
// Held during an install, which begins by emptying node_modules while others may read it.
const heldOf = (folder: string) => join(folder, '.installing')

const POLL_MS = 100
// Age from which a lock without an owner's number counts as left by a dead process.
const NAMELESS_MS = 5000

/**
 * Runs `npm ci` in a folder, unless its install matches its lock file already. Processes that call this at the same
 * time wait for the one that installs. Throws an Error with npm's last lines if the install fails.
 */
export async function installPackages(folder: string): Promise<void> {
  while (!isInstalled(folder)) {
    if (!acquire(folder)) {
      await sleep(POLL_MS)
      continue
    }
    try {
      if (!isInstalled(folder)) install(folder)
    } finally {
      rmSync(heldOf(folder), { force: true })
    }
  }
}

function isInstalled(folder: string): boolean {
  const installed = textOf(installedOf(folder))
  return installed !== undefined && installed === textOf(lockfileOf(folder))
}

function install(folder: string): void {
  // npm tells its scripts where it is itself.
  const npm = process.env.npm_execpath
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const options = { cwd: folder, encoding: 'utf8' } as const
  const { status, stdout, stderr, error } =
    npm?.endsWith('.js') === true
      ? spawnSync(process.execPath, [npm, ...args], options)
      : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
  if (error !== undefined || status !== 0) {
    const lines = `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trim().split('\n')
    throw new Error(
      `could not install what is needed: \`npm ci\` in ${folder} failed ` +
        `(${status === null ? 'it did not run to its end' : `exit code ${status}`}).\n` +
        'It needs the package registry, once.\n\n' +
        lines.slice(-20).join('\n'),
    )
  }
  copyFileSync(lockfileOf(folder), installedOf(folder))
}

/** Takes the lock, or returns false if a living process has it. */
function acquire(folder: string): boolean {
  const held = heldOf(folder)
  try {
    const file = openSync(held, 'wx')
    writeSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  if (isAbandoned(held)) rmSync(held, { force: true })
  return false
}

function isAbandoned(held: string): boolean {
  const owner = Number(textOf(held))
  try {
    if (owner > 0) process.kill(owner, 0)
    else return Date.now() - statSync(held).mtimeMs > NAMELESS_MS
  } catch (error) {
    // ESRCH: the owner is dead. ENOENT: the lock is gone meanwhile. EPERM: the owner lives, as another user.
    return (error as NodeJS.ErrnoException).code !== 'EPERM'
  }
  return false
}

function textOf(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}
