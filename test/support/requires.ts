/**
 * Tests that need more than Node: a package that is optional, a tool, root, a kernel that mounts. Where
 * something is missing they are skipped and their title says why; in CI (CI=true) they fail, so that no test
 * is passed over in silence.
 */

import { accessSync, constants, existsSync, readFileSync, statfsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { delimiter, join } from 'node:path'
import test, { type ImplementationFn } from 'ava'

/** What a test can need: one of these, something by its name, or what the test itself has looked for. */
export type Need =
  | 'linux'
  | 'posix'
  | 'root'
  | 'mounts'
  | 'loop devices'
  | 'tracing'
  | 'memory maps'
  | `program:${string}`
  | `package:${string}`
  | `file:${string}`
  | `tmpfs:${string}`
  | { readonly what: string; readonly here: boolean }

/** `register` (`test` or `test.serial`) for tests with these needs. */
export function requires(
  register: typeof test | typeof test.serial,
  ...needs: readonly Need[]
): (title: string, run: ImplementationFn<[]>) => void {
  const missing = needs.map(whyMissing).filter((why) => why !== '')
  if (missing.length === 0) return register
  const why = missing.join('; ')
  return process.env.CI === 'true'
    ? (title) => register(title, (t) => t.fail(`cannot run: ${why}`))
    : (title, run) => register.skip(`${title} (skipped: ${why})`, run)
}

/** For tests on Linux that run one at a time. */
export const testWith = (...needs: readonly Need[]) => requires(test.serial, 'linux', ...needs)

/** Why there is none, or nothing where there is. */
function whyMissing(need: Need): string {
  if (typeof need === 'object') return need.here ? '' : `it needs ${need.what}`
  switch (need) {
    case 'linux':
      return process.platform === 'linux' ? '' : 'it needs Linux'
    case 'posix':
      return process.platform !== 'win32' ? '' : 'it needs POSIX'
    case 'root':
      return process.getuid?.() === 0 ? '' : 'it needs root'
    case 'mounts':
      return (
        whyMissing('linux') || (hasCapability(CAP_SYS_ADMIN) ? '' : 'it needs root that may mount')
      )
    case 'loop devices':
      return existsSync('/dev/loop-control') ? '' : 'it needs loop devices'
    case 'tracing':
      return whyMissing('linux') || whyMissing('program:strace') || whyNotTraced()
    case 'memory maps':
      return whyMissing('posix') || whyMissing('package:koffi')
  }
  const [kind, name] = split(need)
  return isHere(kind, name) ? '' : `it needs ${kind === 'tmpfs' ? `${name} in memory` : name}`
}

function split(need: string): [kind: string, name: string] {
  const colon = need.indexOf(':')
  return [need.slice(0, colon), need.slice(colon + 1)]
}

function isHere(kind: string, name: string): boolean {
  switch (kind) {
    case 'package':
      return isPackage(name)
    case 'file':
      return existsSync(name)
    case 'tmpfs':
      return existsSync(name) && statfsSync(name).type === TMPFS_MAGIC
    default:
      return isProgram(name)
  }
}

const TMPFS_MAGIC = 0x01021994

function isPackage(name: string): boolean {
  try {
    createRequire(import.meta.url).resolve(name)
    return true
  } catch {
    return false
  }
}

function isProgram(name: string): boolean {
  return (process.env.PATH ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

// Numbers of Linux's capabilities.
const CAP_SYS_PTRACE = 19
const CAP_SYS_ADMIN = 21

function hasCapability(number: number): boolean {
  const effective = /^CapEff:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'
  return ((BigInt(`0x${effective}`) >> BigInt(number)) & 1n) === 1n
}

/** Yama lets nobody but root trace a process that is not its child. */
function whyNotTraced(): string {
  const setting = '/proc/sys/kernel/yama/ptrace_scope'
  if (!existsSync(setting) || readFileSync(setting, 'utf8').trim() === '0') return ''
  return hasCapability(CAP_SYS_PTRACE) ? '' : 'it needs root, or kernel.yama.ptrace_scope=0'
}
