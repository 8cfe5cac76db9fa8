/**
 * Local copies of remote files, in a folder that the user names. A copy is named after the location and the version
 * of its file, so that it never stands for other content. Several processes may share the folder: a copy appears whole,
 * by a rename, and a process that has one open keeps it when another process removes it.
 */

import { createHash } from 'node:crypto'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { CheckpointError, isCheckpointError } from '../../errors.js'
import { absolutePath, fileIn, pathOf } from '../../path.js'
import { quote } from '../../printable.js'
import { piecesOf } from '../pieces.js'
import type { Source } from '../source.js'
import { FileSink } from './file-sink.js'
import { errorReason } from './system-error.js'

/** A folder for local copies of remote checkpoints. */
export interface CacheFolder {
  /** The folder. It is created if it is missing, and nothing else should be in it. */
  readonly folder: string | URL
  /**
   * Most bytes of all copies together (default 32 GiB). Before a download, the copies that were not used for the longest
   * time make room. A file that is longer than that is kept alone.
   */
  readonly maxBytes?: number | undefined
}

const MAX_BYTES = 32 * 1024 ** 3

// The first half of a SHA-256 of the identity.
const NAME = /^[0-9a-f]{32}\.ckpt$/

// An empty file next to a copy: its time is that of the last use. The times of the copy itself must not change, because
// readers in other processes would take that for another content.
const USED = '.used'

/** The copies in one folder. */
export class LocalCopies {
  readonly #folder: string
  readonly #maxBytes: number

  /** Throws a TypeError if the folder is not a path, and a RangeError if `maxBytes` is not a number of bytes. */
  constructor(cache: string | URL | CacheFolder) {
    const { folder, maxBytes = MAX_BYTES } = isFolder(cache) ? cache : { folder: cache }
    this.#folder = absolutePath(pathOf(folder))
    if (typeof maxBytes !== 'number' || !(maxBytes >= 0)) {
      throw new RangeError(`maxBytes must be a number of bytes, not ${String(maxBytes)}`)
    }
    this.#maxBytes = maxBytes
  }

  /** The path of the copy of a file, now the one used last; undefined if there is none of `size` bytes. */
  async find(identity: string, size: number): Promise<string | undefined> {
    const path = this.#pathOf(identity)
    try {
      const status = await stat(path)
      if (!status.isFile() || status.size !== size) return undefined
      await writeFile(`${path}${USED}`, '')
      return path
    } catch {
      return undefined
    }
  }

  /**
   * Downloads a file into the folder, over a copy that is there, and returns the path of the copy. The source stays the
   * caller's. Throws the source's errors, and CKPT_READ if the copy cannot be written.
   */
  async make(source: Source, identity: string): Promise<string> {
    const path = this.#pathOf(identity)
    await this.#makeRoom(source.size, path)
    const sink = new FileSink(path, { durable: false })
    try {
      await sink.begin(source.size)
      let position = 0
      for await (const { bytes } of piecesOf(source, [{ start: 0, end: source.size }])) {
        await sink.write(bytes, position)
        position += bytes.byteLength
      }
      await source.checkUnchanged()
      await sink.sync()
      await sink.commit()
      await writeFile(`${path}${USED}`, '')
      return path
    } catch (error) {
      await sink.abort()
      if (isCheckpointError(error) && error.code !== 'CKPT_NOT_COMMITTED') throw error
      const cause = isCheckpointError(error) ? error.cause : error
      throw new CheckpointError(
        'CKPT_READ',
        `a local copy of ${source.size} bytes could not be written to ${quote(this.#folder)}: ` +
          `${errorReason(cause)}; make room there, or load without a cache`,
        { cause },
      )
    }
  }

  /** Removes the copy of a file, if there is one. */
  async remove(identity: string): Promise<void> {
    await removeCopy(this.#pathOf(identity))
  }

  #pathOf(identity: string): string {
    const name = createHash('sha256').update(identity).digest('hex').slice(0, 32)
    return fileIn(this.#folder, `${name}.ckpt`)
  }

  /** Removes the copies that were not used for the longest time, until there is room for `length` bytes at `path`. */
  async #makeRoom(length: number, path: string): Promise<void> {
    const copies: { path: string; size: number; usedAt: number }[] = []
    for (const name of await readdir(this.#folder).catch(() => [])) {
      const copy = fileIn(this.#folder, name)
      if (!NAME.test(name) || copy === path) continue
      const status = await stat(copy).catch(() => undefined)
      if (status === undefined) continue
      const used = await stat(`${copy}${USED}`).catch(() => status)
      copies.push({ path: copy, size: status.size, usedAt: used.mtimeMs })
    }
    copies.sort((a, b) => b.usedAt - a.usedAt)
    let room = this.#maxBytes - length
    for (const { path, size } of copies) {
      room -= size
      // Another process may have removed it, and Windows keeps a file that is open.
      if (room < 0) await removeCopy(path).catch(() => {})
    }
  }
}

function isFolder(cache: string | URL | CacheFolder): cache is CacheFolder {
  return typeof cache === 'object' && cache !== null && 'folder' in cache
}

async function removeCopy(path: string): Promise<void> {
  await rm(path, { force: true })
  await rm(`${path}${USED}`, { force: true })
}
