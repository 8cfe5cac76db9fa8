/**
 * A folder of checkpoints, one for each step. The folder is the truth: there is no index that could contradict it. A
 * file's name holds its step, so that names sort by step. Everything else is in the file's own metadata.
 */

import * as fs from 'node:fs/promises'
import type { CheckpointError } from '../errors.js'
import { errorCode } from '../io/file/file-system.js'
import { absolutePath, fileIn } from '../path.js'
import { type CheckpointInfo, type FolderEntry, readEntry, statusOf } from './folder-entry.js'
import { inOrder } from './retention.js'

/** A file that was set aside: its old name, its new name, and the reason. */
export interface SetAside {
  readonly path: string
  /** Its new name, or null if it could not be renamed. */
  readonly movedTo: string | null
  readonly error: CheckpointError
}

// Twelve digits: enough for any run, and names sort by step.
const DIGITS = 12
const NAME = /^step-(\d{12})\.ckpt$/

/** The suffix of a damaged file, which keeps it from being taken for a checkpoint. */
const DAMAGED = '.damaged'
const DAMAGED_NAME = /^step-\d{12}\.ckpt\.damaged(?:-\d+)?$/

// Names that are tried for a damaged file, because it must not replace one that was set aside before.
const NAME_TRIES = 100

// Files whose metadata is read at the same time.
const READERS = 16

/** The checkpoints of one run by their paths. Other processes may save and remove at any time. */
export class CheckpointFolder {
  /** The path as the caller gave it. */
  readonly given: string
  /** The absolute path: a process that changes its current folder keeps its checkpoints where they are. */
  readonly path: string
  /** What was read of each file, by its name; valid as long as the file is the same. */
  readonly #known = new Map<string, { readonly identity: string; readonly entry: FolderEntry }>()

  constructor(path: string) {
    this.given = path
    this.path = absolutePath(path)
  }

  /** The path of the checkpoint of a step. Throws a RangeError if `step` is not one. */
  pathOf(step: number): string {
    if (!Number.isSafeInteger(step) || step < 0 || step >= 10 ** DIGITS) {
      throw new RangeError(`a step must be an integer from 0 to 10^${DIGITS} - 1, not ${step}`)
    }
    return fileIn(this.path, `step-${String(step).padStart(DIGITS, '0')}.ckpt`)
  }

