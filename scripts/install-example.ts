/**
 * Installs examples/digits, TensorFlow.js and data with it, for `npm start` and for the tests of the
 * adapter. The library itself does not depend on TensorFlow.js, so its own install does not bring it.
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

/** The example's folder. */
export const digits = fileURLToPath(new URL('../examples/digits', import.meta.url))

const LOCKFILE = join(digits, 'package-lock.json')
// A copy of the lock file of that install which is in place; it goes with it.
const INSTALLED = join(digits, 'node_modules', '.installed-package-lock.json')
// Held while an install runs: it begins by emptying node_modules, which others may be reading.
const HELD = join(digits, '.installing')
const POLL_MS = 100
// How old a lock without an owner's number has to be, before its owner must have died writing it.
const NAMELESS_MS = 5000

/**
 * Runs `npm ci` in the example's folder, unless what is there is of its lock file already. Processes
 * that call this at the same time wait for the one that installs. Throws an Error with npm's last
 * lines where the install fails.
 *
 * @param onInstall called before an install begins
 */
export async function installExample(onInstall?: () => void): Promise<void> {
  while (!isInstalled()) {
    if (!acquire()) {
      await sleep(POLL_MS)
      continue
    }
    try {
      if (isInstalled()) return
      onInstall?.()
      install()
    } finally {
      rmSync(HELD, { force: true })
    }
  }
}

function isInstalled(): boolean {
  const installed = textOf(INSTALLED)
  return installed !== undefined && installed === textOf(LOCKFILE)
}

function install(): void {
  // npm tells the scripts that it runs where it is itself.
  const npm = process.env.npm_execpath
  const args = ['ci', '--no-audit', '--no-fund', '--loglevel=error']
  const options = { cwd: digits, encoding: 'utf8' } as const
  const { status, stdout, stderr, error } =
    npm?.endsWith('.js') === true
      ? spawnSync(process.execPath, [npm, ...args], options)
      : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' })
  if (error !== undefined || status !== 0) {
    const lines = `${stdout ?? ''}${stderr ?? ''}${error?.message ?? ''}`.trim().split('\n')
    throw new Error(
      `could not install the example: \`npm ci\` in ${digits} failed ` +
        `(${status === null ? 'it did not run to its end' : `exit code ${status}`}).\n` +
        'It needs the package registry once, for TensorFlow.js and the digits (24 MB).\n\n' +
        lines.slice(-20).join('\n'),
    )
  }
  copyFileSync(LOCKFILE, INSTALLED)
}

/** Takes the lock, or returns false where a living process has it. */
function acquire(): boolean {
  try {
    const file = openSync(HELD, 'wx')
    writeSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  if (isAbandoned()) rmSync(HELD, { force: true })
  return false
}

function isAbandoned(): boolean {
  const owner = Number(textOf(HELD))
  try {
    if (owner > 0) process.kill(owner, 0)
    else return Date.now() - statSync(HELD).mtimeMs > NAMELESS_MS
  } catch (error) {
    // ESRCH: it has died. ENOENT: the lock has gone meanwhile. EPERM: it lives, as somebody else's.
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
