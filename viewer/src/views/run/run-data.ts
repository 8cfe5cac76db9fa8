/** A run as it becomes known: the facts of its files, then the changes of the state that is looked at. */

import type { Compute } from '../../compute/compute.js'
import { contentKey } from '../../compute/facts.js'
import type { Session } from '../../open/session.js'
import { ordered, RunChanges, type RunFile } from './changes.js'

/** A file of the folder that is not part of the run. */
export interface Unread {
  readonly name: string
  readonly reason: string
}

// Most bytes that are read without being asked for: of files on this machine, and of others.
const LOCAL_LIMIT = 16e9
const REMOTE_LIMIT = 1e9

// Milliseconds between two looks at what has come in. Each draws the whole picture, while the processor compares.
const REFRESH = 500

/** What is known of a run. It calls its listener as it learns more. */
export class RunData {
  files: readonly RunFile[] = []
  unread: readonly Unread[] = []
  /** Whether all files have been opened. */
  isOpened = false
  /** Tensors compared so far, and in total, of the state that is looked at. */
  done = 0
  total = 0
  /** Bytes that a comparison would read, if it waits to be asked for. */
  waits: number | undefined
  /** Rises with every result. */
  version = 0
  /** Why work has ended early. */
  problem: string | undefined
  readonly #session: Session
  readonly #compute: Compute
  readonly #changes = new Map<string, RunChanges>()
  #listener: () => void = () => {}
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(session: Session, compute: Compute) {
    this.#session = session
    this.#compute = compute
  }

  /** Calls `listener` as more becomes known, but not more often than a person can see. */
  listen(listener: () => void): () => void {
    this.#listener = listener
    return () => {
      this.#listener = () => {}
    }
  }

  /** The names of the states, in the order of the files. */
  get states(): string[] {
    return [...new Set(this.files.flatMap(({ facts }) => facts.states.map(({ name }) => name)))]
  }

  /** The changes of a state. */
  changes(state: string): RunChanges {
    let changes = this.#changes.get(state)
    if (changes === undefined) {
      changes = new RunChanges(this.files, state)
      this.#changes.set(state, changes)
    }
    return changes
  }

  /** Opens all files, once. */
  async open(signal: AbortSignal): Promise<void> {
    if (this.isOpened) return
    const { files } = this.#session
    const found: (RunFile | undefined)[] = []
    const unread: (Unread | undefined)[] = []
    const take = (): void => {
      this.files = ordered(found.filter((file) => file !== undefined))
      this.unread = unread.filter((file) => file !== undefined)
    }
    await this.#attempt(signal, async () => {
      await this.#compute.facts(
        files,
        (i, { value, error }) => {
          if (error === undefined) found[i] = { file: files[i]!, facts: value! }
          else unread[i] = { name: files[i]!.name, reason: error.message }
          this.#refresh(take)
        },
        { signal },
      )
      take()
      this.isOpened = true
    })
  }

  /** Compares each file with the one before it. `asked`: however many bytes that takes. */
  async compare(state: string, asked: boolean, signal: AbortSignal): Promise<void> {
    const changes = this.changes(state)
    const wanted = changes.pairs()
    this.total = changes.names.length * changes.intervals
    this.done = this.total - wanted.reduce((sum, { pair }) => sum + pair.tensors.length, 0)
    const bytes = wanted.reduce(
      (sum, { pair }) => sum + pair.tensors.reduce((all, { after }) => all + after.byteLength, 0),
      0,
    )
    const limit = this.#session.isLocal ? LOCAL_LIMIT : REMOTE_LIMIT
    this.waits = bytes > limit && !asked ? bytes : undefined
    this.#refresh()
    if (this.waits !== undefined) return
    await this.#attempt(signal, async () => {
      await this.#compute.differences(
        wanted.map(({ pair }) => pair),
        ([i, k], outcome) => {
          const { interval, pair } = wanted[i]!
          changes.set(interval, pair.tensors[k]!.before.name, outcome)
          this.done++
          this.#refresh()
        },
        { signal },
      )
      // A difference has the norm of its first tensor. The last checkpoint is the first of none.
      const last = this.files.length - 1
      if (last < 0) return
      const norms = changes.withoutNorm(last).filter((tensor) => contentKey(tensor) !== null)
      await this.#compute.statistics(
        this.files[last]!.file,
        norms,
        ({ name }, { value }) => {
          if (value !== undefined) changes.setNorm(last, name, value.norm)
          this.#refresh()
        },
        { signal },
      )
    })
  }

  async #attempt(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
    this.problem = undefined
    try {
      await work()
    } catch (error) {
      if (signal.aborted) return
      this.problem = error instanceof Error ? error.message : String(error)
    }
    this.#refresh()
  }

  /** `before`: what is done once for all that has come in. */
  #refresh(before?: () => void): void {
    this.version++
    if (this.#timer !== undefined) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      if (!this.isOpened) before?.()
      this.#listener()
    }, REFRESH)
  }
}

const runs = new WeakMap<Session, RunData>()

/** The run of a session. It is kept, so that the way back from a comparison is short. */
export function runOf(session: Session, compute: Compute): RunData {
  let run = runs.get(session)
  if (run === undefined) {
    run = new RunData(session, compute)
    runs.set(session, run)
  }
  return run
}
