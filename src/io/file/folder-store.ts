/** A folder of this machine as a store. Its files are committed, read and removed as paths are. */

import { open, readdir, rename, rm } from 'node:fs/promises'
import { CheckpointError } from '../../errors.js'
import { absolutePath, fileIn, pathOf } from '../../path.js'
import { mapAtOnce } from '../concurrency.js'
import type { Sink } from '../sink.js'
import type { Source } from '../source.js'
import {
  type CheckpointStore,
  checkStoredName,
  type OpenStored,
  type SinkOptions,
  type StoredFile,
  type StoreSupport,
} from '../store.js'
import { FileSink } from './file-sink.js'
import { FileSource, openFile } from './file-source.js'
import { fileNamed, isOfVersion, isSameRenamed } from './file-version.js'
import { errorCode, errorReason } from './system-error.js'
import { isTemporaryName } from './temporary-file.js'

// Names that are looked at together.
const AT_ONCE = 16

/**
 * The files of one folder, which need not exist yet. Folders, pipes and devices in it do not count as files, nor do the
 * temporary files of saves.
 */
export class FolderStore implements CheckpointStore {
  /** The absolute path: a process that changes its current folder keeps its checkpoints where they are. */
  readonly path: string

  /** The first save creates the folder. Throws a TypeError if `folder` is not a path. */
  constructor(folder: string | URL) {
    this.path = absolutePath(pathOf(folder))
  }

  locate(name: string): string {
    checkStoredName(name)
    return fileIn(this.path, name)
  }

  fileOf(name: string): string {
    return this.locate(name)
  }

  /**
   * A commit is less durable where the system cannot sync folders; its report says so. Conditions hold between saves
   * that have one. A save without a condition, or another program, may replace the file at the moment of the commit.
   */
  async supports(): Promise<StoreSupport> {
    return { durability: 'durable', conditions: true }
  }

  async list(isWanted: (name: string) => boolean = () => true): Promise<StoredFile[]> {
    const names = (await this.#names()).filter(isWanted)
    const files = await mapAtOnce(names, AT_ONCE, (name) => this.stat(name))
    return files.filter((file) => file !== undefined)
  }

  async stat(name: string): Promise<StoredFile | undefined> {
    const found = await fileNamed(this.locate(name))
    if (found === undefined || !found.isFile) return undefined
    const { isFile: _, ...file } = found
    return { name, ...file }
  }

  async open(name: string, { version }: OpenStored = {}): Promise<Source> {
    const file = await openFile(this.locate(name))
    const source = new FileSource(file)
    if (version === undefined || isOfVersion(file.stat, version)) return source
    source.close()
    throw new CheckpointError('CKPT_FILE_CHANGED', 'the file has been replaced or changed', {
      expected: version,
    })
  }

  sink(name: string, { condition, durable }: SinkOptions = {}): Sink {
    return new FileSink(this.locate(name), { condition, durable })
  }

  /**
   * No call compares and removes in one step. A file that takes its place in between, within microseconds, would be
   * removed.
   */
  async remove(name: string, version: string): Promise<boolean> {
    const path = this.locate(name)
    const there = await fileNamed(path)
    if (there !== undefined && there.version !== version) return false
    await rm(path, { force: true })
    return true
  }

  async setAside(name: string, version: string, as: string): Promise<boolean> {
    const path = this.locate(name)
    const target = this.locate(as)
    if ((await fileNamed(path))?.version !== version) return false
    // An empty file reserves the name.
    try {
      await (await open(target, 'wx')).close()
    } catch (error) {
      if (errorCode(error) === 'EEXIST') return false
      throw error
    }
    try {
      // Over the empty file. This needs no link, and replaces no other file.
      await rename(path, target)
    } catch (error) {
      await rm(target, { force: true }).catch(() => {})
      if (errorCode(error) === 'ENOENT') return false
      throw error
    }
    const moved = await fileNamed(target).catch(() => undefined)
    if (moved !== undefined && isSameRenamed(moved.version, version)) return true
    // Another process has put another file there. Move it back, unless an even newer one is there; remove neither.
    const isFree = (await fileNamed(path).catch(() => 'unknown')) === undefined
    if (isFree) await rename(target, path).catch(() => {})
    return false
  }

  async #names(): Promise<string[]> {
    try {
      return (await namesInFolder(this.path)).filter((name) => !isTemporaryName(name))
    } catch (error) {
      if (errorCode((error as CheckpointError).cause) === 'ENOENT') return []
      throw error
    }
  }
}

/** All names in a folder. Throws CKPT_READ with the folder's path. */
export async function namesInFolder(path: string): Promise<string[]> {
  try {
    return await readdir(path)
  } catch (cause) {
    const message = `the folder could not be read: ${errorReason(cause)}`
    throw new CheckpointError('CKPT_READ', message, { path, cause })
  }
}
