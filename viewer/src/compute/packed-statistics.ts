/**
 * The statistics of many tensors in columns, as a worker sends them: of a hundred thousand small tensors, the objects
 * would take longer than the sums.
 */

import type { PlainError } from '../../../src/threads/plain-error.js'
import { BINS, type Bins, type Histogram } from './histogram.js'
import type { Outcome, Part } from './jobs.js'
import type { TensorStatistics } from './statistics.js'

/** Results of a job, each of one tensor. */
export interface PackedStatistics {
  /** The indices of the tensors in the job. */
  readonly at: Uint32Array
  /** As many as FIGURES for each tensor; NaN for one that failed. */
  readonly figures: Float64Array
  /** Two for each tensor: how many bins are not empty, of negative and of positive elements. */
  readonly lengths: Uint32Array
  readonly bins: Uint32Array
  readonly counts: Float64Array
  /** By place in `at`. */
  readonly errors: readonly (readonly [place: number, error: PlainError])[]
}

const FIGURES = [
  'elements',
  'nan',
  'infinite',
  'zeros',
  'min',
  'max',
  'mean',
  'deviation',
  'norm',
] as const

/** Makes columns of parts of an answer. */
export function packStatistics(parts: readonly Part<TensorStatistics>[]): PackedStatistics {
  const figures = new Float64Array(parts.length * FIGURES.length).fill(Number.NaN)
  const lengths = new Uint32Array(2 * parts.length)
  const bins: number[] = []
  const counts: number[] = []
  const errors: [number, PlainError][] = []
  for (const [place, { outcome }] of parts.entries()) {
    if (outcome.error !== undefined) {
      errors.push([place, outcome.error])
      continue
    }
    const { value } = outcome
    for (const [i, name] of FIGURES.entries()) figures[place * FIGURES.length + i] = value[name]
    for (const [i, side] of [value.histogram.negative, value.histogram.positive].entries()) {
      const before = bins.length
      side.counts.forEach((count, k) => {
        if (count === 0) return
        bins.push(side.first + k)
        counts.push(count)
      })
      lengths[2 * place + i] = bins.length - before
    }
  }
  return {
    at: Uint32Array.from(parts, ({ at: [i] }) => i),
    figures,
    lengths,
    bins: Uint32Array.from(bins),
    counts: Float64Array.from(counts),
    errors,
  }
}

/** The parts that were packed. A histogram is made when it is looked at: of most tensors it never is. */
export function unpackStatistics(packed: PackedStatistics): Part<TensorStatistics>[] {
  const { at, figures, lengths } = packed
  const errors = new Map(packed.errors)
  let start = 0
  return Array.from(at, (i, place): Part<TensorStatistics> => {
    const from = start
    const middle = from + lengths[2 * place]!
    start = middle + lengths[2 * place + 1]!
    const end = start
    const error = errors.get(place)
    if (error !== undefined) return { at: [i], outcome: { error } }
    const figure = (k: number): number => figures[place * FIGURES.length + k]!
    const value: TensorStatistics = {
      elements: figure(0),
      nan: figure(1),
      infinite: figure(2),
      zeros: figure(3),
      min: figure(4),
      max: figure(5),
      mean: figure(6),
      deviation: figure(7),
      norm: figure(8),
      // Its own and enumerable, so that a copy for the browser's database has it.
      get histogram(): Histogram {
        return { negative: binsOf(packed, from, middle), positive: binsOf(packed, middle, end) }
      },
    }
    const outcome: Outcome<TensorStatistics> = { value }
    return { at: [i], outcome }
  })
}

const NONE: Bins = { first: BINS, counts: [] }

/** Those from `start` to `end` of the bins that are not empty, with the empty ones between them. */
function binsOf({ bins, counts }: PackedStatistics, start: number, end: number): Bins {
  if (start === end) return NONE
  const first = bins[start]!
  const all = new Array<number>(bins[end - 1]! + 1 - first).fill(0)
  for (let i = start; i < end; i++) all[bins[i]! - first] = counts[i]!
  return { first, counts: all }
}
