/** The destination of a commit: follows links, looks at what is there, creates missing folders. */

import { basename, dirname, isAbsolute, join } from 'node:path'
import { fileIn } from '../../path.js'
import type { Descriptor, FileSystem } from './file-system.js'
import { errorCode, NOT_PERMITTED } from './system-error.js'

// Most symbolic links that point to one another: Linux's own limit.
const MAX_LINKS = 40

// The errors of file systems that cannot sync folders.
const CANNOT_SYNC = ['EINVAL', 'ENOTSUP', 'ENOSYS', 'EPERM']

/** Whether the error of a folder's sync means that the system cannot sync folders. */
export function cannotSync(error: unknown): boolean {
  return CANNOT_SYNC.includes(errorCode(error) ?? '')
}

/**
 * Follows symbolic links to the file that they name, which need not exist. `path` is absolute. As for the system, `..`
 * in it and in links is the folder above the one that the preceding name leads to.
 */
export async function resolveLinks(fs: FileSystem, path: string): Promise<string> {
  let current = path
  for (let links = 0; links <= MAX_LINKS; links++) {
    if (/[\\/]$/.test(current)) throw new Error('the path names a folder')
    const folder = await fs.realpath(dirname(current))
    const real = join(folder, basename(current))
    const status = await lstatIfAny(fs, real)
    if (status?.kind !== 'link') return real
    const target = await fs.readlink(real)
    current = isAbsolute(target) ? target : fileIn(folder, target)
  }
  throw new Error('the symbolic links form a circle')
}

/**
 * The status of the file that the commit replaces, or undefined if there is none. Throws for a folder, device, pipe or
 * socket.
 */
export async function existing(fs: FileSystem, path: string) {
  const status = await lstatIfAny(fs, path)
  if (status === undefined || status.kind === 'file') return status
  throw new Error(
    status.kind === 'folder' ? 'the path is a folder' : 'the path is a device, pipe or socket',
  )
}

/** The status of what is at a path, or undefined if nothing is there. Does not follow a link. */
export async function lstatIfAny(fs: FileSystem, path: string) {
  try {
    return await fs.lstat(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Creates a folder and those above it, unless they exist. If `durable`, each name is synced in the folder above. */
export async function makeFolder(fs: FileSystem, path: string, durable: boolean): Promise<void> {
  const parent = dirname(path)
  // Through links: a link to a folder counts as a folder.
  const real = await fs.realpath(path).catch((error) => {
    // A process whose current folder was removed has nothing above it.
    if (errorCode(error) === 'ENOENT' && parent !== path) return undefined
    throw error
  })
  if (real !== undefined) {
    // The process that created this folder may be about to sync its name, may have failed to, or may have been killed
    // before. Only the lowest existing folder can be in that state: none is created in another before the other is
    // durable.
    if (durable) await syncNames(fs, dirname(real), ['EACCES', NOT_PERMITTED])
    return
  }
  await makeFolder(fs, parent, durable)
  try {
    await fs.mkdir(path)
  } catch (error) {
    // Another process may have created it in the meantime.
    if (errorCode(error) !== 'EEXIST') throw error
  }
  if (durable) await syncNames(fs, parent)
}

/** Syncs a folder, if the system can, and unless opening it fails with one of the errors in `unless`. */
async function syncNames(fs: FileSystem, path: string, unless: string[] = []): Promise<void> {
  const folder = await openFolder(fs, path, unless)
  if (folder === undefined) return
  try {
    await fs.fsync(folder)
  } catch (error) {
    // The first error is the one that the caller gets.
    await fs.close(folder).catch(() => {})
    // If the system cannot sync folders, the commit finds that too, and its durability says so.
    if (cannotSync(error)) return
    throw error
  }
  await fs.close(folder)
}

/**
 * Opens a folder for syncing. Returns undefined if the system cannot (Windows), or if it fails with one of the errors
 * in `unless`.
 */
export async function openFolder(
  fs: FileSystem,
  path: string,
  unless: string[] = [],
): Promise<Descriptor | undefined> {
  try {
    return await fs.openFolder(path)
  } catch (error) {
    if (['EPERM', 'EISDIR', ...unless].includes(errorCode(error) ?? '')) return undefined
    throw error
  }
}
