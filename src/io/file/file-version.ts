/** The version of a file: what changes when its content does, or when another file takes its place. */

import type { BigIntStats } from 'node:fs'
import { lstat, stat } from 'node:fs/promises'
import type { StoredFile } from '../store.js'
import { errorCode } from './system-error.js'

/** What a name in a folder leads to. */
export interface FileName extends Required<Omit<StoredFile, 'name'>> {
  /** Whether it is a regular file, or a link to a regular file or to nothing. */
  readonly isFile: boolean
}

// Between the `id` and the rest of a version. The rest stays the same when the file is renamed, on every file system.
// (Some systems report the time of the last rename as the time of birth.)
const AFTER_ID = ' '

/** What the name at `path` leads to; undefined if there is none. The version of a link includes that of its target. */
export async function fileNamed(path: string): Promise<FileName | undefined> {
  let own: BigIntStats
  try {
    own = await lstat(path, { bigint: true })
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined
    throw error
  }
  const id = `${own.dev}:${own.ino}:${own.birthtimeNs}`
  const common = { id, isLink: own.isSymbolicLink() }
  if (!common.isLink) {
    const version = `${id}${AFTER_ID}${contentOf(own)}`
    return { ...common, isFile: own.isFile(), version, ...sizeAndTime(own) }
  }
  // If the target cannot be reached, reading the file reports that.
  const target = await stat(path, { bigint: true }).catch(() => undefined)
  const version = `${id}${AFTER_ID}${contentOf(own)} to ${target === undefined ? 'nothing' : contentOf(target)}`
  const isFile = target?.isFile() ?? true
  return { ...common, isFile, version, ...sizeAndTime(target ?? own) }
}

/** Whether two versions are of the same file with the same content, which may have been renamed in between. */
export function isSameRenamed(a: string, b: string): boolean {
  return afterId(a) === afterId(b)
}

/** Whether an open file, by its status, is what a version describes. */
export function isOfVersion(status: BigIntStats, version: string): boolean {
  return afterId(version).split(' to ').at(-1) === contentOf(status)
}

function afterId(version: string): string {
  return version.slice(version.indexOf(AFTER_ID) + AFTER_ID.length)
}

function contentOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`
}

function sizeAndTime({ size, mtimeNs }: BigIntStats) {
  return { byteLength: Number(size), modifiedAt: Number(mtimeNs / 1_000_000n) }
}
