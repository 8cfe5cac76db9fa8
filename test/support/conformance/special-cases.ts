/** Paths that lead to no regular file: each is refused at once, and none is waited for. */

import { execFile } from 'node:child_process'
import { copyFile, mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Case, corpusCases } from './cases.js'
import type { Report } from './report.js'

const run = promisify(execFile)

const UNREADABLE: Report = { error: { code: 'CKPT_READ', rule: null } }

/** Makes them in `folder`; those of POSIX, where the system is one. */
export async function specialPaths(folder: string): Promise<Case[]> {
  const refused = (what: string, path: string): Case => {
    return { name: `special/${what}`, path, expected: UNREADABLE }
  }
  const cases = [refused('nothing is there', join(folder, 'missing.ckpt'))]

  const directory = join(folder, 'folder.ckpt')
  await mkdir(directory)
  cases.push(refused('a folder', directory))
  if (process.platform === 'win32') return cases

  // Opening it would wait for a writer.
  const fifo = join(folder, 'fifo.ckpt')
  await run('mkfifo', [fifo])
  cases.push(refused('a FIFO', fifo))
  cases.push(refused('a device', '/dev/zero'))

  const loop = join(folder, 'loop.ckpt')
  await symlink(loop, loop)
  cases.push(refused('a link to itself', loop))

  // And two that are as good as any.
  const [first] = (await corpusCases()).filter(({ name }) => name === 'valid/example')
  const link = join(folder, 'link.ckpt')
  await symlink(first!.path, link)
  cases.push({ name: 'special/a link to a file', path: link, expected: first!.expected })
  const unusual = join(folder, 'größe 重み "$(x)" %41.ckpt')
  await copyFile(first!.path, unusual)
  cases.push({ name: 'special/an unusual name', path: unusual, expected: first!.expected })
  return cases
}
