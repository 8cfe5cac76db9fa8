/** A place in the picture of a run, and where the keys lead from it. */

/** A cell of the picture. */
export interface Place {
  readonly row: number
  readonly interval: number
}

/** Where an arrow key leads, or undefined for another key. */
export function moved(
  from: Place,
  key: string,
  rows: number,
  intervals: number,
): Place | undefined {
  const { row, interval } = from
  const to = {
    ArrowUp: { row: row - 1, interval },
    ArrowDown: { row: row + 1, interval },
    ArrowLeft: { row, interval: interval - 1 },
    ArrowRight: { row, interval: interval + 1 },
    Home: { row, interval: 0 },
    End: { row, interval: intervals - 1 },
    PageUp: { row: 0, interval },
    PageDown: { row: rows - 1, interval },
  }[key]
  if (to === undefined) return undefined
  const within = (value: number, end: number): number => Math.max(0, Math.min(end - 1, value))
  return { row: within(to.row, rows), interval: within(to.interval, intervals) }
}
