/**
 * File systems that each make a commit wrong in one way, as other programs do: negative controls. A harness that misses
 * the bugs that it should find proves nothing.
 */

import * as fs from 'node:fs'
import { promisify } from 'node:util'
import type { Descriptor, FileSystem } from '../../../src/io/file/file-system.js'
import { nodeFileSystem } from '../../../src/io/file/node-file-system.js'

export type Mutant =
  /** Overwrites the file itself. */
  | 'in-place'
  /** Every save uses the same temporary file. */
  | 'fixed-temporary-name'
  /** Removes the old file before the new one takes its place. */
  | 'unlink-before-rename'
  /** Treats a short write as complete. */
  | 'short-writes-taken-for-whole'
  /** Does not sync the file. */
  | 'no-file-sync'
  /** Does not sync the folder. */
  | 'no-folder-sync'
  /** Syncs the file only after it has its final name. */
  | 'rename-before-sync'
  /** Repeats a sync that failed. */
  | 'sync-tried-again'

const TEMPORARY = /\.([^/]+)\.[0-9a-f]{8}\.\d+\.[0-9a-f]{16}(\.locked)?\.tmp$/

/** The destination of a temporary file. */
const destinationOf = (path: string) => path.replace(TEMPORARY, '$1')

const open = promisify(fs.open)

/** This machine's file system with that fault. For one save. */
export function mutantFileSystem(mutant: Mutant): FileSystem {
  const real = nodeFileSystem
  const folders = new Set<Descriptor>()
  let temporary: Descriptor = -1
  const watched: FileSystem = {
    ...real,
    async create(path, mode) {
      temporary = await real.create(path, mode)
      return temporary
    },
    async openFolder(path) {
      const folder = await real.openFolder(path)
      folders.add(folder)
      return folder
    },
  }
  switch (mutant) {
    case 'in-place':
      return {
        ...watched,
        create: (path, mode) => open(destinationOf(path), 'w', mode),
        rename: async () => {},
        unlink: async () => {},
      }
    case 'fixed-temporary-name': {
      const fixed = (path: string) => path.replace(TEMPORARY, '$1.tmp')
      return {
        ...watched,
        create: (path, mode) => open(fixed(path), 'w', mode),
        rename: (from, to) => real.rename(fixed(from), to),
        unlink: (path) => real.unlink(fixed(path)),
      }
    }
    case 'unlink-before-rename':
      return {
        ...watched,
        async rename(from, to) {
          await real.unlink(to).catch(() => {})
          await real.rename(from, to)
        },
      }
    case 'short-writes-taken-for-whole': {
      let length = 0
      return {
        ...watched,
        async write(fd, bytes, position) {
          await real.write(fd, bytes, position)
          length = Math.max(length, position + bytes.byteLength)
          return bytes.byteLength
        },
        async fstat(fd) {
          const status = await real.fstat(fd)
          return length === 0 ? status : { ...status, size: length }
        },
      }
    }
    case 'no-file-sync':
      return { ...watched, fsync: async (fd) => (fd === temporary ? undefined : real.fsync(fd)) }
    case 'no-folder-sync':
      return { ...watched, fsync: async (fd) => (folders.has(fd) ? undefined : real.fsync(fd)) }
    case 'rename-before-sync':
      return {
        ...watched,
        fsync: async (fd) => (fd === temporary ? undefined : real.fsync(fd)),
        // Its descriptor is closed by now: another one of the same file does as well.
        async rename(from, to) {
          await real.rename(from, to)
          const file = await open(to, 'r+')
          await real.fsync(file)
          await real.close(file)
        },
      }
    case 'sync-tried-again':
      return { ...watched, fsync: (fd) => real.fsync(fd).catch(() => real.fsync(fd)) }
  }
}
