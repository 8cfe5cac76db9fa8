/**
 * Signals that end a process, as clusters and people send them. The run finishes its step and saves, and then the
 * signal ends the process. The user's own listeners are called as usual. If there is one, it decides how the process
 * ends.
 *
 * One desk in each process receives the signals for all managers, and for all copies of this library. It knows which
 * managers still have to save, and ends the process when none has.
 */

import { constants } from 'node:os'
import { isMainThread } from 'node:worker_threads'
import { describe } from '../format/attributes.js'

// The process itself: the global of a sandbox (Jest's, a `node:vm` context) may be another object. Not imported: an
// import reads every property, which opens the standard input, and reads of it then no longer block.
const process = globalThis.process?.getBuiltinModule?.('node:process') ?? globalThis.process

/** Milliseconds within which a repeated signal counts as the same one: shells send two. */
const SAME_SIGNAL = 1000

/** Milliseconds that listeners which wait to be the last have for cleaning up. */
const TIDY_UP = 1000

/** What one manager still has to do after a signal. */
type Duty = 'none' | 'to save' | 'saving' | 'saved'

/** A manager, as the desk knows it. Two copies of the library share these fields: only add to them. */
interface Member {
  readonly signals: readonly NodeJS.Signals[]
  readonly tell: (message: string) => void
  /** Whether its `save` was ever called. A manager that never saves is not waited for. */
  isActive: boolean
  duty: Duty
  /** The first signal that it received. */
  received: NodeJS.Signals | undefined
}

/** A signal that has come and has not taken effect yet. */
interface Received {
  readonly signal: NodeJS.Signals
  /** Whether the user listened to it as well when it came. A `once` listener is removed when it is called. */
  readonly isHandled: boolean
  /** When this signal, or its repetition, was answered. */
  answered: number
  hasToldOfSave: boolean
}

class SignalDesk {
  readonly #members = new Set<Member>()
  readonly #listening = new Set<NodeJS.Signals>()
  #current: Received | undefined

  join(member: Member): void {
    this.#members.add(member)
    this.#listen()
  }

  /** Resolves when the member has left; never if a signal that it waited for ends the process. */
  async leave(member: Member): Promise<void> {
    await this.saved(member)
    this.#members.delete(member)
    this.#listen()
  }

  /**
   * Must be called with each call of `save`. Returns whether the member must save because of a signal. The promise
   * never resolves. It is returned if the member has already saved: managers that have not saved by now take no part in
   * this run, and the process ends.
   */
  called(member: Member): boolean | Promise<never> {
    member.isActive = true
    if (member.duty === 'none') return false
    if (member.duty === 'saved') return this.#end(this.#current!.signal)
    member.duty = 'saving'
    return true
  }

  /** The save has failed; the next one must take its place. */
  failed(member: Member): void {
    if (member.duty === 'saving') member.duty = 'to save'
  }

