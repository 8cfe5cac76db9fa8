/** Which elements of a tensor a heat map shows: two axes as rows and columns, and one index of each other one. */

import type { Plane, Region } from '../../compute/picture.js'

/** The choice of axes. Of a vector there is no choice: it is wrapped like text. */
export interface Slice {
  readonly rowAxis: number
  readonly columnAxis: number
  /** An index for every axis; those of the two axes do not count. */
  readonly at: readonly number[]
}

// A vector up to this long is one row.
const ONE_ROW = 64

/** The slice that is shown at first: the last two axes, the longer one across. */
export function firstSlice(shape: readonly number[]): Slice {
  const rank = shape.length
  const [row, column] = [Math.max(0, rank - 2), Math.max(0, rank - 1)]
  const isTall = rank >= 2 && shape[row]! > 1.5 * shape[column]!
  return {
    rowAxis: isTall ? column : row,
    columnAxis: isTall ? row : column,
    at: shape.map(() => 0),
  }
}

/** The elements of a slice. */
export function planeOf(shape: readonly number[], { rowAxis, columnAxis, at }: Slice): Plane {
  const size = shape.reduce((a, b) => a * b, 1)
  if (shape.length < 2) {
    const columns = size <= ONE_ROW ? size : 2 ** Math.ceil(Math.log2(Math.sqrt(2 * size)))
    const rows = columns === 0 ? 0 : Math.ceil(size / columns)
    return { start: 0, rows, columns, rowStep: columns, columnStep: 1 }
  }
  const steps = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
  let start = 0
  for (const [axis, step] of steps.entries()) {
    if (axis !== rowAxis && axis !== columnAxis) start += at[axis]! * step
  }
  return {
    start,
    rows: shape[rowAxis]!,
    columns: shape[columnAxis]!,
    rowStep: steps[rowAxis]!,
    columnStep: steps[columnAxis]!,
  }
}

/** The index of an element of a plane, for a person: `12, 345`. */
export function indexText(
  shape: readonly number[],
  slice: Slice,
  row: number,
  column: number,
): string {
  if (shape.length < 2) {
    const { columns } = planeOf(shape, slice)
    return shape.length === 0 ? '' : String(row * columns + column)
  }
  return shape
    .map((_, axis) =>
      axis === slice.rowAxis ? row : axis === slice.columnAxis ? column : slice.at[axis],
    )
    .join(', ')
}

/** All of a plane. */
export function wholeOf({ rows, columns }: Plane): Region {
  return { row: 0, column: 0, rows, columns }
}

// Fewest elements that a region shows in a direction.
const CLOSEST = 4

/** A region that is `factor` times as large, around a point of the old one that stays where it is (0 to 1). */
export function zoomed(
  { rows: allRows, columns: allColumns }: Plane,
  { row, column, rows, columns }: Region,
  factor: number,
  x = 0.5,
  y = 0.5,
): Region {
  const scaled = (length: number, all: number): number =>
    Math.max(Math.min(CLOSEST, all), Math.min(all, Math.round(length * factor)))
  const [nextRows, nextColumns] = [scaled(rows, allRows), scaled(columns, allColumns)]
  return moved(
    { rows: allRows, columns: allColumns },
    {
      row: row + y * rows - y * nextRows,
      column: column + x * columns - x * nextColumns,
      rows: nextRows,
      columns: nextColumns,
    },
  )
}

/** The region, moved to where it is inside the plane, and to whole elements. */
export function moved(plane: Pick<Plane, 'rows' | 'columns'>, region: Region): Region {
  const inside = (at: number, length: number, all: number): number =>
    Math.round(Math.max(0, Math.min(at, all - length)))
  return {
    ...region,
    row: inside(region.row, region.rows, plane.rows),
    column: inside(region.column, region.columns, plane.columns),
  }
}
