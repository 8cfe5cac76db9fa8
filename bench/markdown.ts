/** Tables as Markdown, for the page and the terminal. */

import { type Spread, spread } from './statistics.js'
import { againstReference, type Goal, type Table, type Unit } from './table.js'

/** Two or three significant digits. */
export function figure(value: number): string {
  const size = Math.abs(value)
  if (!Number.isFinite(value)) return '–'
  if (size >= 100) return value.toFixed(0)
  if (size >= 10) return value.toFixed(1)
  if (size >= 0.1 || size === 0) return value.toFixed(2)
  return value.toPrecision(2)
}

function withRange({ median, min, max }: Spread, unit: string): string {
  return `${figure(median)}${unit} (${figure(min)} to ${figure(max)})`
}

function rowOf(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

function unitHeading(unit: Unit): string {
  return unit === 's' ? 'seconds' : unit
}

/** A table with its goals, its notes and the missing contenders. */
export function tableMarkdown(table: Table): string {
  const lines = [`### ${table.title}`, '']
  if (table.rows.length > 0) {
    const compared = table.reference !== undefined
    const heading = ['', `${unitHeading(table.unit)}: median (least to most)`]
    if (compared) heading.push(`ratio to ${table.reference}`)
    lines.push(rowOf(heading), rowOf(heading.map(() => '---')))
    for (const row of table.rows) {
      const cells = [row.name, withRange(spread(row.values), '')]
      if (compared) {
        const ratio = againstReference(table, row)
        cells.push(ratio === undefined ? '' : withRange(ratio, '×'))
      }
      lines.push(rowOf(cells))
    }
    lines.push('')
  }
  if (table.goals.length > 0) lines.push(goalsMarkdown(table.goals), '')
  for (const note of table.notes) lines.push(`- ${note}`)
  for (const { name, reason } of table.missing) lines.push(`- Left out: ${name}: ${reason}`)
  return lines.join('\n').trimEnd()
}

/** The goals, and whether they are reached. */
export function goalsMarkdown(goals: readonly Goal[]): string {
  const unit = (goal: Goal) => (goal.unit === '×' ? '×' : ` ${goal.unit}`)
  return [
    rowOf(['goal', 'figure', 'to be', 'reached']),
    rowOf(['---', '---', '---', '---']),
    ...goals.map((goal) =>
      rowOf([
        goal.name,
        withRange(goal.figure, unit(goal)),
        `${goal.sense} ${goal.limit}${unit(goal)}`,
        goal.reached ? 'yes' : '**no**',
      ]),
    ),
  ].join('\n')
}

const START = '<!-- figures: what stands from here on is written by `npm run bench` -->'
const END = '<!-- figures end -->'

/** Puts figures between the markers of a document. Throws an Error if it has none. */
export function replaceFigures(document: string, figures: string): string {
  const start = document.indexOf(START)
  const end = document.indexOf(END)
  if (start === -1 || end < start) throw new Error(`the document lacks "${START}" or "${END}"`)
  return `${document.slice(0, start + START.length)}\n\n${figures}\n\n${document.slice(end)}`
}