  /**
   * All files that are named like a checkpoint, oldest first (`inOrder`), by their metadata alone. A file that is not a
   * checkpoint has no place in the order; it follows the last one of an earlier step. Empty if the folder does not
   * exist. Folders, pipes and devices with such a name are left out.
   *
   * @throws the system's error if the folder cannot be read
   */
  async read(): Promise<FolderEntry[]> {
    const names = (await this.#names()).filter((name) => NAME.test(name)).sort()
    const entries: (FolderEntry | undefined)[] = new Array(names.length)
    let next = 0
    const read = async (): Promise<void> => {
      for (let i = next++; i < names.length; i = next++) entries[i] = await this.#entry(names[i]!)
    }
    await Promise.all(Array.from({ length: READERS }, read))
    const present = new Set(names)
    for (const name of this.#known.keys()) if (!present.has(name)) this.#known.delete(name)
    return sorted(entries.filter((entry) => entry !== undefined))
  }

  /**
   * The largest `sequence` of the folder's checkpoints; -1 if none has one. Reads only files that it has not seen and
   * that are not in `except`, a set of paths. Changes of known files are left to `read`.
   */
  async largestSequence(except: ReadonlySet<string>): Promise<number> {
    for (const name of await this.#names()) {
      const isUnseen = NAME.test(name) && !this.#known.has(name)
      if (isUnseen && !except.has(fileIn(this.path, name))) await this.#entry(name)
    }
    let largest = -1
    for (const { entry } of this.#known.values()) {
      if (entry.kind === 'checkpoint') largest = Math.max(largest, entry.info.sequence ?? -1)
    }
    return largest
  }

  /** The valid checkpoints among the files of `read`, oldest first (`inOrder`). */
  async list(): Promise<CheckpointInfo[]> {
    const infos: CheckpointInfo[] = []
    for (const entry of await this.read()) if (entry.kind === 'checkpoint') infos.push(entry.info)
    return infos
  }

  /** The paths of files that were set aside as damaged. */
  async listSetAside(): Promise<string[]> {
    const names = (await this.#names()).filter((name) => DAMAGED_NAME.test(name))
    return names.sort().map((name) => fileIn(this.path, name))
  }

  /**
   * The identity of a file, which changes with its content; undefined if there is none. The identity of a link includes
   * that of its target.
   */
  async identify(path: string): Promise<string | undefined> {
    return (await statusOf(path))?.identity
  }

  /** The `fileId` of a file; undefined if there is none. */
  async fileId(path: string): Promise<string | undefined> {
    return (await statusOf(path))?.fileId
  }

  /**
   * Removes a checkpoint if it is still the file of `fileId`. Resolves to whether it is gone. (No call compares and
   * removes in one step. A file that takes its place in between, within microseconds, would be removed.)
   */
  async remove(path: string, fileId: string): Promise<boolean> {
    const present = await this.fileId(path)
    if (present !== undefined && present !== fileId) return false
    await fs.rm(path, { force: true })
    return true
  }

  /**
   * Renames a damaged file, so that it is not taken for a checkpoint and nothing of it is lost. `identity` is that of
   * the damaged file. If another process has replaced it in the meantime, the new file stays.
   */
  async setAside(path: string, identity: string, error: CheckpointError): Promise<SetAside> {
    const notMoved: SetAside = { path, movedTo: null, error }
    const target = await this.#reserve(`${path}${DAMAGED}`)
    if (target === undefined) return notMoved
    try {
      // Over the empty file that reserves the name. This needs no link, and replaces no other file.
      await fs.rename(path, target)
    } catch {
      await fs.rm(target, { force: true }).catch(() => {})
      return notMoved
    }
    if ((await this.identify(target).catch(() => undefined)) === identity) {
      return { path, movedTo: target, error }
    }
    // Another process has put a valid file there. Move it back, unless an even newer one is there; remove neither.
    const isFree = (await this.identify(path).catch(() => path)) === undefined
    if (isFree) await fs.rename(target, path).catch(() => {})
    return notMoved
  }

  /** Creates an empty file with a free name, and returns its path. */
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

  async #names(): Promise<string[]> {
    try {
      return await fs.readdir(this.path)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  /** The entry of a name; undefined if it is gone or not a file. */
  async #entry(name: string): Promise<FolderEntry | undefined> {
    const path = fileIn(this.path, name)
    const status = await statusOf(path)
    if (status === undefined || !status.isFile) return undefined
    const known = this.#known.get(name)
    if (known?.identity === status.identity) return known.entry
    const entry = await readEntry(path, Number(NAME.exec(name)![1]), status)
    // A file that could not be read, or was damaged, may be complete the next time.
    if (entry?.kind === 'checkpoint' || entry?.kind === 'other step') {
      this.#known.set(name, { identity: status.identity, entry })
    }
    return entry
  }
}

/** Entries in the order of `read`. They come sorted by their names, and therefore by their steps. */
function sorted(entries: readonly FolderEntry[]): FolderEntry[] {
  const byInfo = new Map<CheckpointInfo, FolderEntry>()
  for (const entry of entries) if (entry.kind === 'checkpoint') byInfo.set(entry.info, entry)
  const ordered = inOrder([...byInfo.keys()]).map((info) => byInfo.get(info)!)
  for (const entry of entries) {
    if (entry.kind === 'checkpoint') continue
    ordered.splice(ordered.findLastIndex(({ step }) => step < entry.step) + 1, 0, entry)
  }
  return ordered
}
