/**
 * The checkpoints of a folder that belong to a manager: their numbers, and the removal of those that no rule keeps. A
 * file is removed only if it certainly belongs to the manager, is a checkpoint, and is old.
 */

import { messageOf } from '../errors.js'
import type { Durability } from '../io/sink.js'
import { quote } from '../printable.js'
import type { CheckpointFolder } from './checkpoint-folder.js'
import type { CheckpointInfo, FolderEntry } from './folder-entry.js'
import type { KeepPolicy } from './keep-policy.js'
import { retain } from './retention.js'

/** Warns of one kind of problem, and only once. */
export type WarnOnce = (kind: string, message: string) => void

/** The files that a manager may remove: those in the folder when its run began, and those it has saved since. */
export class OwnCheckpoints {
  readonly #folder: CheckpointFolder
  readonly #keep: KeepPolicy
  readonly #warnOnce: WarnOnce
  /**
   * Paths of the manager's files, each with its `fileId`. A file that another process has put there since is not the
   * manager's.
   */
  readonly #files = new Map<string, string>()
  /** The largest number that was given or found, and the paths that numbers were given to. */
  #largest = -1
  readonly #numbered = new Set<string>()
  #numbering: Promise<unknown> = Promise.resolve()

  constructor(folder: CheckpointFolder, keep: KeepPolicy, warnOnce: WarnOnce) {
    this.#folder = folder
    this.#keep = keep
    this.#warnOnce = warnOnce
  }

  /** Takes ownership of the files in the folder when the run began. */
  adopt(entries: readonly FolderEntry[]): void {
    for (const { path, fileId } of entries) this.#files.set(path, fileId)
  }

  /**
   * The number of the next save, which goes to `path`: one more than the largest in the folder, including those of
   * other managers. Calls get their numbers in order.
   *
   * @throws the system's error if the folder cannot be read
   */
  nextSequence(path: string): Promise<number> {
    const next = this.#numbering.then(async () => {
      const found = await this.#folder.largestSequence(this.#numbered)
      this.#largest = Math.max(this.#largest, found) + 1
      this.#numbered.add(path)
      return this.#largest
    })
    this.#numbering = next.catch(() => {})
    return next
  }

  /**
   * Must be called when a checkpoint is in place. The checkpoint becomes the manager's, and those that no rule keeps
   * are removed. If a power cut may undo the save (the folder cannot be synced), the new checkpoint does not count, so
   * that the one before it stays this time.
   *
   * @throws the system's error if the folder cannot be read
   */
  async hasSaved(path: string, sequence: number, durability: Durability): Promise<void> {
    if (this.#keep === 'all') return
    const entries = await this.#folder.read()
    const saved = entries.find((entry) => entry.path === path)
    // Another process may have put its own file there in the meantime.
    const isOwn = saved?.kind === 'checkpoint' && saved.info.sequence === sequence
    if (isOwn) this.#files.set(path, saved.fileId)
    else this.#files.delete(path)
    const candidates = this.#candidatesOf(entries)
    const settled =
      durability === 'durable' ? candidates : candidates.filter((info) => info.path !== path)
    const { discard, doubts } = retain(settled, this.#keep, Date.now())
    for (const { kind, message } of doubts) this.#warnOnce(kind, message)
    for (const info of discard) if (info.path !== path) await this.#remove(info.path)
  }

  /** The checkpoints that the rules decide on. A file that is uncertain stays, and does not count. */
  #candidatesOf(entries: readonly FolderEntry[]): CheckpointInfo[] {
    const candidates: CheckpointInfo[] = []
    for (const entry of entries) {
      const { path, fileId, isLink } = entry
      if (entry.kind === 'unreadable') warnOfUnreadable(entry.path, entry.error, this.#warnOnce)
      if (entry.kind !== 'checkpoint' || this.#files.get(path) !== fileId) continue
      if (isLink) {
        this.#warnOnce('link', `${quote(path)} is a link: links stay, whatever \`keep\` says`)
      } else candidates.push(entry.info)
    }
    return candidates
  }

  async #remove(path: string): Promise<void> {
    try {
      await this.#folder.remove(path, this.#files.get(path)!)
      this.#files.delete(path)
    } catch (error) {
      // Others are still removed; this one is tried again after the next save.
      const reason = messageOf(error)
      this.#warnOnce(path, `the old checkpoint ${quote(path)} could not be removed: ${reason}`)
    }
  }
}

/** Warns, once for each file, of one that is named like a checkpoint and cannot be read. */
export function warnOfUnreadable(path: string, error: Error, warnOnce: WarnOnce): void {
  warnOnce(path, `a file that is named like a checkpoint is left alone: ${error.message}`)
}
