/**
 * A folder of checkpoints, one for each step. The folder is the truth: there is no index beside it
 * that could say something else. A file's name has its step, so that names sort by it; everything
 * else is in the file's own metadata.
 */

import type { BigIntStats } from 'node:fs'
import * as fs from 'node:fs/promises'
import { join } from 'node:path'
import { type CheckpointError, isCheckpointError, withPath } from '../errors.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { errorCode } from '../io/file/file-system.js'
import { readProgress } from '../load/metadata.js'
import { isDamage, isGone } from './damage.js'

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

// Names that are tried for a damaged file: it is not to replace one that was set aside before.
const NAME_TRIES = 100

// Files whose metadata is read at the same time.
const READERS = 16

export class CheckpointFolder {
  readonly path: string
  /** What was read of a file, by its path; good for as long as the file is the same. */
  readonly #known = new Map<string, { readonly identity: string; readonly info: CheckpointInfo }>()

  constructor(path: string) {
    this.path = path
  }

  /** Where the checkpoint of a step goes. Throws a RangeError for what is no step. */
  pathOf(step: number): string {
    if (!isStep(step)) {
      throw new RangeError(`a step must be an integer from 0 to 10^${DIGITS} - 1, not ${step}`)
    }
    return join(this.path, `step-${String(step).padStart(DIGITS, '0')}.ckpt`)
  }

  /**
   * The paths of files that are called like checkpoints, newest first. Empty where there is no
   * folder. Links and folders are not of this library's making, whatever they are called.
   */
  async newestFirst(): Promise<string[]> {
    const entries = await fs.readdir(this.path, { withFileTypes: true }).catch((error) => {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    })
    return entries
      .filter((entry) => entry.isFile() && NAME.test(entry.name))
      .map(({ name }) => join(this.path, name))
      .sort()
      .reverse()
  }

  /**
   * The checkpoints, oldest first, by their metadata alone. What is called like one and is none, or
   * is one of another step (and so not of this library's making), is left out, and left alone.
   *
   * @throws CheckpointError where a file may not be read, and the system's error where the folder
   */
  async list(): Promise<CheckpointInfo[]> {
    const paths = (await this.newestFirst()).reverse()
    const infos: (CheckpointInfo | undefined)[] = new Array(paths.length)
    let next = 0
    const read = async (): Promise<void> => {
      for (let i = next++; i < paths.length; i = next++) infos[i] = await this.#info(paths[i]!)
    }
    await Promise.all(Array.from({ length: READERS }, read))
    const present = new Set(paths)
    for (const path of this.#known.keys()) if (!present.has(path)) this.#known.delete(path)
    return infos.filter((info) => info !== undefined)
  }

  /** The newest of `list`, or null. Reads no more files than it has to. */
  async latest(): Promise<CheckpointInfo | null> {
    for (const path of await this.newestFirst()) {
      const info = await this.#info(path)
      if (info !== undefined) return info
    }
    return null
  }

  /** What tells a file from one that was put in its place; undefined where there is none. */
  async identify(path: string): Promise<string | undefined> {
    try {
      return identityOf(await fs.lstat(path, { bigint: true }))
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return undefined
      throw error
    }
  }

  /** Removes a checkpoint. One that is gone already is as good as removed. */
  async remove(path: string): Promise<void> {
    await fs.rm(path, { force: true })
  }

  /**
   * Renames a damaged file, so that it is not taken for a checkpoint, and nothing of it is lost.
   * `identity` is that of the file that was found damaged: one that another process has put in its
   * place in the meantime is left there.
   */
  async setAside(path: string, identity: string, error: CheckpointError): Promise<SetAside> {
    const notMoved: SetAside = { path, movedTo: null, error }
    const target = await this.#reserve(`${path}${DAMAGED}`)
    if (target === undefined) return notMoved
    try {
      // Over the empty file that holds the name: no link is needed, and no other file is replaced.
      await fs.rename(path, target)
    } catch {
      await fs.rm(target, { force: true }).catch(() => {})
      return notMoved
    }
    if ((await this.identify(target).catch(() => undefined)) === identity) {
      return { path, movedTo: target, error }
    }
    // A good one came between. Back with it, unless there is a newer one still; none is removed.
    const isFree = (await this.identify(path).catch(() => path)) === undefined
    if (isFree) await fs.rename(target, path).catch(() => {})
    return notMoved
  }

  /** Creates an empty file of a name that is free, and returns its path. */
  async #reserve(path: string): Promise<string | undefined> {
    for (let n = 1; n <= NAME_TRIES; n++) {
      const target = n === 1 ? path : `${path}-${n}`
      try {
        await (await fs.open(target, 'wx')).close()
        return target
      } catch (cause) {
        if (errorCode(cause) !== 'EEXIST') return undefined
      }
    }
    return undefined
  }

  async #info(path: string): Promise<CheckpointInfo | undefined> {
    const known = this.#known.get(path)
    if (known !== undefined && (await this.identify(path)) === known.identity) return known.info
    try {
      const file = await openFile(path)
      const source = new FileSource(file)
      try {
        const { epoch, step, loss, metrics } = await readProgress(source)
        if (!isStep(step) || path !== this.pathOf(step)) return undefined
        const byteLength = Number(file.stat.size)
        const savedAt = Number(file.stat.mtimeNs / 1_000_000n)
        const info = { path, epoch, step, loss, metrics, byteLength, savedAt }
        this.#known.set(path, { identity: identityOf(file.stat), info })
        return info
      } finally {
        source.close()
      }
    } catch (error) {
      // A file that went since the folder was read, is damaged, or newer.
      if (isGone(error) || isDamage(error)) return undefined
      if (isCheckpointError(error) && error.code === 'CKPT_VERSION') return undefined
      throw withPath(error, path)
    }
  }
}

/** Whether a name has room for it. */
function isStep(step: number): boolean {
  return Number.isSafeInteger(step) && step >= 0 && step < 10 ** DIGITS
}

function identityOf({ dev, ino, size, mtimeNs }: BigIntStats): string {
  return `${dev}:${ino}:${size}:${mtimeNs}`
}
