/**
 * The advisory lock of an open file, by which the living are told from the dead: a process holds it for as
 * long as it has the file open, and the system releases it however the process ends. By the C library; else
 * by a child process; else there is none.
 */

import { spawn } from 'node:child_process'
import { constants } from 'node:os'
import { libc } from './libc.js'

/**
 * What became of an attempt to lock a file. `unknown`: nothing can be locked here, which says nothing about
 * others.
 */
export type Lock = 'taken' | 'held' | 'unknown'

// What `flock` of util-linux and BusyBox exits with if another holds the lock.
const HELD = 1

/**
 * Takes the lock of an open file, if it can be had at once. It lasts until the last descriptor of this
 * opening is closed: this one, and copies of it in child processes. Never rejects.
 */
export async function lockFile(fd: number): Promise<Lock> {
  const { lock } = await libc()
  if (lock === undefined) return lockByChild(fd)
  const error = await lock(fd)
  if (error === 0) return 'taken'
  return error === constants.errno.EWOULDBLOCK ? 'held' : 'unknown'
}

/** A child inherits the opening, and with it locks it for us: the lock stays when the child has ended. */
function lockByChild(fd: number): Promise<Lock> {
  if (process.platform === 'win32') return Promise.resolve('unknown')
  return new Promise((resolve) => {
    try {
      const stdio = ['ignore', 'ignore', 'ignore', fd] as const
      // In a folder that is there: that of this process may be gone.
      const child = spawn('flock', ['-n', '3'], { stdio: [...stdio], cwd: '/' })
      // There is no such program.
      child.on('error', () => resolve('unknown'))
      child.on('exit', (code) => resolve(code === 0 ? 'taken' : code === HELD ? 'held' : 'unknown'))
    } catch {
      // This process may start none (`--permission`, Deno), or no more.
      resolve('unknown')
    }
  })
}
