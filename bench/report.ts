/** A whole run: the environment, and all tables. */

import { type Environment, environmentLine } from './environment.js'
import { goalsMarkdown, tableMarkdown } from './markdown.js'
import type { StateSize } from './state.js'
import type { Table } from './table.js'

/** The form of performance.json. Times are in each table's unit, one figure for each round. */
export interface Report {
  readonly environment: Environment
  readonly size: StateSize
  readonly rounds: number
  readonly full: boolean
  readonly tables: readonly Table[]
}

/** The goals alone, and everything. */
export function reportMarkdown(report: Report): { summary: string; whole: string } {
  const goals = report.tables.flatMap((table) => table.goals)
  const state = report.size === 'gpt2' ? 'GPT-2 small with AdamW' : 'a small transformer with AdamW'
  const measuredOn =
    `Measured on: ${environmentLine(report.environment)} State: ${state}, ` +
    `${report.rounds} rounds; medians, with the least and the most.`
  const summary = goals.length === 0 ? measuredOn : `${measuredOn}\n\n${goalsMarkdown(goals)}`
  const tables = report.tables.map(tableMarkdown).join('\n\n')
  return { summary, whole: `${summary}\n\n${tables}` }
}
