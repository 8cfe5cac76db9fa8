/** The file system of this machine, by the calls of Node, and by the C library's where Node refuses one. */

import * as fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { getSystemErrorName, promisify } from 'node:util'
import { lockFile } from './file-lock.js'
import { copyAttributes } from './file-rights.js'
import type { Descriptor, FileStatus, FileSystem } from './file-system.js'
import { libc } from './libc.js'
import { errorCode, NOT_PERMITTED } from './system-error.js'

const write = promisify(fs.write)
const fstat = promisify(fs.fstat)

/** The open files, for calls that have no form with a descriptor. */
const opened = new Map<Descriptor, { readonly handle: FileHandle; path: string }>()

async function open(path: string, flags: string | number, mode?: number): Promise<Descriptor> {
  const handle = await fs.promises.open(path, flags, mode)
  opened.set(handle.fd, { handle, path })
  return handle.fd
}

// 0 on systems that lack them.
const { O_RDONLY, O_RDWR, O_DIRECTORY = 0, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = fs.constants

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  lstat: async (path) => status(await fs.promises.lstat(path, { bigint: true })),
  readlink: (path) => fs.promises.readlink(path),
  realpath: (path) => fs.promises.realpath(path),
  readdir: (path) => fs.promises.readdir(path),
  mkdir: (path) => fs.promises.mkdir(path),
  create: (path, mode) => open(path, 'wx', mode),
  openFolder: (path) => open(path, O_RDONLY | O_DIRECTORY),
  async openForLock(path) {
    // Does not wait for a pipe of that name.
    const flags = O_NOFOLLOW | O_NONBLOCK
    // NFS locks only files that are open for writing.
    return open(path, O_RDWR | flags).catch(() => open(path, O_RDONLY | flags))
  },
  lock: lockFile,
  async isLocal(path) {
    const { type } = await fs.promises.statfs(path)
    return LOCAL_FILE_SYSTEMS.has(type)
  },
  fstat: async (fd) => status(await fstat(fd, { bigint: true })),
  fchmod: (fd, mode) =>
    promisify(fs.fchmod)(fd, mode).catch(
      ifRefused(() => fs.promises.chmod(opened.get(fd)!.path, mode)),
    ),
  fchown: (fd, uid, gid) =>
    promisify(fs.fchown)(fd, uid, gid).catch(
      ifRefused(() => fs.promises.lchown(opened.get(fd)!.path, uid, gid)),
    ),
  copyAttributes: (from, fd) => copyAttributes(from, fd, opened.get(fd)?.path ?? ''),
  write: async (fd, bytes, position) =>
    (await write(fd, bytes, 0, bytes.byteLength, position)).bytesWritten,
  fsync: (fd) =>
    promisify(fs.fsync)(fd)
      .catch(ifRefused(() => opened.get(fd)!.handle.sync()))
      .catch(ifRefused(() => syncByLibrary(fd))),
  beginWriteOut: async (fd) => (await (await libc()).beginWriteOut?.(fd)) ?? false,
  close(fd) {
    const file = opened.get(fd)
    opened.delete(fd)
    return file === undefined ? promisify(fs.close)(fd) : file.handle.close()
  },
  async rename(from, to) {
    await fs.promises.rename(from, to)
    for (const file of opened.values()) if (file.path === from) file.path = to
  },
  link: (from, to) => fs.promises.link(from, to),
  unlink: (path) => fs.promises.unlink(path),
}

// The numbers of Linux (statfs(2)): ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs.
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  ...[0xef53, 0x58465342, 0x9123683e, 0x01021994],
  ...[0x794c7630, 0xf2f52010, 0x2fc12fc1, 0xca451a4e],
])

/**
 * Makes a call in another way, if Node's permission model (`--permission`) refuses it by descriptor although it allows
 * the file.
 */
function ifRefused(otherwise: () => Promise<void>): (error: unknown) => Promise<void> {
  return (error) => {
    if (errorCode(error) !== NOT_PERMITTED) throw error
    return otherwise()
  }
}

/** Node 26 refuses every sync under its permission model. The C library needs no permission. */
async function syncByLibrary(fd: Descriptor): Promise<void> {
  const { sync } = await libc()
  if (sync === undefined) {
    throw new Error(
      'Node refuses to sync files under --permission: allow add-ons (--allow-addons) and install koffi, ' +
        'or save with durable: false',
    )
  }
  const number = await sync(fd)
  if (number === 0) return
  const code = getSystemErrorName(-number)
  throw Object.assign(new Error(`${code}: fsync failed`), {
    code,
    errno: -number,
    syscall: 'fsync',
  })
}

function status(stats: fs.BigIntStats): FileStatus {
  const kind = stats.isFile()
    ? 'file'
    : stats.isDirectory()
      ? 'folder'
      : stats.isSymbolicLink()
        ? 'link'
        : 'other'
  return {
    kind,
    size: Number(stats.size),
    mode: Number(stats.mode) & 0o7777,
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    modified: Number(stats.mtimeMs),
    // Numbers of files have up to 64 bits, more than a double holds.
    identity: `${stats.dev}:${stats.ino}`,
  }
}
