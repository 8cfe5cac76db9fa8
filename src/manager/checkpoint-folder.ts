/**
 * A folder of checkpoints, one for each step. The folder is the truth: there is no index beside it
 * that could say something else. A file's name has its step, so that names sort by it; everything
 * else is in the file's own metadata.
 */

import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { CheckpointError } from '../error.js'
import { FileSource, openFile } from '../io/file-source.js'
import { errorCode } from '../io/filesystem.js'
import { readProgress } from '../read-metadata.js'

/** A checkpoint of a folder, as far as its metadata tells. */
export interface CheckpointInfo {
  readonly path: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** When it was saved (last written to), in milliseconds since 1970. */
  readonly savedAt: number
}

/** A file that was set aside: what it was called, what it is called now, and why. */
export interface SetAside {
  readonly path: string
  /** Its new name, or null where it could not be renamed. */
  readonly movedTo: string | null
  readonly error: CheckpointError
}

// Twelve digits: more steps than anyone takes, and names that sort.
const DIGITS = 12
const NAME = /^step-(\d{12})\.ckpt$/

/** Appended to the name of a file that is damaged, so that nobody takes it for a checkpoint. */
const DAMAGED = '.damaged'

// Files whose metadata is read at the same time.
const READERS = 16

export class CheckpointFolder {
  readonly path: string
  /** What was read of a file, by its name; good for as long as the file is the same. */
  readonly #known = new Map<string, { readonly identity: string; readonly info: CheckpointInfo }>()

  constructor(path: string) {
    this.path = path
  }

  /** Where the checkpoint of a step goes. Throws a RangeError for what is no step. */
  pathOf(step: number): string {
    if (!Number.isSafeInteger(step) || step < 0 || step >= 10 ** DIGITS) {
      throw new RangeError(`a step must be an integer from 0 to 10^${DIGITS} - 1, not ${step}`)
    }
    return join(this.path, `step-${String(step).padStart(DIGITS, '0')}.ckpt`)
  }

  /** The paths that are called like checkpoints, newest first. Empty where there is no folder. */
  async newestFirst(): Promise<string[]> {
    const names = await fs.readdir(this.path).catch((error) => {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    })
    return names
      .filter((name) => NAME.test(name))
      .sort()
      .reverse()
      .map((name) => join(this.path, name))
  }

  /**
   * The checkpoints, oldest first, by their metadata alone. What is called like one and is none (or
   * is one of another step, and so not of this folder's making) is left out, and left alone.
   */
  async list(): Promise<CheckpointInfo[]> {
    const paths = (await this.newestFirst()).reverse()
    const infos: (CheckpointInfo | undefined)[] = new Array(paths.length)
    let next = 0
    const read = async (): Promise<void> => {
      for (let i = next++; i < paths.length; i = next++) infos[i] = await this.#info(paths[i]!)
    }
    await Promise.all(Array.from({ length: READERS }, read))
    for (const path of this.#known.keys()) if (!paths.includes(path)) this.#known.delete(path)
    return infos.filter((info) => info !== undefined)
  }

  /** Removes a checkpoint. One that is gone already is as good as removed. */
  async remove(path: string): Promise<void> {
    await fs.rm(path, { force: true })
  }

  /** Renames a damaged file, so that it is not taken for a checkpoint, and nothing of it is lost. */
  async setAside(path: string, error: CheckpointError): Promise<SetAside> {
    for (let n = 0; n < 100; n++) {
      const target = `${path}${DAMAGED}${n === 0 ? '' : `-${n}`}`
      try {
        // A link first: unlike a rename it replaces nothing.
        await fs.link(path, target)
        await fs.unlink(path)
        return { path, movedTo: target, error }
      } catch (cause) {
        if (errorCode(cause) !== 'EEXIST') break
      }
    }
    return { path, movedTo: null, error }
  }

  async #info(path: string): Promise<CheckpointInfo | undefined> {
    try {
      const file = await openFile(path)
      const source = new FileSource(file)
      try {
        const { size, mtimeNs, ino } = file.stat
        const identity = `${ino}:${size}:${mtimeNs}`
        const known = this.#known.get(path)
        if (known?.identity === identity) return known.info
        const { epoch, step, loss, metrics } = await readProgress(source)
        if (path !== this.pathOf(step)) return undefined
        const savedAt = Number(mtimeNs / 1_000_000n)
        const info = { path, epoch, step, loss, metrics, byteLength: Number(size), savedAt }
        this.#known.set(path, { identity, info })
        return info
      } finally {
        source.close()
      }
    } catch (error) {
      if (error instanceof CheckpointError || error instanceof RangeError) return undefined
      throw error
    }
  }
}
