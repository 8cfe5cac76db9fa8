/** Where a commit goes: links are followed, what is there is looked at, folders that lack are made. */

import { basename, dirname, isAbsolute, join } from 'node:path'
import { fileIn } from '../../path.js'
import { type Descriptor, errorCode, type FileSystem, NOT_PERMITTED } from './file-system.js'

// Symbolic links that point to one another, at most; Linux's own limit.
const MAX_LINKS = 40

// What a file system answers that cannot sync folders.
const CANNOT_SYNC = ['EINVAL', 'ENOTSUP', 'ENOSYS', 'EPERM']

/** Whether the error of a folder's sync says that the system has no such thing. */
export function cannotSync(error: unknown): boolean {
  return CANNOT_SYNC.includes(errorCode(error) ?? '')
}

/**
 * Follows symbolic links to the file that they name, which need not exist. `path` is absolute; `..` in it,
 * and in a link, is the folder above the one that the name before it leads to, as the system has it.
 */
export async function resolveLinks(fs: FileSystem, path: string): Promise<string> {
  let current = path
  for (let links = 0; links <= MAX_LINKS; links++) {
    if (/[\\/]$/.test(current)) throw new Error('it names a folder')
    const folder = await fs.realpath(dirname(current))
    const real = join(folder, basename(current))
    const status = await lstatIfAny(fs, real)
    if (status?.kind !== 'link') return real
    const target = await fs.readlink(real)
    current = isAbsolute(target) ? target : fileIn(folder, target)
  }
  throw new Error('the symbolic links go round in a circle')
}

/** The file that is to be replaced, or undefined where there is none. */
export async function existing(fs: FileSystem, path: string) {
  const status = await lstatIfAny(fs, path)
  if (status === undefined || status.kind === 'file') return status
  throw new Error(status.kind === 'folder' ? 'it is a folder' : 'it is a device, pipe or socket')
}

/** What is at a path, or undefined where nothing is. Does not follow a link. */
export async function lstatIfAny(fs: FileSystem, path: string) {
  try {
    return await fs.lstat(path)
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
}

/** Makes sure of a folder and those above it; if `durable`, each name is synced in the one above. */
export async function makeFolder(fs: FileSystem, path: string, durable: boolean): Promise<void> {
  const parent = dirname(path)
  // Through links: a link to a folder is as good as one.
  const real = await fs.realpath(path).catch((error) => {
    // There is nothing above the folder of a process whose folder was removed.
    if (errorCode(error) === 'ENOENT' && parent !== path) return undefined
    throw error
  })
  if (real !== undefined) {
    // Whoever made it may be about to sync its name, may have failed to, or been killed before. (Only
    // the lowest folder that is there can be such a one: none is made in another before that is safe.)
    if (durable) await syncNames(fs, dirname(real), ['EACCES', NOT_PERMITTED])
    return
  }
  await makeFolder(fs, parent, durable)
  try {
    await fs.mkdir(path)
  } catch (error) {
    // Somebody else may have made it in the meantime.
    if (errorCode(error) !== 'EEXIST') throw error
  }
  if (durable) await syncNames(fs, parent)
}

/** Syncs a folder, where the system can, and where opening it does not fail for such a reason. */
async function syncNames(fs: FileSystem, path: string, unless: string[] = []): Promise<void> {
  const folder = await openFolder(fs, path, unless)
  if (folder === undefined) return
  try {
    await fs.fsync(folder)
  } catch (error) {
    // The first error is the one that is told.
    await fs.close(folder).catch(() => {})
    // Where the system cannot, the commit finds the same, and says so in its durability.
    if (cannotSync(error)) return
    throw error
  }
  await fs.close(folder)
}

/**
 * Opens a folder for syncing, or returns undefined where the system has no such thing (Windows), or
 * where it fails with one of the errors in `unless`.
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
