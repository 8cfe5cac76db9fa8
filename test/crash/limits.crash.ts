/** Limits of the process, and folders and files that it may not change. */

import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Attempt, faultsOfAttempt, NEW, OLD } from '../support/crash/attempt.js'
import { Disk } from '../support/crash/disk.js'
import { report } from '../support/crash/report.js'
import { checkpointBytes } from '../support/crash/training.js'
import { command, mount, workspace } from '../support/crash/workspace.js'
import { testWith } from '../support/requires.js'

// Users that this machine does not have, and their groups.
const USER = 54_321
const OTHER = 54_322

const { length } = await checkpointBytes(NEW)

/** A folder with the old file in it; both belong to root, and everybody may read them. */
async function folderWithFile(folder: string): Promise<string> {
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o755)
  const path = join(folder, 'a.ckpt')
  await writeFile(path, await checkpointBytes(OLD), { mode: 0o644 })
  return path
}

testWith('program:prlimit')('a limit on the length of files (EFBIG)', async (t) => {
  const path = await folderWithFile(await workspace(t))
  const faults: string[] = []
  const limits = [0, 1, 888, 896, 4096, 100_000, length >> 1, length - 1]
  for (const limit of limits) {
    // It comes with a signal, SIGXFSZ, which Node ignores.
    const wrapper = ['prlimit', `--fsize=${limit}`]
    const what = `at most ${limit} bytes`
    faults.push(...(await faultsOfAttempt({ what, path, wrapper, error: 'EFBIG' })))
  }
  const wrapper = ['prlimit', `--fsize=${length}`]
  faults.push(...(await faultsOfAttempt({ what: 'just enough', path, wrapper })))
  report(t, 'a limit on the length of files (`prlimit --fsize`)', limits.length + 1, faults)
})

testWith('program:prlimit')('a limit on the number of open files (EMFILE)', async (t) => {
  const path = await folderWithFile(await workspace(t))
  const wrapper = ['prlimit', '--nofile=64']
  const faults: string[] = []
  const limits = [0, 1, 2, 3]
  for (const descriptors of limits) {
    // One for the folder and one for the file.
    const error = descriptors < 2 ? 'EMFILE' : undefined
    const what = `${descriptors} more files`
    faults.push(...(await faultsOfAttempt({ what, path, wrapper, descriptors, error })))
  }
  report(t, 'a limit on open files (`prlimit --nofile`)', limits.length, faults)
})

testWith('mounts')('a disk that is mounted read-only (EROFS)', async (t) => {
  const folder = await workspace(t)
  const path = await folderWithFile(join(folder, 'run'))
  await mount(join(folder, 'bound'), '--bind', join(folder, 'run'))
  await command('mount', '-o', 'remount,ro,bind', join(folder, 'bound'))
  const bound = join(folder, 'bound', 'a.ckpt')
  const into = join(folder, 'bound', 'new', 'a.ckpt')
  // A volume that may be written to, in a container that may not.
  const inside = await mount(join(folder, 'outer', 'volume'), '-t', 'tmpfs', 'tmpfs')
  const volume = await folderWithFile(inside)
  await mount(join(folder, 'outer'), '--rbind', join(folder, 'outer'))
  await command('mount', '-o', 'remount,ro,bind', join(folder, 'outer'))
  await tryAll(t, 'read-only file systems', [
    { what: 'overwrite, read-only', path: bound, error: 'EROFS' },
    { what: 'first save into a new folder, read-only', path: into, error: 'EROFS' },
    { what: 'the same folder where it is not', path },
    { what: 'a volume in a folder that is read-only', path: volume },
  ])
})

testWith(
  'mounts',
  'loop devices',
  'program:mkfs.ext4',
  'program:chattr',
)('files and folders that nobody may change (EPERM)', async (t) => {
  const { path: disk } = await Disk.create(await workspace(t), 'ext4')
  const immutableFile = await folderWithFile(join(disk, 'file'))
  const immutableFolder = await folderWithFile(join(disk, 'folder'))
  const appendOnly = await folderWithFile(join(disk, 'append'))
  await command('chattr', '+i', immutableFile, join(disk, 'folder'))
  await command('chattr', '+a', join(disk, 'append'))
  await tryAll(t, 'immutable files and folders (`chattr`)', [
    { what: 'an immutable file', path: immutableFile, error: 'EPERM' },
    { what: 'an immutable folder', path: immutableFolder, error: 'EPERM' },
    // What is created there can neither be renamed nor removed.
    { what: 'a folder for new files alone', path: appendOnly, error: 'EPERM', mayBeLeft: true },
  ])
  await command('chattr', '-i', immutableFile, join(disk, 'folder'))
  await command('chattr', '-a', join(disk, 'append'))
  const faults: string[] = []
  for (const path of [immutableFile, immutableFolder, appendOnly]) {
    faults.push(...(await faultsOfAttempt({ what: 'allowed again', path })))
  }
  t.deepEqual(faults, [])
})

testWith('root')('folders and files of other users (EACCES, EPERM)', async (t) => {
  const folder = await workspace(t)
  await chmod(folder, 0o755)
  const place = async (name: string, mode: number, owner: number, ofFile: number) => {
    const path = await folderWithFile(join(folder, name))
    await chown(path, ofFile, ofFile)
    await chown(join(folder, name), owner, owner)
    await chmod(join(folder, name), mode)
    return path
  }
  const user = USER
  const elsewhere = await place('elsewhere', 0o755, 0, 0)
  const closed = await place('closed', 0o700, OTHER, USER)
  const sticky = await place('sticky', 0o1777, 0, OTHER)
  const unreadable = await place('unreadable', 0o300, USER, USER)
  const unlisted = await place('unlisted/inside', 0o755, USER, USER)
  await chmod(join(folder, 'unlisted'), 0o711)
  const own = await place('own', 0o755, USER, USER)
  const shared = await place('shared', 0o777, 0, 0)
  await tryAll(t, 'folders and files of other users', [
    { what: "a folder of root's", path: elsewhere, user, error: 'EACCES' },
    { what: 'a new folder in it', path: join(folder, 'new', 'a.ckpt'), user, error: 'EACCES' },
    { what: 'a folder that may not be entered', path: closed, user, error: 'EACCES' },
    { what: "somebody's file in a folder like /tmp", path: sticky, user, error: 'EPERM' },
    // It could be written, and not be synced: nothing that can be promised.
    { what: 'a folder that may not be read', path: unreadable, user, error: 'EACCES' },
    { what: 'a folder in one that may not be read', path: unlisted, user },
    { what: 'a folder of its own', path: own, user },
    { what: "root's file in a folder for all", path: shared, user },
  ])
})

type Context = Parameters<typeof report>[0]

async function tryAll(t: Context, what: string, attempts: readonly Attempt[]): Promise<void> {
  const faults: string[] = []
  for (const attempt of attempts) faults.push(...(await faultsOfAttempt(attempt)))
  report(t, what, attempts.length, faults)
}
