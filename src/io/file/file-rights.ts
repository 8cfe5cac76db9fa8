/**
 * What a new file takes over from the one that it replaces: owner, group, mode, access list and extended
 * attributes. What cannot be kept never makes the file wider: whoever could not read or write the old file
 * cannot read or write the new one.
 */

import { spawn } from 'node:child_process'
import type { Descriptor, FileStatus, FileSystem } from './file-system.js'
import { libc } from './libc.js'

/**
 * What became of a file's access list (POSIX ACL). `kept`: the new file has the same one, or neither has any.
 * With one, the mode's bits of the group are the most that anybody in the list has, and not the group's.
 */
export type AccessList = 'kept' | 'lost' | 'unknown'

const ACCESS_LIST = 'system.posix_acl_access'

const OF_GROUP = 0o070
const OF_OTHERS = 0o007
const OF_OWNER = 0o7700
const SET_USER = 0o4000
const SET_GROUP = 0o2000

/** Gives an open file, which has been created with the status `fresh`, the rights of the file at `path`. */
export async function takeRights(
  fs: FileSystem,
  file: Descriptor,
  fresh: FileStatus,
  path: string,
  replaced: FileStatus,
): Promise<void> {
  let mode = replaced.mode
  if (fresh.uid !== replaced.uid || fresh.gid !== replaced.gid) {
    mode = await takeOwner(fs, file, fresh, replaced)
  }
  const list = await fs.copyAttributes(path, file)
  if (list === 'lost') mode &= OF_OWNER
  // The group gets no more than all others have.
  if (list === 'unknown') mode &= ~OF_GROUP | ((mode & OF_OTHERS) << 3)
  await fs.fchmod(file, mode)
}

/** Returns the mode for the owner and group that the file then has. */
async function takeOwner(
  fs: FileSystem,
  file: Descriptor,
  fresh: FileStatus,
  { uid, gid, mode }: FileStatus,
): Promise<number> {
  try {
    await fs.fchown(file, uid, gid)
    return mode
  } catch {
    // Only root may give files away. The group may be one of our own.
  }
  const kept = fresh.uid === uid ? mode : mode & ~SET_USER
  if (fresh.gid === gid) return kept
  if (fresh.uid !== uid) {
    try {
      await fs.fchown(file, fresh.uid, gid)
      return kept
    } catch {
      // It is not.
    }
  }
  // Nobody of our own group gets in by the mode that was meant for the other one.
  return kept & ~(SET_GROUP | OF_GROUP)
}

/**
 * Gives an open file, which is at the path `to`, the access list and the extended attributes (`user.…`) of the
 * file at the path `from`. Never rejects.
 */
export async function copyAttributes(
  from: string,
  fd: Descriptor,
  to: string,
): Promise<AccessList> {
  // Elsewhere the mode means the same with a list and without.
  if (process.platform !== 'linux') return 'kept'
  const { attributes } = await libc()
  if (attributes === undefined) return copyByChild(from, to)
  const names = attributes.list(from)
  if (names === undefined) return 'unknown'
  for (const name of names) {
    const value = name.startsWith('user.') ? attributes.get(from, name) : undefined
    if (value !== undefined) attributes.set(fd, name, value)
  }
  // Without one of its own, it is not to have the one that its folder gives to new files.
  if (!names.includes(ACCESS_LIST)) return attributes.remove(fd, ACCESS_LIST) ? 'kept' : 'lost'
  const list = attributes.get(from, ACCESS_LIST)
  return list !== undefined && attributes.set(fd, ACCESS_LIST, list) ? 'kept' : 'lost'
}

/** `cp` of GNU knows access lists; others refuse the option. */
function copyByChild(from: string, to: string): Promise<AccessList> {
  return new Promise((resolve) => {
    try {
      const options = ['--attributes-only', '--preserve=mode,xattr', '--']
      const child = spawn('cp', [...options, from, to], { stdio: 'ignore', cwd: '/' })
      child.on('error', () => resolve('unknown'))
      child.on('exit', (code) => resolve(code === 0 ? 'kept' : 'unknown'))
    } catch {
      // This process may start none.
      resolve('unknown')
    }
  })
}
