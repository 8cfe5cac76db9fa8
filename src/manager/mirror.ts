/**
 * A second place for the checkpoints of a run, such as a bucket. Each checkpoint that is durable in the folder is
 * copied there in the background, one at a time, the newest first: if uploads are slower than saves, the mirror still
 * has a recent one. A mirror never disturbs the training: its failures are warnings, and what it lacks is tried again
 * with the next checkpoint.
 */

import { messageOf } from '../errors.js'
import { copyStored, UnreadableOriginError } from '../io/copy-stored.js'
import type { Durability } from '../io/sink.js'
import { type CheckpointStore, isMissing } from '../io/store.js'
import { quote } from '../printable.js'
import type { KeepPolicy } from './keep-policy.js'
import { OwnCheckpoints } from './own-checkpoints.js'
import type { PlacedEntry } from './resume.js'
import { RunCheckpoints } from './run-checkpoints.js'

// Failures in a row after which the rest waits for the next checkpoint: the mirror is out of reach. One failure may be
// about one file.
const FAILURES_IN_A_ROW = 2

// Most checkpoints that stay in the folder only because they wait for their upload. If uploads are slower than saves,
// more of them would fill the disk.
const MOST_HELD = 4

// How long the number of a save waits for the mirror, in milliseconds.
const LOOK_LIMIT = 30_000

/** What a mirror tells the manager. */
export interface MirrorListeners {
  readonly warn: (message: string) => void
  readonly warnOnce: (kind: string, message: string) => void
}

/** Copies the checkpoints of one run to a second store, and keeps its own rules there. */
export class Mirror {
  readonly checkpoints: RunCheckpoints
  readonly #from: CheckpointStore
  readonly #own: OwnCheckpoints
  readonly #listeners: MirrorListeners
  /** What the mirror lacks: the numbers of checkpoints by their names, in the order of their saves. */
  readonly #lacking = new Map<string, number>()
  /** Those whose upload has failed since the last checkpoint. They are not tried before the next one. */
  readonly #failed = new Set<string>()
  #hasUploaded = false
  /** Number of the last uploads that have failed. */
  #inARow = 0
  #uploading: Promise<void> | undefined
  /** The name of the checkpoint whose upload is under way. */
  #current: string | undefined
  #looking: Promise<void> | undefined
  /** Whether the mirror's checkpoints have been read. */
  #isKnown = false
  #largest = -1

