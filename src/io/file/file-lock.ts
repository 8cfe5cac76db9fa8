/**
 * The advisory lock of an open file, which tells whether its saver lives. A process holds the lock while it has the
 * file open, and the system releases it however the process ends. It is taken by the C library, or else by a child
 * process; if neither works, there is no lock.
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { libc } from './libc.js'

/**
 * The result of an attempt to lock a file. `unknown`: this process cannot lock files, which says nothing about other
 * processes.
 */
export type Lock = 'taken' | 'held' | 'unknown'

// The exit code of `flock` (util-linux and BusyBox) if another process holds the lock.
const HELD = 1

/**
 * Takes the lock of an open file, if no other process holds it. It lasts until the last descriptor of this opening is
 * closed: this one, and copies of it in child processes. Never rejects.
 */
export async function lockFile(fd: number): Promise<Lock> {
  const { lock } = await libc()
  if (lock === undefined) return lockByChild(fd)
  const error = await lock(fd)
  if (error === 0) return 'taken'
  return error === constants.errno.EWOULDBLOCK ? 'held' : 'unknown'
}

/** Locks by a child, which inherits the opening. The lock belongs to the opening, so it outlives the child. */
function lockByChild(fd: number): Promise<Lock> {
  if (process.platform === 'win32') return Promise.resolve('unknown')
  return new Promise((resolve) => {
    try {
      const stdio = ['ignore', 'ignore', 'ignore', fd] as const
      // In a folder that exists: the current folder of this process may have been removed.
      const child = spawn('flock', ['-n', '3'], { stdio: [...stdio], cwd: '/' })
      // The program is not installed.
      child.on('error', () => resolve('unknown'))
      child.on('exit', (code) => resolve(code === 0 ? 'taken' : code === HELD ? 'held' : 'unknown'))
    } catch {
      // This process may not start children (`--permission`, Deno), or no more of them.
      resolve('unknown')
    }
  })
}
