/**
 * The calls that a commit makes of a file system, as an interface. Each call does what POSIX says; errors are Node's
 * (`code: 'ENOSPC'`). Tests replace it by a model of a file system, with power cuts and full disks.
 */

import * as fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { constants } from 'node:os'
import { getSystemErrorName, promisify } from 'node:util'
import { messageOf } from '../../errors.js'
import { type Lock, lockFile } from './file-lock.js'
import { type AccessList, copyAttributes } from './file-rights.js'
import { libc } from './libc.js'

/** What the system says about a name: its kind, size, rights and owner. */
export interface FileStatus {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly size: number
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** Time of the last write, in milliseconds since 1970. */
  readonly modified: number
  /**
   * Device and number of the file, whatever its name. Another file may get the same identity after this one is gone.
   */
  readonly identity: string
}

/** A file descriptor. */
export type Descriptor = number

/** The calls that a commit makes. Paths are absolute; errors are Node's, with their `code`. */
export interface FileSystem {
  /** Does not follow a link. */
  lstat(path: string): Promise<FileStatus>
  readlink(path: string): Promise<string>
  /** The path without links, `.` and `..`. */
  realpath(path: string): Promise<string>
  /** The names in a folder. */
  readdir(path: string): Promise<string[]>
  /** Creates one folder. */
  mkdir(path: string): Promise<void>
  /** Creates a file that does not exist yet and opens it for writing: O_WRONLY | O_CREAT | O_EXCL. */
  create(path: string, mode: number): Promise<Descriptor>
  openFolder(path: string): Promise<Descriptor>
  /** Opens an existing file for its status and its lock alone. Does not follow a link. */
  openForLock(path: string): Promise<Descriptor>
  /** Takes the advisory lock of an open file until it is closed, if no other process holds it. */
  lock(fd: Descriptor): Promise<Lock>
  /** Whether only this machine has the files at a path, so that every process that opens one sees its lock. */
  isLocal(path: string): Promise<boolean>
  fstat(fd: Descriptor): Promise<FileStatus>
  fchmod(fd: Descriptor, mode: number): Promise<void>
  fchown(fd: Descriptor, uid: number, gid: number): Promise<void>
  /** Gives an open file the access list and the extended attributes of the file at a path. */
  copyAttributes(from: string, fd: Descriptor): Promise<AccessList>
  /** Writes some of the bytes and returns how many; fewer than asked for is not an error. */
  write(fd: Descriptor, bytes: Uint8Array, position: number): Promise<number>
  fsync(fd: Descriptor): Promise<void>
  /**
   * Asks the system to start writing what it holds of a file to the disk; false if it cannot. It promises nothing, and
   * takes no error from the next `fsync`.
   */
  beginWriteOut?(fd: Descriptor): Promise<boolean>
  close(fd: Descriptor): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
}

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

/** The code for what the runtime refuses although the system may allow it: `--permission` of Node, Deno. */
export const NOT_PERMITTED = 'ERR_ACCESS_DENIED'

/** The system's name for an error (`ENOENT`), of any realm; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  // Deno's error has a name of its own, and no code.
  if (name === 'NotCapable') return NOT_PERMITTED
  return typeof code === 'string' ? code : undefined
}

/** The reason of an error, without the call and the path that Node appends: `ENOENT: no such file …`. */
export function errorReason(error: unknown): string {
  const { errno } = (error ?? {}) as { readonly errno?: unknown }
  // Node has no name for this error, which users do meet.
  if (errno === -constants.errno.EDQUOT) return 'EDQUOT: disk quota exceeded'
  const message = messageOf(error)
  return errorCode(error) === undefined ? message : message.replace(/, \w+.*$/s, '')
}
