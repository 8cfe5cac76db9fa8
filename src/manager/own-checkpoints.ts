/**
 * The checkpoints of a folder that are a manager's own: their numbers, and the removal of those that no
 * rule keeps. A file goes only if it is certain that it is the manager's, that it is a checkpoint, and
 * that it is old.
 */

import { messageOf } from '../errors.js'
import type { Durability } from '../io/sink.js'
import { quote } from '../printable.js'
import type { CheckpointFolder } from './checkpoint-folder.js'
import type { CheckpointInfo, FolderEntry } from './folder-entry.js'
import type { KeepPolicy } from './keep-policy.js'
import { retain } from './retention.js'

/** Warns of one kind of thing, and only once. */
export type WarnOnce = (kind: string, message: string) => void

/** What a manager may remove: what was there when its run began, and what it has saved since. */
export class OwnCheckpoints {
  readonly #folder: CheckpointFolder
  readonly #keep: KeepPolicy
  readonly #warnOnce: WarnOnce
  /**
   * Paths, each with the `fileId` of the file that is the manager's: one that another process has put
   * in its place since is not.
   */
  readonly #files = new Map<string, string>()
  /** The largest number that was given or found, and the paths of what it was given to. */
  #largest = -1
  readonly #numbered = new Set<string>()
  #numbering: Promise<unknown> = Promise.resolve()

  constructor(folder: CheckpointFolder, keep: KeepPolicy, warnOnce: WarnOnce) {
    this.#folder = folder
    this.#keep = keep
    this.#warnOnce = warnOnce
  }

  /** Takes over what was there when the run began. */
  adopt(entries: readonly FolderEntry[]): void {
    for (const { path, fileId } of entries) this.#files.set(path, fileId)
  }

  /**
   * The number of the next save, which goes to `path`: one more than the largest of the folder, other
   * managers' saves among them. Numbers are given in the order of the calls.
   *
   * @throws the system's error where the folder cannot be read
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
   * To be called when a checkpoint is in place: it is the manager's own, and what no rule keeps is
   * removed. If a power cut may undo the save (the folder cannot be synced), it does not count, so that
   * the one before it stays for once more.
   *
   * @throws the system's error where the folder cannot be read
   */
  async hasSaved(path: string, sequence: number, durability: Durability): Promise<void> {
    if (this.#keep === 'all') return
    const entries = await this.#folder.read()
    const saved = entries.find((entry) => entry.path === path)
    // Another process may have put its own there in the meantime.
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

  /** Those that the rules are asked about. What is unsure stays, and does not count. */
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
      // Others are removed all the same; this one is tried again after the next save.
      const reason = messageOf(error)
      this.#warnOnce(path, `the old checkpoint ${quote(path)} could not be removed: ${reason}`)
    }
  }
}

/** Warns, once for each, of a file that is called like a checkpoint and cannot be read. */
export function warnOfUnreadable(path: string, error: Error, warnOnce: WarnOnce): void {
  warnOnce(path, `a file that is called like a checkpoint is left alone: ${error.message}`)
}
