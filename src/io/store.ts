/**
 * A store: a place for the checkpoints of a run, such as a folder, or the objects of a bucket that begin with a prefix.
 * A store knows names and bytes, and nothing of tensors. `test/support/store-conformance.ts` has what every store must
 * do.
 */

import { isCheckpointError } from '../errors.js'
import { quote } from '../printable.js'
import type { Durability, Sink } from './sink.js'
import type { Source } from './source.js'

/** A file of a store, as its listing describes it. */
export interface StoredFile {
  /** Relative to the store, without folders: `step-000000000100.ckpt`. */
  readonly name: string
  /** Length in bytes. */
  readonly byteLength: number
  /**
   * Changes with the content, and distinguishes the file from one that replaces it, even by the same bytes if the store
   * can tell. (A folder: device, number, birth, length and time of the last write. A bucket: the ETag.)
   */
  readonly version: string
  /**
   * Like `version`, but stays the same if only the file's times change. A store whose times never change alone has no
   * `id`; `version` then serves as one.
   */
  readonly id?: string
  /** Time of the last write, in milliseconds since 1970. */
  readonly modifiedAt: number
  /** Whether the name is a symbolic link. Other names may lead to the same file. Folders only. */
  readonly isLink?: boolean
}

/**
 * What a commit requires of the file that it would replace. `ifAbsent`: there is none, otherwise CKPT_EXISTS.
 * `ifVersion`: it is this version, otherwise CKPT_FILE_CHANGED. A commit whose condition fails changes nothing.
 */
export type Condition = { readonly ifAbsent: true } | { readonly ifVersion: string }

/** What a store promises. */
export interface StoreSupport {
  /** The best that a commit can report. A commit reports less where the system allows no more. */
  readonly durability: Durability
  /**
   * Whether conditions are kept: of two savers with the same condition, one wins. If false, a sink with a condition
   * throws CKPT_NOT_COMMITTED, because a condition that is ignored would look like success.
   */
  readonly conditions: boolean
  /**
   * Whether the server verifies the checksums of what it is sent. If false, `checksums` of a save's report is `none`. Absent if there
   * is no server.
   */
  readonly checksums?: boolean | undefined
}

/** How a file of a store is opened. */
export interface OpenStored {
  /** Only this version: another one is CKPT_FILE_CHANGED. */
  readonly version?: string | undefined
}

/** How a checkpoint is written into a store. */
export interface SinkOptions {
  readonly condition?: Condition | undefined
  /** As in SaveOptions (default true). */
  readonly durable?: boolean | undefined
}

/**
 * A place for checkpoints by their names. Other processes may save and remove at any time. Names are not empty, and
 * contain no `/`, `\` or U+0000; any other name is a TypeError.
 */
export interface CheckpointStore {
  /** The place in messages: the absolute path of a folder, or `s3://bucket/prefix`. */
  readonly path: string
  /** The whole location of a name, for messages and reports. Makes no request. */
  locate(name: string): string
  /**
   * The absolute path of a name, if the store is a folder of this machine. Files can be mapped, and written by another
   * thread. A store without files has no such method.
   */
  fileOf?(name: string): string
  /** What the store promises. The first call may ask the store. */
  supports(): Promise<StoreSupport>
  /**
   * All files, in any order; empty if the place does not exist. With `isWanted`, only those whose names it accepts. The
   * store looks no further at the others.
   *
   * @throws CheckpointError CKPT_READ if the place cannot be listed
   */
  list(isWanted?: (name: string) => boolean): Promise<StoredFile[]>
  /** The file of a name; undefined if there is none. Throws like `list`. */
  stat(name: string): Promise<StoredFile | undefined>
  /**
   * Opens a file for reading. The source keeps to what it opened: if the file is replaced, reads return the old bytes or
   * throw CKPT_FILE_CHANGED, never a mixture. A missing file is CKPT_READ, for which `isMissing` is true.
   */
  open(name: string, options?: OpenStored): Promise<Source>
  /**
   * A sink for one save. Its commit replaces the file of this name in one step, if the condition allows. Makes no
   * request before `begin`. `begin` may already reject if the condition cannot be met.
   */
  sink(name: string, options?: SinkOptions): Sink
  /**
   * Removes a file if it still has this version. Resolves to whether there is no file of that name now.
   *
   * @throws CheckpointError, or the system's error, if it cannot be removed
   */
  remove(name: string, version: string): Promise<boolean>
  /**
   * Renames a file to `as`, if it still has this version and if no file is named `as`. Resolves to whether it did;
   * otherwise no file has been replaced or lost.
   *
   * @throws CheckpointError, or the system's error, if it cannot be renamed
   */
  setAside(name: string, version: string, as: string): Promise<boolean>
}

/**
 * The location of a checkpoint in a store. Functions that take a path take it as well: `{ store, name: 'a.ckpt' }`.
 * `condition` is for saves, `version` for loads.
 */
export interface StoredCheckpoint {
  readonly store: CheckpointStore
  readonly name: string
  /** A save commits only under this condition. Without one it replaces what is there, as for a path. */
  readonly condition?: Condition | undefined
  /** A load opens only this version, and otherwise throws CKPT_FILE_CHANGED. */
  readonly version?: string | undefined
}

/** Whether a value is a store, by its methods. */
export function isStore(value: unknown): value is CheckpointStore {
  const { list, sink, open } = (value ?? {}) as Partial<CheckpointStore>
  return typeof list === 'function' && typeof sink === 'function' && typeof open === 'function'
}

/** Whether a value is a location in a store. */
export function isStored(value: unknown): value is StoredCheckpoint {
  return isStore((value as Partial<StoredCheckpoint> | null | undefined)?.store)
}

/** Throws a TypeError if `name` cannot be the name of a file in any store. */
export function checkStoredName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name === '' || name === '.' || name === '..') {
    throw new TypeError(`expected the name of a file in a store, found ${quote(String(name))}`)
  }
  if (/[/\\\0]/.test(name)) {
    throw new TypeError(
      `expected a name without folders, found ${quote(name)}: make a store of that folder or prefix`,
    )
  }
}

/** Whether an error means that a file does not exist (any more). */
export function isMissing(error: unknown): boolean {
  if (!isCheckpointError(error) || error.code !== 'CKPT_READ') return false
  return (error.cause as { readonly code?: unknown } | null | undefined)?.code === 'ENOENT'
}
