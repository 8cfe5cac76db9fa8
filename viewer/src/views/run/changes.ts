/** How far each tensor of a run moves from one checkpoint to the next: what the picture of a run is drawn from. */

import type { Difference } from '../../../../src/diff/difference.js'
import { inOrder } from '../../../../src/manager/retention.js'
import {
  type FileFacts,
  sameContent,
  type TensorFacts,
  type ViewedFile,
} from '../../compute/facts.js'
import type { FilePair, Outcome, TensorPair } from '../../compute/jobs.js'

/** A file of a run that could be read. */
export interface RunFile {
  readonly file: ViewedFile
  readonly facts: FileFacts
}

/** The files in the order of their saves. Those that do not know their step are in the order of their names. */
export function ordered(files: readonly RunFile[]): RunFile[] {
  return inOrder(
    files.map((one) => ({ one, step: one.facts.step ?? 0, sequence: one.facts.sequence })),
  ).map(({ one }) => one)
}

/** What happened to a tensor between two checkpoints. */
export type Change =
  /** Not known yet. */
  | undefined
  | 'equal'
  /** One of the two does not have it, or has it in another shape. */
  | 'absent'
  /** It could not be read: damage. */
  | 'failed'
  | Difference

/** How finely rows are divided. */
export type Detail = 'blocks' | 'layers' | 'tensors'

/** The row of a tensor. A layer is a name without its last part; a block is a name up to its first number. */
export function rowOf(name: string, detail: Detail): string {
  if (detail === 'tensors') return name
  if (detail === 'blocks') {
    const block = /^.*?(?:^|[./_])\d+(?=[./_]|$)/.exec(name)
    if (block !== null) return block[0]
  }
  return name.replace(/[./][^./]*$/, '')
}

/** A row of the picture at one interval. */
export interface Cell {
  /**
   * ‖Δw‖/‖w‖ over the tensors of the row whose difference is known. 0 if all are equal; NaN if nothing is known;
   * Infinity if a tensor of zeros has moved.
   */
  readonly relative: number
  /** Whether all tensors are the same, bit for bit. */
  readonly isEqual: boolean
  /** Number of elements that became, or were, NaN or infinite. */
  readonly nonFinite: number
  /** Numbers of tensors. */
  readonly known: number
  readonly absent: number
  readonly failed: number
  readonly tensors: number
}

/** A row: the tensors of a layer, and what happened to them at each interval. */
export interface Row {
  readonly name: string
  readonly tensors: readonly string[]
  readonly cells: readonly Cell[]
  /** The norm at each checkpoint; NaN where it is not known. */
  readonly norms: readonly number[]
}

/** The changes of one state of a run. */
export class RunChanges {
  readonly files: readonly RunFile[]
  readonly state: string
  /** The names of all tensors, in the order of the files. */
  readonly names: readonly string[]
  readonly #tensors: readonly ReadonlyMap<string, TensorFacts>[]
  readonly #index = new Map<string, number>()
  readonly #changes: Change[][]
  readonly #norms: Float64Array[]

