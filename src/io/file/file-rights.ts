/**
 * What a new file takes over from the file that it replaces: owner, group, mode, access list and extended attributes.
 * If something cannot be kept, the new file gets fewer rights, never more: a user who could not read or write the old
 * file cannot read or write the new one.
 */

import { spawn } from 'node:child_process'
import type { AccessList, Descriptor, FileStatus, FileSystem } from './file-system.js'
import { libc } from './libc.js'

const ACCESS_LIST = 'system.posix_acl_access'

const OF_GROUP = 0o070
const OF_OTHERS = 0o007
const OF_OWNER = 0o7700
const SET_USER = 0o4000
const SET_GROUP = 0o2000

/** Gives an open file, which was created with the status `fresh`, the rights of the file at `path`. */
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
  // Without knowing the list, the group gets no more than others have.
  if (list === 'unknown') mode &= ~OF_GROUP | ((mode & OF_OTHERS) << 3)
  await fs.fchmod(file, mode)
}

/** Changes owner and group as far as possible. Returns the mode that is safe with the resulting owner and group. */
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
    // Only root may give files away. But the group may be one of this user's own.
  }
  const kept = fresh.uid === uid ? mode : mode & ~SET_USER
  if (fresh.gid === gid) return kept
  if (fresh.uid !== uid) {
    try {
      await fs.fchown(file, fresh.uid, gid)
      return kept
    } catch {
      // The user is not in that group.
    }
  }
  // The mode's group bits were meant for the other group, so this group gets none of them.
  return kept & ~(SET_GROUP | OF_GROUP)
}

/**
 * Gives an open file at the path `to` the access list and the extended attributes (`user.…`) of the file at the path
 * `from`. Never rejects.
 */
export async function copyAttributes(
  from: string,
  fd: Descriptor,
  to: string,
): Promise<AccessList> {
  // On other systems the mode means the same with a list and without.
  if (process.platform !== 'linux') return 'kept'
  const { attributes } = await libc()
  if (attributes === undefined) return copyByChild(from, to)
  const names = attributes.list(from)
  if (names === undefined) return 'unknown'
  for (const name of names) {
    const value = name.startsWith('user.') ? attributes.get(from, name) : undefined
    if (value !== undefined) attributes.set(fd, name, value)
  }
  // A file without a list must not keep the one that its folder gives to new files.
  if (!names.includes(ACCESS_LIST)) return attributes.remove(fd, ACCESS_LIST) ? 'kept' : 'lost'
  const list = attributes.get(from, ACCESS_LIST)
  return list !== undefined && attributes.set(fd, ACCESS_LIST, list) ? 'kept' : 'lost'
}

/** GNU `cp` copies access lists; other versions refuse the option. */
function copyByChild(from: string, to: string): Promise<AccessList> {
  return new Promise((resolve) => {
    try {
      const options = ['--attributes-only', '--preserve=mode,xattr', '--']
      const child = spawn('cp', [...options, from, to], { stdio: 'ignore', cwd: '/' })
      child.on('error', () => resolve('unknown'))
      child.on('exit', (code) => resolve(code === 0 ? 'kept' : 'unknown'))
    } catch {
      // This process may not start children.
      resolve('unknown')
    }
  })
}
