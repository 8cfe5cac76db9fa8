/** What every implementation says of every file, and the table of it: rows files, columns implementations. */

import type { Case } from './cases.js'
import { difference, isRefusal, type Report, withoutBytes } from './report.js'
import { type Command, LastingReporter } from './reporter-process.js'

export interface Column {
  /** As the table calls it. */
  readonly name: string
  readonly command: Command
  /** Whether it leaves out the bytes of tensors. */
  readonly noBytes?: boolean
  /** Whether it judges the FlatBuffer alone, so that it may read what breaks other rules. */
  readonly flatbuffersOnly?: boolean
}

export interface Results {
  readonly columns: readonly string[]
  readonly rows: readonly Row[]
}

export interface Row {
  readonly name: string
  readonly cells: readonly Cell[]
}

/** What differs; undefined where nothing does, null where any answer will do. */
export type Cell = string | undefined | null

// Longest file that is handed to the verifier of FlatBuffers as a whole, in bytes.
const LONGEST_FLATBUFFER = 2 ** 28

// Paths that a reporter is given at once: enough to keep it busy, few enough to see it move.
const BATCH = 32

/** Asks every implementation about every file. */
export async function compare(
  columns: readonly Column[],
  cases: readonly Case[],
): Promise<Results> {
  const cells = await Promise.all(columns.map((column) => judge(column, cases)))
  return {
    columns: columns.map(({ name }) => name),
    rows: cases.map(({ name }, i) => ({ name, cells: cells.map((of) => of[i]) })),
  }
}

async function judge(column: Column, cases: readonly Case[]): Promise<Cell[]> {
  const reporter = new LastingReporter(column.command)
  const cells: Cell[] = cases.map(() => null)
  const asked = [...cases.entries()].filter(([, { expected }]) => isAsked(column, expected))
  for (let i = 0; i < asked.length; i += BATCH) {
    const batch = asked.slice(i, i + BATCH)
    const reports = await reporter.reports(batch.map(([, { path }]) => path))
    for (const [k, report] of reports.entries()) {
      const [row, { expected }] = batch[k]!
      cells[row] =
        report instanceof Error ? `no report: ${report.message}` : cellOf(column, expected, report)
    }
  }
  await reporter.close()
  return cells
}

/** Whether the answer matters. */
function isAsked({ flatbuffersOnly }: Column, expected: Report): boolean {
  if (!flatbuffersOnly) return true
  return !isRefusal(expected) && expected.file_length <= LONGEST_FLATBUFFER
}

function cellOf(column: Column, expected: Report, actual: Report): Cell {
  if (column.flatbuffersOnly) return isRefusal(actual) ? 'refused' : undefined
  return difference(column.noBytes ? withoutBytes(expected) : expected, actual)
}

/** How many cells of the table are not what they have to be. */
export function countDifferences({ rows }: Results): number {
  return rows.reduce((sum, { cells }) => sum + cells.filter(isDifferent).length, 0)
}

function isDifferent(cell: Cell): cell is string {
  return typeof cell === 'string'
}

/** The table, and below it each difference in full. */
export function table({ columns, rows }: Results): string {
  const first = Math.max(...rows.map(({ name }) => name.length))
  const line = (name: string, cells: readonly string[]): string =>
    [name.padEnd(first), ...cells.map((cell, i) => cell.padEnd(columns[i]!.length))]
      .join('  ')
      .trimEnd()
  const lines = [
    line('', columns),
    line(
      '',
      columns.map((name) => '─'.repeat(name.length)),
    ),
  ]
  for (const { name, cells } of rows) lines.push(line(name, cells.map(sign)))
  for (const { name, cells } of rows) {
    for (const [i, cell] of cells.entries()) {
      if (isDifferent(cell)) lines.push('', `✗ ${columns[i]}: ${name}`, `  ${cell}`)
    }
  }
  return `${lines.join('\n')}\n`
}

function sign(cell: Cell): string {
  if (cell === null) return '·'
  return isDifferent(cell) ? '✗' : '✓'
}
