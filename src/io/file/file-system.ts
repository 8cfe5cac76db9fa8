/**
 * The calls that a commit makes of a file system, as an interface: what each does is POSIX's, errors
 * are Node's (`code: 'ENOSPC'`). A commit runs against this, so that a test can put a model of a file
 * system, with power cuts and full disks, in its place.
 */

import * as fs from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { constants } from 'node:os'
import { getSystemErrorName, promisify } from 'node:util'
import { messageOf } from '../../errors.js'
import { type Lock, lockFile } from './file-lock.js'
import { type AccessList, copyAttributes } from './file-rights.js'
import { libc } from './libc.js'

export interface FileStatus {
  readonly kind: 'file' | 'folder' | 'link' | 'other'
  readonly size: number
  /** Permission bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  /** When it was last written to, in milliseconds since 1970. */
  readonly modified: number
  /** Which file it is, by any name: device and number. Another file may have it once this one is gone. */
  readonly identity: string
}

/** A file descriptor. */
export type Descriptor = number

/** What a commit asks of a file system. Paths are absolute; errors are Node's, with their `code`. */
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
  /** Creates a file that is not there yet and opens it for writing: O_WRONLY | O_CREAT | O_EXCL. */
  create(path: string, mode: number): Promise<Descriptor>
  openFolder(path: string): Promise<Descriptor>
  /** Opens a file that is there, for its status and its lock alone. Does not follow a link. */
  openForLock(path: string): Promise<Descriptor>
  /** Takes the advisory lock of an open file until it is closed, if it can be had at once. */
  lock(fd: Descriptor): Promise<Lock>
  /** Whether the files at a path are this machine's alone, so that a lock on one is seen by all who open it. */
  isLocal(path: string): Promise<boolean>
  fstat(fd: Descriptor): Promise<FileStatus>
  fchmod(fd: Descriptor, mode: number): Promise<void>
  fchown(fd: Descriptor, uid: number, gid: number): Promise<void>
  /** Writes some of the bytes and returns how many; fewer than asked for is no error. */
  /** Gives an open file the access list and the extended attributes of the file at a path. */
  copyAttributes(from: string, fd: Descriptor): Promise<AccessList>
  write(fd: Descriptor, bytes: Uint8Array, position: number): Promise<number>
  fsync(fd: Descriptor): Promise<void>
  /**
   * Has the system begin to write what it holds of a file to the disk; false where it cannot. Neither
   * promises anything nor takes an error from the next `fsync`.
   */
  beginWriteOut?(fd: Descriptor): Promise<boolean>
  close(fd: Descriptor): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
}

const write = promisify(fs.write)
const fstat = promisify(fs.fstat)

/** What is open, for the ways of a call that takes no descriptor. */
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
    // A pipe of that name is not waited for.
    const flags = O_NOFOLLOW | O_NONBLOCK
    // NFS locks what is open for writing.
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

// As Linux numbers them (statfs(2)): ext2 to ext4, XFS, Btrfs, tmpfs, overlayfs, F2FS, ZFS, bcachefs.
const LOCAL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  ...[0xef53, 0x58465342, 0x9123683e, 0x01021994],
  ...[0x794c7630, 0xf2f52010, 0x2fc12fc1, 0xca451a4e],
])

/**
 * Another way to make a call that Node's permission model refuses by descriptor (`--permission`), though it
 * allows the file.
 */
function ifRefused(otherwise: () => Promise<void>): (error: unknown) => Promise<void> {
  return (error) => {
    if (errorCode(error) !== NOT_PERMITTED) throw error
    return otherwise()
  }
}

/** Node 26 refuses every sync under its permission model. The C library is not asked for permission. */
async function syncByLibrary(fd: Descriptor): Promise<void> {
  const { sync } = await libc()
  if (sync === undefined) {
    throw new Error(
      'Node refuses to sync files under --permission: allow add-ons (--allow-addons) and have koffi ' +
        'installed, or save with durable: false',
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
    // Numbers of files reach 64 bits.
    identity: `${stats.dev}:${stats.ino}`,
  }
}

/** The code of what the runtime refuses, though the system may allow it: by `--permission` of Node, by Deno. */
export const NOT_PERMITTED = 'ERR_ACCESS_DENIED'

/** The system's name for an error (`ENOENT`), of whichever realm; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  // Deno's has a name of its own, and no code.
  if (name === 'NotCapable') return NOT_PERMITTED
  return typeof code === 'string' ? code : undefined
}

/** What went wrong, without the call and the path that Node appends: `ENOENT: no such file …`. */
export function errorReason(error: unknown): string {
  const { errno } = (error ?? {}) as { readonly errno?: unknown }
  // Node has no name for this one, and people do meet it.
  if (errno === -constants.errno.EDQUOT) return 'EDQUOT: disk quota exceeded'
  const message = messageOf(error)
  return errorCode(error) === undefined ? message : message.replace(/, \w+.*$/s, '')
}
