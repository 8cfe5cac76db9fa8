/** A save that goes on in the background, and who is told when it fails. */

import type { SaveReport } from '../write.js'

/** A save that goes on in the background. */
export interface BackgroundSave {
  /** The state has been copied: it may change again. Rejects where the save failed before. */
  readonly staged: Promise<void>
  /**
   * The checkpoint is in place and survives a power cut. Rejects like `saveCheckpoint`. Where nobody
   * handles that, it is an unhandled rejection, which ends the process: a save that failed is never
   * silent. (A failure before `staged` is that of `staged`, for whoever has asked for it.)
   */
  readonly durable: Promise<SaveReport>
}

/** A save under way, as the one who carries it out has it. */
export class RunningSave implements BackgroundSave {
  readonly durable: Promise<SaveReport>
  /** Has a handler of ours, so it is silent; what is handed out follows from it, and is not. */
  readonly #staged: Promise<void>
  #handedOut: Promise<void> | undefined
  #isStaged = false
  #resolveStaged: () => void = () => {}
  #rejectStaged: (error: unknown) => void = () => {}
  #resolveDurable: (report: SaveReport) => void = () => {}
  #rejectDurable: (error: unknown) => void = () => {}

  constructor() {
    this.#staged = new Promise((resolve, reject) => {
      this.#resolveStaged = resolve
      this.#rejectStaged = reject
    })
    this.#staged.catch(() => {})
    this.durable = new Promise((resolve, reject) => {
      this.#resolveDurable = resolve
      this.#rejectDurable = reject
    })
  }

  get staged(): Promise<void> {
    this.#handedOut ??= this.#staged.then()
    return this.#handedOut
  }

  hasStaged(): void {
    this.#isStaged = true
    this.#resolveStaged()
  }

  succeed(report: SaveReport): void {
    this.#resolveDurable(report)
  }

  fail(error: unknown): void {
    // One failure, told once: not a second time to those who await `staged` before `durable`.
    if (!this.#isStaged && this.#handedOut !== undefined) this.durable.catch(() => {})
    this.#rejectStaged(error)
    this.#rejectDurable(error)
  }
}
