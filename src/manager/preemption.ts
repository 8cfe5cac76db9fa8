/**
 * Signals that end a process, as clusters and people send them: instead of dying at once, the run
 * finishes its step, saves, and then dies as the signal would have had it. Handlers of the user's own
 * are called as ever; where there are any, they and not we decide how the process ends.
 */

import { constants } from 'node:os'

/** The listeners of ours: they are not to be taken for handlers of the user's. */
const ours = new Set<NodeJS.SignalsListener>()

export class Preemption {
  readonly #signals: readonly NodeJS.Signals[]
  #received: NodeJS.Signals | undefined
  #pending: NodeJS.Signals | undefined

  /** Listens from now on. Throws a TypeError for what is no signal, or cannot be listened to. */
  constructor(signals: readonly string[]) {
    for (const signal of signals) {
      if (!Object.hasOwn(constants.signals, signal) || ['SIGKILL', 'SIGSTOP'].includes(signal)) {
        throw new TypeError(`preemption names ${String(signal)}, which is no signal to listen to`)
      }
    }
    this.#signals = [...new Set(signals)] as NodeJS.Signals[]
    if (signals.length === 0) return
    ours.add(this.#receive)
    for (const signal of this.#signals) process.on(signal, this.#receive)
  }

  /** The first signal that has come, if one has. */
  get received(): NodeJS.Signals | undefined {
    return this.#received
  }

  /** Whether a signal has come that has not had its effect. */
  get pending(): boolean {
    return this.#pending !== undefined
  }

  /**
   * To be called when all is saved: lets the signal that has come have its effect, if one has. The
   * process dies of it, unless the user listens as well: then that is for the user's handler to
   * decide, and a signal that comes after it is received like the first.
   *
   * Where there are several of these, the signal goes from one to the next, and the process dies when
   * the last of them is through.
   */
  yieldToSignal(): void {
    const signal = this.#pending
    this.#pending = undefined
    if (signal === undefined) return
    if (process.listeners(signal).some((listener) => !ours.has(listener))) return
    this.#stop()
    process.kill(process.pid, signal)
  }

  /** Stops listening. A signal that has come and had no effect yet has it now. */
  close(): void {
    this.yieldToSignal()
    this.#stop()
  }

  #stop(): void {
    ours.delete(this.#receive)
    for (const signal of this.#signals) process.off(signal, this.#receive)
  }

  // A second signal changes nothing: people and their shells send it twice, and a save that is under
  // way is worth its time. Whoever cannot wait has SIGKILL, which no checkpoint minds.
  readonly #receive = (signal: NodeJS.Signals): void => {
    this.#received ??= signal
    this.#pending ??= signal
  }
}
