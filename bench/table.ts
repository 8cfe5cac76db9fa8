/** The result of a measurement: rows of figures, and goals. */

import { ratios, type Spread, spread } from './statistics.js'

export type Unit = 's' | 'ms' | 'MiB' | '%' | 'ns/byte' | 'µs/tensor'

export interface Row {
  readonly name: string
  /** In the table's unit, one for each round. */
  readonly values: readonly number[]
}

export interface Goal {
  /** A few words: what of ours, against what. */
  readonly name: string
  readonly figure: Spread
  readonly limit: number
  readonly sense: 'at least' | 'at most'
  /** `×` for ratios. */
  readonly unit: '×' | 's' | 'ms' | 'MiB' | '%'
  readonly reached: boolean
}

export interface Table {
  readonly id: string
  readonly title: string
  readonly unit: Unit
  /** The row that the others are compared with, if there is one. */
  readonly reference?: string
  readonly rows: readonly Row[]
  readonly goals: readonly Goal[]
  /** What a reader must know about the figures. */
  readonly notes: readonly string[]
  /** The missing contenders, and why. */
  readonly missing: readonly { readonly name: string; readonly reason: string }[]
}

/** A goal over the figures of several rounds; their median decides. */
export function goal(
  name: string,
  figures: readonly number[],
  sense: Goal['sense'],
  limit: number,
  unit: Goal['unit'] = '×',
): Goal {
  const figure = spread(figures)
  const reached = sense === 'at least' ? figure.median >= limit : figure.median <= limit
  return { name, figure, limit, sense, unit, reached }
}

/** The ratio of a row's time to the reference's, over the rounds; undefined for neither. */
export function againstReference(table: Table, row: Row): Spread | undefined {
  const reference = table.rows.find(({ name }) => name === table.reference)
  if (reference === undefined || reference === row) return undefined
  if (reference.values.length !== row.values.length) return undefined
  return spread(ratios(row.values, reference.values))
}

/** The first line of an error, without the parts that differ between machines. */
export function shortReason(reason: string): string {
  const line = reason.split('\n')[0]!.trim()
  return line.length > 200 ? `${line.slice(0, 199)}…` : line
}