  /** Must be called when the member's checkpoint is durable, or will never be. Never resolves if the process ends. */
  async saved(member: Member): Promise<void> {
    const current = this.#current
    if (current === undefined || member.duty === 'none') return
    const isHandled = current.isHandled || this.#isHandled(current.signal)
    member.duty = isHandled ? 'none' : 'saved'
    const members = [...this.#members]
    const someoneIsActive = members.some(({ isActive }) => isActive)
    const isAwaited = ({ duty, isActive }: Member) =>
      duty === 'saving' || (duty === 'to save' && (isActive || !someoneIsActive))
    if (members.some(isAwaited)) return
    if (!isHandled) await this.#end(current.signal)
    // A signal that comes from now on is handled like the first.
    this.#current = undefined
    for (const other of members) other.duty = 'none'
  }

  readonly #receive = (signal: NodeJS.Signals): void => {
    const now = performance.now()
    const members = [...this.#members].filter(({ signals }) => signals.includes(signal))
    for (const member of members) {
      member.received ??= signal
      if (member.duty === 'none') member.duty = 'to save'
    }
    const isHandled = this.#isHandled(signal)
    const current = this.#current
    if (current === undefined) {
      this.#current = { signal, isHandled, answered: now, hasToldOfSave: false }
      if (!isHandled) {
        members[0]?.tell(
          `${signal}: the process ends when the next call of \`save\` has saved a checkpoint; ` +
            'a second signal, a second later or more, ends it at once',
        )
      }
      return
    }
    if (isHandled || now - current.answered < SAME_SIGNAL) return
    const saving = [...this.#members].find(({ duty }) => duty === 'saving')
    if (saving === undefined || current.hasToldOfSave) {
      void this.#end(signal)
      return
    }
    current.answered = now
    current.hasToldOfSave = true
    saving.tell(
      `${signal}: the checkpoint is being saved; one more signal ends the process without it`,
    )
  }

  /** Whether the user listens to a signal. */
  #isHandled(signal: NodeJS.Signals): boolean {
    return process
      .listeners(signal)
      .some((listener) => listener !== this.#receive && !waitsToBeLast(listener))
  }

  /** Listens to the signals that the members want, and to no others. */
  #listen(): void {
    const wanted = new Set([...this.#members].flatMap(({ signals }) => signals))
    for (const signal of wanted) {
      if (this.#listening.has(signal)) continue
      this.#listening.add(signal)
      // As the first listener: it must see the `once` listeners, which are removed as they are called.
      process.prependListener(signal, this.#receive)
    }
    for (const signal of this.#listening) {
      if (wanted.has(signal)) continue
      this.#listening.delete(signal)
      process.off(signal, this.#receive)
    }
  }

  /** Ends the process by the signal, after the listeners that wait to be the last. */
  async #end(signal: NodeJS.Signals): Promise<never> {
    this.#members.clear()
    this.#listen()
    const areOthers = process.listenerCount(signal) > 0
    // Without a listener, Node answers SIGUSR1 with a debugger.
    if (areOthers || signal !== 'SIGUSR1') {
      try {
        process.kill(process.pid, signal)
      } catch {
        // Not every signal can be sent on Windows.
      }
    }
    // The process may live on: as process 1 of a container, which no signal ends unless it listens, or because the
    // signal ends no process.
    const exit = () => process.exit(128 + constants.signals[signal])
    if (areOthers) setTimeout(exit, TIDY_UP)
    else exit()
    return new Promise(() => {})
  }
}

/**
 * Whether a listener leaves the end of the process to other listeners, if there are any. signal-exit, which many
 * packages include, adds such listeners: they look at the other listeners. One that handles the signal does not.
 */
function waitsToBeLast(listener: (...args: never[]) => unknown): boolean {
  return /\b(?:listeners|listenerCount)\s*\(/.test(Function.prototype.toString.call(listener))
}

/** The desk of this process, which the first copy of the library that needs one creates. */
function signalDesk(): SignalDesk {
  const key = Symbol.for('lightwatch-checkpoint: signals, version 1')
  const shared = process as unknown as { [key]?: SignalDesk }
  shared[key] ??= new SignalDesk()
  return shared[key]
}

/** The signals that end a manager's run. */
export class Preemption {
  readonly #member: Member
  readonly #desk: SignalDesk | undefined

  /**
   * Listens from now on, until `close`. `tell` gets a line about each signal that has no other listener. Throws a
   * TypeError if a name is not a signal or cannot be listened to, and in a worker thread.
   */
  constructor(signals: readonly string[], tell: (message: string) => void) {
    for (const signal of signals) {
      if (!Object.hasOwn(constants.signals, signal) || ['SIGKILL', 'SIGSTOP'].includes(signal)) {
        throw new TypeError(
          `preemption must name signals that can be listened to ('SIGTERM'), not ${
            typeof signal === 'string' ? JSON.stringify(signal) : describe(signal)
          }`,
        )
      }
    }
    if (signals.length > 0 && !isMainThread) {
      throw new TypeError(
        'preemption must be false in a worker thread: only the main thread receives signals. Listen ' +
          'there, post a message to this worker, and have it call `save` with `force: true`',
      )
    }
    const unique = [...new Set(signals)] as NodeJS.Signals[]
    this.#member = { signals: unique, tell, isActive: false, duty: 'none', received: undefined }
    if (unique.length === 0) return
    this.#desk = signalDesk()
    this.#desk.join(this.#member)
  }

  /** The first signal that has come; undefined if none has. */
  get received(): NodeJS.Signals | undefined {
    return this.#member.received
  }

  /**
   * Must be awaited in each call of `save`. Resolves to whether it must save because of a signal; never resolves if the
   * process ends.
   */
  called(): boolean | Promise<never> {
    return this.#desk?.called(this.#member) ?? false
  }

  /**
   * Must be awaited when the save that `called` asked for has ended. The signal then ends the process, and this never
   * resolves. It resolves if the save failed, if the user listens as well, or if another manager of the process has yet
   * to save.
   */
  async saved(isDurable: boolean): Promise<void> {
    if (isDurable) await this.#desk?.saved(this.#member)
    else this.#desk?.failed(this.#member)
  }

  /** Stops listening. A signal that has not taken effect yet does so now. */
  async close(): Promise<void> {
    await this.#desk?.leave(this.#member)
  }
}
