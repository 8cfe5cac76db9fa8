/**
 * Signals that end a process, as clusters and people send them: instead of dying at once, the run
 * finishes its step, saves, and then dies as the signal would have had it. Handlers of the user's own
 * are called as ever; where there are any, they and not we decide how the process ends.
 */

export class Preemption {
  readonly #signals: readonly NodeJS.Signals[]
  #received: NodeJS.Signals | undefined
  #listening = false

  constructor(signals: readonly NodeJS.Signals[]) {
    this.#signals = signals
    if (signals.length === 0) return
    this.#listening = true
    for (const signal of signals) process.on(signal, this.#receive)
  }

  /** The signal that has come, if one has. */
  get received(): NodeJS.Signals | undefined {
    return this.#received
  }

  /** Stops listening. Until then the process does not die of these signals. */
  close(): void {
    if (!this.#listening) return
    this.#listening = false
    for (const signal of this.#signals) process.off(signal, this.#receive)
  }

  /**
   * Stops listening and lets the signal that has come have its effect: the process dies of it, unless
   * somebody else listens.
   */
  yieldToSignal(): void {
    this.close()
    const signal = this.#received
    if (signal !== undefined && process.listenerCount(signal) === 0)
      process.kill(process.pid, signal)
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    this.#received = signal
  }
}
