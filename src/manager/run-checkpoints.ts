/**
 * The checkpoints of one run in a store, one for each step. The store is the truth: there is no index that could
 * contradict it. A file's name holds its step, so that names sort by step. Everything else is in the file's own
 * metadata.
 */

import { type CheckpointError, isCheckpointError } from '../errors.js'
import { mapAtOnce } from '../io/concurrency.js'
import type { CheckpointStore, StoredFile } from '../io/store.js'
import { type CheckpointEntry, type CheckpointInfo, readEntry } from './checkpoint-entry.js'
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

// How often a file is read again because another one has replaced it meanwhile.
const READ_TRIES = 5

/** The checkpoints of one run by their names. Other processes may save and remove at any time. */
export class RunCheckpoints {
  readonly store: CheckpointStore
  /** What was read of each file, by its name; valid as long as the file has the same version. */
  readonly #known = new Map<string, CheckpointEntry>()

  constructor(store: CheckpointStore) {
    this.store = store
  }

  /** The name of the checkpoint of a step. Throws a RangeError if `step` is not one. */
  nameOf(step: number): string {
    if (!Number.isSafeInteger(step) || step < 0 || step >= 10 ** DIGITS) {
      throw new RangeError(`a step must be an integer from 0 to 10^${DIGITS} - 1, not ${step}`)
    }
    return `step-${String(step).padStart(DIGITS, '0')}.ckpt`
  }

  /**
   * All files that are named like a checkpoint, oldest first (see `ordered`), by their metadata alone. Empty if the
   * place does not exist.
   *
   * @throws the store's error if it cannot be listed
   */
  async read(): Promise<CheckpointEntry[]> {
    const files = await this.store.list((name) => NAME.test(name))
    const entries = await this.#readAll(files)
    const present = new Set(files.map(({ name }) => name))
    for (const name of this.#known.keys()) if (!present.has(name)) this.#known.delete(name)
    return ordered(entries)
  }

  /**
   * The largest `sequence` of the checkpoints; -1 if none has one. Reads only files that it has not seen and that are
   * not in `except`, a set of names. Changes of known files are left to `read`.
   */
  async largestSequence(except: ReadonlySet<string>): Promise<number> {
    const isUnseen = (name: string) => !this.#known.has(name) && !except.has(name)
    await this.#readAll(await this.store.list((name) => NAME.test(name) && isUnseen(name)))
    let largest = -1
    for (const entry of this.#known.values()) {
      if (entry.kind === 'checkpoint') largest = Math.max(largest, entry.info.sequence ?? -1)
    }
    return largest
  }

  /** Whether the files that were read so far include a checkpoint of this name and number. */
  hasRead(name: string, sequence: number): boolean {
    const entry = this.#known.get(name)
    return entry?.kind === 'checkpoint' && entry.info.sequence === sequence
  }

  /** The valid checkpoints among the files of `read`, oldest first. */
  async list(): Promise<CheckpointInfo[]> {
    const infos: CheckpointInfo[] = []
    for (const entry of await this.read()) if (entry.kind === 'checkpoint') infos.push(entry.info)
    return infos
  }

  /** The locations of files that were set aside as damaged. */
  async listSetAside(): Promise<string[]> {
    const files = await this.store.list((name) => DAMAGED_NAME.test(name))
    return files.map(({ name }) => this.store.locate(name)).sort()
  }

  /**
   * Renames a damaged file, so that it is not taken for a checkpoint and nothing of it is lost. `version` is that of the
   * damaged file. If another process has replaced it in the meantime, the new file stays.
   */
  async setAside(name: string, version: string, error: CheckpointError): Promise<SetAside> {
    const path = this.store.locate(name)
    const notMoved: SetAside = { path, movedTo: null, error }
    try {
      for (let n = 1; n <= NAME_TRIES; n++) {
        const as = n === 1 ? `${name}${DAMAGED}` : `${name}${DAMAGED}-${n}`
        if (await this.store.setAside(name, version, as)) {
          return { path, movedTo: this.store.locate(as), error }
        }
        // Either the name is taken, or the damaged file is no longer there.
        if ((await this.store.stat(name))?.version !== version) return notMoved
      }
    } catch {
      // It stays where it is; the report says so.
    }
    return notMoved
  }

  /** The entries of files, several at once, in the order of their names. */
  async #readAll(files: readonly StoredFile[]): Promise<CheckpointEntry[]> {
    const sorted = [...files].sort((a, b) => (a.name < b.name ? -1 : 1))
    const entries = await mapAtOnce(sorted, READERS, (file) => this.#entry(file))
    return entries.filter((entry) => entry !== undefined)
  }

  /** The entry of a file, or of the one that has replaced it; undefined if it is gone. */
  async #entry(file: StoredFile): Promise<CheckpointEntry | undefined> {
    const { name } = file
    const known = this.#known.get(name)
    if (known?.version === file.version) return known
    const step = Number(NAME.exec(name)![1])
    let listed: StoredFile | undefined = file
    for (let tries = READ_TRIES; listed !== undefined; tries--) {
      try {
        const entry = await readEntry(this.store, listed, step)
        // A file that could not be read, or was damaged, may be complete the next time.
        if (entry?.kind === 'checkpoint' || entry?.kind === 'other step')
          this.#known.set(name, entry)
        return entry
      } catch (error) {
        if (!isCheckpointError(error) || tries === 1) throw error
        listed = await this.store.stat(name)
      }
    }
    return undefined
  }
}

/**
 * Entries oldest first (`inOrder`). They come sorted by their steps. A file that is not a checkpoint has no place in the
 * order; it follows the last one of an earlier step.
 */
export function ordered(entries: readonly CheckpointEntry[]): CheckpointEntry[] {
  const byInfo = new Map<CheckpointInfo, CheckpointEntry>()
  for (const entry of entries) if (entry.kind === 'checkpoint') byInfo.set(entry.info, entry)
  const sorted = inOrder([...byInfo.keys()]).map((info) => byInfo.get(info)!)
  for (const entry of entries) {
    if (entry.kind === 'checkpoint') continue
    sorted.splice(sorted.findLastIndex(({ step }) => step < entry.step) + 1, 0, entry)
  }
  return sorted
}
