/**
 * A folder of checkpoints, one for each step. The folder is the truth: there is no index beside it
 * that could say something else. A file's name has its step, so that names sort by it; everything
 * else is in the file's own metadata.
 */

import * as fs from 'node:fs/promises'
import type { CheckpointError } from '../errors.js'
import { errorCode } from '../io/file/file-system.js'
import { absolutePath, fileIn } from '../path.js'
import { type CheckpointInfo, type FolderEntry, readEntry, statusOf } from './folder-entry.js'
import { inOrder } from './retention.js'

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
const DAMAGED_NAME = /^step-\d{12}\.ckpt\.damaged(?:-\d+)?$/

// Names that are tried for a damaged file: it must not replace one that was set aside before.
const NAME_TRIES = 100

// Files whose metadata is read at the same time.
const READERS = 16

/** The checkpoints of one run, by their paths. Other processes may save and remove at any time. */
export class CheckpointFolder {
  /** As it was given. */
  readonly given: string
  /** The same from the root: a process that goes into another folder keeps its checkpoints where they are. */
  readonly path: string
  /** What was read of a file, by its path; good for as long as the file is the same. */
  readonly #known = new Map<string, { readonly identity: string; readonly entry: FolderEntry }>()

  constructor(path: string) {
    this.given = path
    this.path = absolutePath(path)
  }

  /** Where the checkpoint of a step goes. Throws a RangeError for what is no step. */
  pathOf(step: number): string {
    if (!Number.isSafeInteger(step) || step < 0 || step >= 10 ** DIGITS) {
      throw new RangeError(`a step must be an integer from 0 to 10^${DIGITS} - 1, not ${step}`)
    }
    return fileIn(this.path, `step-${String(step).padStart(DIGITS, '0')}.ckpt`)
  }

  /**
   * What is called like a checkpoint, oldest first (`inOrder`), by the metadata alone. What is no
   * checkpoint has no place in the order, and stands behind the last one of an earlier step. Empty where
   * there is no folder. Folders, pipes and devices of such a name are left out.
   *
   * @throws the system's error where the folder cannot be read
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
   * The largest `sequence` of the folder's checkpoints; -1 where none has one. Reads only files that have
   * not been seen and are not among `except`, paths: whether known ones have changed is left to `read`.
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

  /** The checkpoints, oldest first (`inOrder`): what `read` finds that is one. */
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
   * What tells a file from one that was changed or put in its place; undefined where there is none.
   * Of a link, what it points to counts as well.
   */
  async identify(path: string): Promise<string | undefined> {
    return (await statusOf(path))?.identity
  }

  /** The `fileId` of a file; undefined where there is none. */
  async fileId(path: string): Promise<string | undefined> {
    return (await statusOf(path))?.fileId
  }

  /**
   * Removes a checkpoint if it is still the file that `fileId` says, and resolves to whether it is
   * gone. (Nothing can look and remove in one step: a file that is put in place between the two, within
   * microseconds, would be removed.)
   */
  async remove(path: string, fileId: string): Promise<boolean> {
    const present = await this.fileId(path)
    if (present !== undefined && present !== fileId) return false
    await fs.rm(path, { force: true })
    return true
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

  async #names(): Promise<string[]> {
    try {
      return await fs.readdir(this.path)
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  /** What a name stands for; undefined for what is gone, or no file. */
  async #entry(name: string): Promise<FolderEntry | undefined> {
    const path = fileIn(this.path, name)
    const status = await statusOf(path)
    if (status === undefined || !status.isFile) return undefined
    const known = this.#known.get(name)
    if (known?.identity === status.identity) return known.entry
    const entry = await readEntry(path, Number(NAME.exec(name)![1]), status)
    // What could not be read, or was damaged, may be whole the next time.
    if (entry?.kind === 'checkpoint' || entry?.kind === 'other step') {
      this.#known.set(name, { identity: status.identity, entry })
    }
    return entry
  }
}

/** Entries in the order of `read`; they come sorted by their names, and so by their steps. */
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
