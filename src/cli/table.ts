/** Lines of cells in columns, fitted to a terminal's width where there is one. */

import { cutText, padText, textWidth } from './text-width.js'

export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** All text is printable. */
export interface Row {
  /** For the first columns; as many as there are columns, or fewer. */
  readonly cells: readonly string[]
  /** What stands behind them, and may run on as far as it likes. */
  readonly note?: string
}

// Cells between two columns.
const GAP = '  '

// The first column is not cut to less than this; a terminal that is narrower still has to wrap.
const LEAST = 16

// Columns are aligned up to this width, and one line that is longer stands out: the padding must not
// grow with the longest name times the number of lines. A name that is shorter is not cut where it
// would then look like another one.
const MOST = 160

/**
 * The table's lines, its titles first.
 *
 * With a `width` the first column, of names, is cut so that lines fit, though never so far that two
 * names of ordinary length look the same: then the terminal wraps. Without a width nothing is cut.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly Row[],
  width?: number,
): string[] {
  const widths = columns.map(({ title }) => textWidth(title))
  for (const { cells } of rows) {
    for (const [i, cell] of cells.entries()) {
      if (widths[i]! < MOST) widths[i] = Math.min(MOST, Math.max(widths[i]!, textWidth(cell)))
    }
  }
  if (width !== undefined) {
    const others = widths.slice(1).reduce((sum, each) => sum + GAP.length + each, 0)
    const names = rows.map(({ cells }) => cells[0]!)
    widths[0] = nameWidth(names, widths[0]!, Math.max(LEAST, width - others))
  }
  const titles: Row = { cells: columns.map(({ title }) => title) }
  return [titles, ...rows].map(({ cells, note }) => {
    const padded = cells.map((cell, i) => {
      const text = i === 0 && width !== undefined ? cutText(cell, widths[0]!) : cell
      return padText(text, widths[i]!, columns[i]!.align)
    })
    if (note !== undefined) padded.push(note)
    return padded.join(GAP).trimEnd()
  })
}

/** The least width from `room` on at which no two names look the same. */
function nameWidth(names: readonly string[], longest: number, room: number): number {
  if (longest <= room) return longest
  const distinct = new Set(names).size
  for (let width = room; width < Math.min(longest, MOST); width += 4) {
    if (new Set(names.map((name) => cutText(name, width))).size === distinct) return width
  }
  return longest
}
