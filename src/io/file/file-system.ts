/**
 * The calls that a commit makes of a file system, as an interface: what each does is POSIX's, errors
 * are Node's (`code: 'ENOSPC'`). A commit runs against this, so that a test can put a model of a file
 * system, with power cuts and full disks, in its place.
 */

import * as fs from 'node:fs'
import { constants } from 'node:os'
import { promisify } from 'node:util'
import { messageOf } from '../../errors.js'
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
  fstat(fd: Descriptor): Promise<FileStatus>
  fchmod(fd: Descriptor, mode: number): Promise<void>
  fchown(fd: Descriptor, uid: number, gid: number): Promise<void>
  /** Writes some of the bytes and returns how many; fewer than asked for is no error. */
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

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  lstat: async (path) => status(await fs.promises.lstat(path, { bigint: true })),
  readlink: (path) => fs.promises.readlink(path),
  realpath: (path) => fs.promises.realpath(path),
  readdir: (path) => fs.promises.readdir(path),
  mkdir: (path) => fs.promises.mkdir(path),
  create: promisify((path: string, mode: number, done: OpenCallback) =>
    fs.open(path, 'wx', mode, done),
  ),
  openFolder: promisify((path: string, done: OpenCallback) =>
    fs.open(path, fs.constants.O_RDONLY | (fs.constants.O_DIRECTORY ?? 0), done),
  ),
  fstat: async (fd) => status(await fstat(fd, { bigint: true })),
  fchmod: promisify(fs.fchmod),
  fchown: promisify(fs.fchown),
  write: async (fd, bytes, position) =>
    (await write(fd, bytes, 0, bytes.byteLength, position)).bytesWritten,
  fsync: promisify(fs.fsync),
  beginWriteOut: async (fd) => (await (await libc()).beginWriteOut?.(fd)) ?? false,
  close: promisify(fs.close),
  rename: (from, to) => fs.promises.rename(from, to),
  unlink: (path) => fs.promises.unlink(path),
}

type OpenCallback = (error: NodeJS.ErrnoException | null, fd: number) => void

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

/** The system's name for an error (`ENOENT`), of whichever realm; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const { code } = (error ?? {}) as { readonly code?: unknown }
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
