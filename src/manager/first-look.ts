/**
 * What the store holds when the run begins: earlier checkpoints of this run, or those of another run in the same place.
 * The manager looks once, at its first save, and does not wait for the answer where it can do without.
 */

import type { CheckpointEntry } from './checkpoint-entry.js'
import type { RunCheckpoints } from './run-checkpoints.js'

/** The first look at the store, and the newest step since. */
export class FirstLook {
  readonly #checkpoints: RunCheckpoints
  readonly #onLooked: (entries: readonly CheckpointEntry[]) => void
  readonly #warn: (message: string) => void
  #looking: Promise<void> | undefined
  #isEmpty: boolean | undefined
  /** The step of the newest checkpoint, or of the last saved one; -1 if there is none. */
  #newestStep = -1

  /** `onLooked` is called with what is there. */
  constructor(
    checkpoints: RunCheckpoints,
    onLooked: (entries: readonly CheckpointEntry[]) => void,
    warn: (message: string) => void,
  ) {
    this.#checkpoints = checkpoints
    this.#onLooked = onLooked
    this.#warn = warn
  }

  /** Whether there was no checkpoint at the start; undefined as long as that is not known. */
  get isEmpty(): boolean | undefined {
    return this.#isEmpty
  }

  /** Looks, if that has not begun. Resolves when it is done. Throws the store's error if it cannot be listed. */
  done(): Promise<void> {
    this.#looking ??= this.#look()
    return this.#looking
  }

  /** Must be called when a step is saved. Warns if a later one was saved before: the run went back, or was not resumed. */
  hasBegunToSave(step: number): void {
    if (step < this.#newestStep) {
      this.#warn(
        `step ${step} is saved after a later one, ${this.#newestStep}: a run that resumes continues ` +
          `from step ${step}, and \`keep\` counts the later steps as older`,
      )
    }
    this.#newestStep = step
  }

  async #look(): Promise<void> {
    const entries = await this.#checkpoints.read()
    this.#isEmpty = entries.length === 0
    this.#newestStep = entries.at(-1)?.step ?? -1
    this.#onLooked(entries)
  }
}
