/** A run in one line for each layer. */

import type { Row } from './changes.js'

/** A layer over all intervals. */
export interface LayerSummary {
  readonly row: number
  readonly name: string
  readonly last: number
  readonly median: number
  readonly largest: number
  /** The interval of the largest change; -1 if there is none. */
  readonly at: number
  /** Numbers of intervals. */
  readonly unchanged: number
  readonly broken: number
  readonly norm: number
}

/** The summaries of rows. */
export function summariesOf(rows: readonly Row[]): LayerSummary[] {
  return rows.map(({ name, cells, norms }, row) => {
    const moves = cells.map(({ relative }) => relative)
    const finite = moves.filter(Number.isFinite)
    const largest = finite.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
    return {
      row,
      name,
      last: moves.at(-1) ?? Number.NaN,
      median: median(finite),
      largest: finite.length === 0 ? Number.NaN : largest,
      at: moves.indexOf(largest),
      unchanged: cells.filter(({ isEqual }) => isEqual).length,
      broken: cells.filter(({ nonFinite, failed }) => nonFinite + failed > 0).length,
      norm: norms.at(-1) ?? Number.NaN,
    }
  })
}

/** The median; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted.length === 0 ? Number.NaN : sorted[Math.floor((sorted.length - 1) / 2)]!
}