  /** Copies from `from` to `store`, and keeps there what `keep` says. Makes no request yet. */
  constructor(
    from: CheckpointStore,
    store: CheckpointStore,
    keep: KeepPolicy,
    listeners: MirrorListeners,
  ) {
    this.#from = from
    this.checkpoints = new RunCheckpoints(store)
    this.#own = new OwnCheckpoints(this.checkpoints, keep, (kind, message) =>
      listeners.warnOnce(`mirror ${kind}`, message),
    )
    this.#listeners = listeners
  }

  /** The names of checkpoints that the mirror does not have yet. */
  get lacking(): readonly string[] {
    return [...this.#lacking.keys()]
  }

  /** Whether a file must stay in the folder because its upload is under way or waits. */
  holds(name: string): boolean {
    const waiting = this.lacking.filter((other) => !this.#failed.has(other))
    return name === this.#current || waiting.slice(-MOST_HELD).includes(name)
  }

  /** The largest number in the mirror, which the next save must exceed; -1 if it has none or cannot be read. */
  async largestSequence(): Promise<number> {
    this.#looking ??= this.#look()
    let timer: ReturnType<typeof setTimeout> | undefined
    const limit = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, LOOK_LIMIT)
    })
    await Promise.race([this.#looking, limit])
    clearTimeout(timer)
    return this.#largest
  }

  /** Uploads a checkpoint that is in place in the folder, and those that the mirror lacks. Does not wait. */
  add(name: string, sequence: number): void {
    // A step that is saved again takes a new place in the order.
    this.#lacking.delete(name)
    this.#lacking.set(name, sequence)
    this.#begin()
  }

  /** Must be called with the checkpoint that the run resumes from. Uploads it if the mirror lacks it. */
  hasResumed({ place, name, ...entry }: PlacedEntry): void {
    if (place === this.checkpoints || entry.kind !== 'checkpoint') return
    const { sequence } = entry.info
    if (sequence !== null && !this.checkpoints.hasRead(name, sequence)) this.add(name, sequence)
  }

  /** Resolves when no upload is under way. Never rejects. */
  async finished(): Promise<void> {
    await this.#uploading
  }

  /** Waits for uploads, and tries once more what has failed. Never rejects. */
  async close(): Promise<void> {
    await this.finished()
    this.#begin()
    await this.finished()
    // The last upload may have been of an older one, which was kept until the next.
    if (this.#hasUploaded) await this.#warnOfRemoval(() => this.#own.removeOld())
  }

  /** Uploads what the mirror lacks, including what has failed before. */
  #begin(): void {
    this.#failed.clear()
    this.#inARow = 0
    this.#uploading ??= this.#uploadAll()
  }

  async #look(): Promise<void> {
    try {
      this.#own.adopt(await this.checkpoints.read())
      await this.#learnNumbers()
    } catch (error) {
      const path = quote(this.checkpoints.store.path)
      this.#listeners.warnOnce(
        'mirror',
        `the mirror ${path} cannot be read, and older checkpoints there stay: ${messageOf(error)}`,
      )
    }
  }

  async #learnNumbers(): Promise<void> {
    const found = await this.checkpoints.largestSequence(new Set())
    this.#largest = Math.max(this.#largest, found)
    this.#isKnown = true
  }

  async #uploadAll(): Promise<void> {
    while (this.#inARow < FAILURES_IN_A_ROW) {
      const name = this.lacking.findLast((other) => !this.#failed.has(other))
      if (name === undefined) break
      const sequence = this.#lacking.get(name)!
      this.#current = name
      const isDone = await this.#upload(name, sequence)
      this.#current = undefined
      this.#inARow = isDone ? 0 : this.#inARow + 1
      // It may have been saved again meanwhile.
      if (this.#lacking.get(name) !== sequence) continue
      if (isDone) this.#lacking.delete(name)
      else this.#failed.add(name)
    }
    for (const name of this.#lacking.keys()) this.#failed.add(name)
    this.#uploading = undefined
  }

  /** Returns whether the mirror needs this checkpoint no more. */
  async #upload(name: string, sequence: number): Promise<boolean> {
    const { store } = this.checkpoints
    try {
      const file = await this.#from.stat(name)
      // No rule of the folder has kept it, or another process has removed it.
      if (file === undefined) return true
      const durability = await copyStored(this.#from, file, store)
      await this.#tidyUp(name, sequence, durability)
      return true
    } catch (error) {
      const isLocal = error instanceof UnreadableOriginError
      if (isLocal && isMissing(error.cause)) return true
      this.#listeners.warn(
        `the checkpoint ${quote(this.#from.locate(name))} was not copied to the mirror ${quote(store.path)}; ` +
          `it is tried again with the next one: ${messageOf(error)}`,
      )
      return false
    }
  }

  /** Removes what the mirror need not keep after an upload. A failure of that does not count as one of the upload. */
  async #tidyUp(name: string, sequence: number, durability: Durability): Promise<void> {
    this.#hasUploaded = true
    await this.#warnOfRemoval(async () => {
      await this.#looking
      if (!this.#isKnown) await this.#learnNumbers()
      await this.#own.hasSaved(name, sequence, durability)
    })
  }

  async #warnOfRemoval(remove: () => Promise<void>): Promise<void> {
    try {
      await remove()
    } catch (error) {
      this.#listeners.warnOnce(
        'mirror remove',
        `old checkpoints of the mirror could not be removed: ${messageOf(error)}`,
      )
    }
  }
}
