/**
 * The checkpoints of a store that belong to a manager: their numbers, and the removal of those that no rule keeps. A
 * file is removed only if it certainly belongs to the manager, is a checkpoint, and is old.
 */

import { messageOf } from '../errors.js'
import type { Durability } from '../io/sink.js'
import { quote } from '../printable.js'
import type { CheckpointEntry, CheckpointInfo } from './checkpoint-entry.js'
import type { KeepPolicy } from './keep-policy.js'
import { retain } from './retention.js'
import type { RunCheckpoints } from './run-checkpoints.js'

/** Warns of one kind of problem, and only once. */
export type WarnOnce = (kind: string, message: string) => void

/** The files that a manager may remove: those in the store when its run began, and those it has saved since. */
export class OwnCheckpoints {
  readonly #checkpoints: RunCheckpoints
  readonly #keep: KeepPolicy
  readonly #warnOnce: WarnOnce
  /**
   * Names of the manager's files, each with its `id`. A file that another process has put there since is not the
   * manager's.
   */
  readonly #files = new Map<string, string>()
  /** The largest number that was given or found, and the names that numbers were given to. */
  #largest = -1
  readonly #numbered = new Set<string>()
  #numbering: Promise<unknown> = Promise.resolve()
  /** The last saved checkpoint, if a power cut may undo it. */
  #uncertain: string | undefined

  constructor(checkpoints: RunCheckpoints, keep: KeepPolicy, warnOnce: WarnOnce) {
    this.#checkpoints = checkpoints
    this.#keep = keep
    this.#warnOnce = warnOnce
  }

  /** Takes ownership of the files in the store when the run began. */
  adopt(entries: readonly CheckpointEntry[]): void {
    for (const { name, id } of entries) this.#files.set(name, id)
  }

  /**
   * The number of the next save, which goes to `name`: one more than the largest in the store, including those of other
   * managers, and more than `floor`. Calls get their numbers in order.
   *
   * @throws the store's error if it cannot be listed
   */
  nextSequence(name: string, floor?: () => Promise<number>): Promise<number> {
    const next = this.#numbering.then(async () => {
      const found = await this.#checkpoints.largestSequence(this.#numbered)
      this.#largest = Math.max(this.#largest, found, (await floor?.()) ?? -1) + 1
      this.#numbered.add(name)
      return this.#largest
    })
    this.#numbering = next.catch(() => {})
    return next
  }

  /**
   * Must be called when a checkpoint is in place. The checkpoint becomes the manager's, and those that no rule keeps
   * are removed. If a power cut may undo the save (the folder cannot be synced), the new checkpoint does not count, so
   * that the one before it stays this time. `isHeld` names those that stay for now, although no rule keeps them.
   *
   * @throws the store's error if it cannot be listed
   */
  async hasSaved(
    name: string,
    sequence: number,
    durability: Durability,
    isHeld: (name: string) => boolean = () => false,
  ): Promise<void> {
    if (this.#keep === 'all') return
    const entries = await this.#checkpoints.read()
    const saved = entries.find((entry) => entry.name === name)
    // Another process may have put its own file there in the meantime.
    const isOwn = saved?.kind === 'checkpoint' && saved.info.sequence === sequence
    if (isOwn) this.#files.set(name, saved.id)
    else this.#files.delete(name)
    this.#uncertain = durability === 'durable' ? undefined : name
    await this.#removeFrom(entries, (other) => other === name || isHeld(other))
  }

  /** Removes those that no rule keeps and that nothing holds any more. Throws like `hasSaved`. */
  async removeOld(): Promise<void> {
    if (this.#keep === 'all') return
    await this.#removeFrom(await this.#checkpoints.read(), (name) => name === this.#uncertain)
  }

  async #removeFrom(
    entries: readonly CheckpointEntry[],
    stays: (name: string) => boolean,
  ): Promise<void> {
    const candidates = this.#candidatesOf(entries)
    const names = new Map(candidates.map(({ entry, info }) => [info, entry]))
    const settled = candidates.filter(({ entry }) => entry.name !== this.#uncertain)
    const infos = settled.map(({ info }) => info)
    const { discard, doubts } = retain(infos, this.#keep, Date.now())
    for (const { kind, message } of doubts) this.#warnOnce(kind, message)
    for (const info of discard) {
      const entry = names.get(info)!
      if (!stays(entry.name)) await this.#remove(entry)
    }
  }

  /** The checkpoints that the rules decide on. A file that is uncertain stays, and does not count. */
  #candidatesOf(
    entries: readonly CheckpointEntry[],
  ): { readonly entry: CheckpointEntry; readonly info: CheckpointInfo }[] {
    const candidates: { readonly entry: CheckpointEntry; readonly info: CheckpointInfo }[] = []
    for (const entry of entries) {
      const { name, path, id, isLink } = entry
      if (entry.kind === 'unreadable') warnOfUnreadable(path, entry.error, this.#warnOnce)
      if (entry.kind !== 'checkpoint' || this.#files.get(name) !== id) continue
      if (isLink) {
        this.#warnOnce('link', `${quote(path)} is a link: links stay, whatever \`keep\` says`)
      } else candidates.push({ entry, info: entry.info })
    }
    return candidates
  }

  async #remove({ name, path, version }: CheckpointEntry): Promise<void> {
    try {
      if (await this.#checkpoints.store.remove(name, version)) this.#files.delete(name)
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
