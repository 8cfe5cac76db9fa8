/** Which part of a tensor the pictures next to each other show, and how strong their colours are. */

import type { Picture, PictureRequest } from '../../compute/picture.js'

// Most cells of a picture in each direction.
const CELLS = 192

/** All of the last two axes, at the first place of the others. A vector is wrapped into rows. */
export function requestOf(shape: readonly number[]): PictureRequest {
  const length = shape.at(-1) ?? 1
  const isVector = shape.length < 2
  const columns = isVector ? Math.max(1, Math.ceil(Math.sqrt(length * 4))) : length
  const rows = isVector ? Math.ceil(length / columns) : shape.at(-2)!
  return {
    plane: { start: 0, rows, columns, rowStep: columns, columnStep: 1 },
    region: { row: 0, column: 0, rows, columns },
    width: CELLS,
    height: CELLS,
  }
}

/** The size that the strongest colour stands for: nearly the largest, so that one outlier does not hide the others. */
export function limitOf({ values }: Pick<Picture, 'values'>): number {
  const sizes = Float64Array.from(values, Math.abs).filter(Number.isFinite).sort()
  return sizes[Math.floor(0.995 * (sizes.length - 1))] || sizes.at(-1) || 0
}
