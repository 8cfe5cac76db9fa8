/**
 * Tests that need more than Node: a tool, root, a kernel that mounts. Where something is missing they
 * are skipped and their title says why; in CI (CI=true) they fail, so that nothing is passed over.
 */

import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'

/** `program:<name>`, or one of these. */
export type Need = 'linux' | 'root' | 'mounts' | 'loop devices' | 'tracing' | `program:${string}`

/** `test.serial` for a test with these needs. */
export function testWith(...needs: readonly Need[]) {
  return (title: string, run: (t: ExecutionContext) => Promise<void>): void => {
    const missing = (['linux', ...needs] as const).map(whyMissing).filter((why) => why !== '')
    if (missing.length === 0) {
      test.serial(title, run)
    } else if (process.env.CI === 'true') {
      test.serial(title, (t) => t.fail(`cannot run: ${missing.join('; ')}`))
    } else {
      test.serial.skip(`${title} (skipped: ${missing.join('; ')})`, run)
    }
  }
}

/** Why there is none, or nothing where there is. */
function whyMissing(need: Need): string {
  switch (need) {
    case 'linux':
      return process.platform === 'linux' ? '' : 'it needs Linux'
    case 'root':
      return process.getuid?.() === 0 ? '' : 'it needs root'
    case 'mounts':
      return hasCapability(CAP_SYS_ADMIN) ? '' : 'it needs root that may mount'
    case 'loop devices':
      return existsSync('/dev/loop-control') ? '' : 'it needs loop devices'
    case 'tracing':
      return whyMissing('program:strace') || whyNotTraced()
    default: {
      const program = need.slice('program:'.length)
      return isProgram(program) ? '' : `it needs ${program}`
    }
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
