/**
 * The calls that a commit makes of a file system, as an interface. Each call does what POSIX says; errors are Node's
 * (`code: 'ENOSPC'`). Tests replace it by a model of a file system, with power cuts and full disks.
 */

import type { Lock } from './file-lock.js'

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

/**
 * What became of a file's access list (POSIX ACL). `kept`: the new file has the same list, or neither file has one.
 * With a list, the group bits of the mode limit every entry of the list, and are not the group's rights.
 */
export type AccessList = 'kept' | 'lost' | 'unknown'

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
  /** Gives a file another name, which must be free: EEXIST. Absent if a file has one name only. */
  link?(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
}
