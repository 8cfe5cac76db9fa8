/** What is known of each open file so far, and the work that finds out more. It outlives the views. */

import type { FileFacts, TensorFacts, ViewedFile } from '../compute/facts.js'
import type { Damage, Outcome } from '../compute/jobs.js'
import type { TensorStatistics } from '../compute/statistics.js'
import { Watched } from '../ui/watched.js'
import { compute } from './computing.js'

/** What a file says of itself, or why it cannot be read. */
export type FactsState =
  | { readonly kind: 'reading' }
  | { readonly kind: 'read'; readonly facts: FileFacts }
  | { readonly kind: 'failed'; readonly code: string | undefined; readonly message: string }

/** The statistics of tensors, as far as they are known. */
export interface StatisticsState {
  readonly kind: 'idle' | 'reading' | 'done' | 'failed'
  readonly outcomes: ReadonlyMap<TensorFacts, Outcome<TensorStatistics>>
  /** In bytes of tensors. */
  readonly done: number
  readonly total: number
}

/** Whether the bytes match their checksums. */
export interface VerificationState {
  readonly kind: 'idle' | 'reading' | 'done' | 'failed'
  readonly done: number
  readonly total: number
  readonly damages: readonly Damage[]
  readonly problem?: string
}

/** All that is known of a file, and how to learn more. Each kind of work is done once. */
export class FileWork {
  readonly file: ViewedFile
  readonly facts = new Watched<FactsState>({ kind: 'reading' })
  readonly statistics = new Watched<StatisticsState>({
    kind: 'idle',
    outcomes: new Map(),
    done: 0,
    total: 0,
  })
  readonly verification = new Watched<VerificationState>({
    kind: 'idle',
    done: 0,
    total: 0,
    damages: [],
  })
  #facts: Promise<FileFacts | undefined> | undefined
  readonly #outcomes = new Map<TensorFacts, Outcome<TensorStatistics>>()

  constructor(file: ViewedFile) {
    this.file = file
  }

  /** Reads what the file says of itself; undefined if it cannot be read. */
  readFacts(): Promise<FileFacts | undefined> {
    this.#facts ??= this.#readFacts()
    return this.#facts
  }

  async #readFacts(): Promise<FileFacts | undefined> {
    let found: FileFacts | undefined
    const fail = (error: unknown): void => {
      const { code, message } = error as { code?: string; message: string }
      this.facts.set({ kind: 'failed', code, message })
    }
    try {
      await compute.facts(
        [this.file],
        (_, { value, error }) => {
          found = value
          if (value === undefined) fail(error)
          else this.facts.set({ kind: 'read', facts: value })
        },
        { priority: 2 },
      )
    } catch (error) {
      fail(error)
    }
    return found
  }

  /** Reads all tensors and computes their statistics. */
  async readStatistics(): Promise<void> {
    const facts = await this.readFacts()
    if (facts === undefined || this.statistics.value.kind !== 'idle') return
    const tensors = facts.states.flatMap((state) => state.tensors)
    const total = tensors.reduce((sum, { byteLength }) => sum + byteLength, 0)
    let done = 0
    const outcomes = this.#outcomes
    const state = (kind: StatisticsState['kind']): StatisticsState => ({
      kind,
      outcomes,
      done,
      total,
    })
    this.statistics.set(state('reading'))
    try {
      await compute.statistics(this.file, tensors, (tensor, outcome) => {
        outcomes.set(tensor, outcome)
        done += tensor.byteLength
        this.statistics.set(state('reading'), true)
      })
      this.statistics.set(state('done'))
    } catch {
      this.statistics.set(state('failed'))
    }
  }

  /** Computes the statistics of one tensor, if they are not known. */
  async readTensor(tensor: TensorFacts): Promise<void> {
    if (this.#outcomes.has(tensor)) return
    await compute
      .statistics(
        this.file,
        [tensor],
        (_, outcome) => {
          this.#outcomes.set(tensor, outcome)
          this.statistics.set({ ...this.statistics.value, outcomes: this.#outcomes })
        },
        { priority: 1 },
      )
      .catch(() => {})
  }

  /** Reads the whole file, and compares it with its checksums. */
  async verify(): Promise<void> {
    const facts = await this.readFacts()
    if (facts === undefined || this.verification.value.kind !== 'idle') return
    let state: VerificationState = { kind: 'reading', done: 0, total: 0, damages: [] }
    this.verification.set(state)
    try {
      await compute.faults(this.file, ({ fault, done, total }) => {
        state = fault
          ? { ...state, damages: [...state.damages, fault] }
          : { ...state, done: done!, total: total! }
        this.verification.set(state, true)
      })
      this.verification.set({ ...state, kind: 'done' })
    } catch (error) {
      this.verification.set({ ...state, kind: 'failed', problem: (error as Error).message })
    }
  }
}

const works = new Map<string, FileWork>()

/** The work on a file. */
export function workOn(file: ViewedFile): FileWork {
  let work = works.get(file.id)
  if (work === undefined) {
    work = new FileWork(file)
    works.set(file.id, work)
  }
  return work
}