  constructor(files: readonly RunFile[], state: string) {
    this.files = files
    this.state = state
    this.#tensors = files.map(
      ({ facts }) =>
        new Map(
          facts.states
            .find(({ name }) => name === state)
            ?.tensors.map((tensor) => [tensor.name, tensor]),
        ),
    )
    for (const tensors of this.#tensors) {
      for (const name of tensors.keys()) {
        if (!this.#index.has(name)) this.#index.set(name, this.#index.size)
      }
    }
    this.names = [...this.#index.keys()]
    const intervals = Math.max(0, files.length - 1)
    this.#norms = this.names.map(() => new Float64Array(files.length).fill(Number.NaN))
    this.#changes = Array.from({ length: intervals }, (_, i) =>
      this.names.map((name): Change => {
        const [before, after] = [this.#tensors[i]!.get(name), this.#tensors[i + 1]!.get(name)]
        if (before === undefined || after === undefined) return 'absent'
        if (before.shape.join() !== after.shape.join()) return 'absent'
        return sameContent(before, after) ? 'equal' : undefined
      }),
    )
  }

  /** Number of intervals between checkpoints. */
  get intervals(): number {
    return this.#changes.length
  }

  /** The pairs of tensors that have to be compared, for each interval that has any. */
  pairs(): { readonly interval: number; readonly pair: FilePair }[] {
    return this.#changes.flatMap((changes, interval) => {
      const tensors = this.names.flatMap((name, k): TensorPair[] =>
        changes[k] === undefined
          ? [
              {
                before: this.#tensors[interval]!.get(name)!,
                after: this.#tensors[interval + 1]!.get(name)!,
              },
            ]
          : [],
      )
      const [before, after] = [this.files[interval]!.file, this.files[interval + 1]!.file]
      return tensors.length === 0 ? [] : [{ interval, pair: { before, after, tensors } }]
    })
  }

  /** Takes a result of a comparison. */
  set(interval: number, name: string, { value }: Outcome<Difference | null>): void {
    const k = this.#index.get(name)!
    this.#changes[interval]![k] = value === undefined ? 'failed' : value === null ? 'equal' : value
    if (value !== undefined && value !== null) this.#norms[k]![interval] = value.baseNorm
  }

  /** Takes the norm of a tensor at a checkpoint. */
  setNorm(checkpoint: number, name: string, norm: number): void {
    const k = this.#index.get(name)
    if (k !== undefined) this.#norms[k]![checkpoint] = norm
  }

  /** The tensors of a checkpoint whose norm is not known. */
  withoutNorm(checkpoint: number): TensorFacts[] {
    return [...(this.#tensors[checkpoint]?.values() ?? [])].filter(({ name }) =>
      Number.isNaN(this.#norms[this.#index.get(name)!]![checkpoint]),
    )
  }

  /** The rows, as far as their changes are known. */
  rows(detail: Detail): Row[] {
    this.#spreadNorms()
    const members = new Map<string, number[]>()
    for (const [k, name] of this.names.entries()) {
      const row = rowOf(name, detail)
      const there = members.get(row)
      if (there === undefined) members.set(row, [k])
      else there.push(k)
    }
    return Array.from(members, ([row, ks]) => ({
      // A layer of one tensor has the tensor's name.
      name: ks.length === 1 ? this.names[ks[0]!]! : row,
      tensors: ks.map((k) => this.names[k]!),
      cells: this.#changes.map((changes, i) => this.#cell(changes, i, ks)),
      norms: this.files.map((_, i) => {
        const there = ks.filter((k) => this.#tensors[i]!.has(this.names[k]!))
        return Math.sqrt(there.reduce((sum, k) => sum + this.#norms[k]![i]! ** 2, 0))
      }),
    }))
  }

  #cell(changes: readonly Change[], interval: number, ks: readonly number[]): Cell {
    let [known, equal, absent, failed, nonFinite, squares, base] = [0, 0, 0, 0, 0, 0, 0]
    for (const k of ks) {
      const change = changes[k]
      if (change === undefined) continue
      if (change === 'absent') absent++
      else if (change === 'failed') failed++
      else if (change === 'equal') {
        known++
        equal++
        const norm = this.#norms[k]![interval]!
        if (!Number.isNaN(norm)) base += norm ** 2
      } else {
        known++
        nonFinite += change.nonFinite
        squares += change.norm ** 2
        base += change.baseNorm ** 2
      }
    }
    const isEqual = known > 0 && equal === known && known + absent === ks.length
    const relative = known === 0 ? Number.NaN : squares === 0 ? 0 : Math.sqrt(squares / base)
    return { relative, isEqual, nonFinite, known, absent, failed, tensors: ks.length }
  }

  /** A tensor that stays the same keeps its norm. */
  #spreadNorms(): void {
    for (const [k, norms] of this.#norms.entries()) {
      for (let i = this.intervals - 1; i >= 0; i--) {
        if (this.#changes[i]![k] === 'equal' && Number.isNaN(norms[i])) norms[i] = norms[i + 1]!
      }
      for (let i = 0; i < this.intervals; i++) {
        if (this.#changes[i]![k] === 'equal' && Number.isNaN(norms[i + 1])) norms[i + 1] = norms[i]!
      }
    }
  }
}
