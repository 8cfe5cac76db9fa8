/** The picture of a run: layers by intervals, each cell coloured by how far the layer moved. */

import { useLayoutEffect, useRef } from 'preact/hooks'
import { contextOf } from '../../plots/hooks.js'
import { cssOf, logPart, sequential } from '../../plots/ramp.js'
import { nameText } from '../../ui/text.js'
import type { Row } from './changes.js'
import { moved, type Place } from './place.js'

interface ChangeMapProps {
  readonly rows: readonly Row[]
  /** Powers of ten of the ends of the colours. */
  readonly domain: readonly [number, number]
  readonly isDark: boolean
  readonly width: number
  readonly gutter: number
  readonly place: Place | undefined
  /** What the place holds, in words. */
  readonly label: string
  readonly onPlace: (place: Place | undefined) => void
  readonly onOpen: (place: Place) => void
}

const TALLEST = 28
const LOWEST = 5
// Pixels that the picture may take before its rows become lower.
const HEIGHT = 540
const LABEL = 12

/** Pixels of a row. */
export function rowHeightOf(rows: number): number {
  return Math.max(LOWEST, Math.min(TALLEST, Math.floor(HEIGHT / Math.max(1, rows))))
}

/** Draws the cells, and takes the pointer and the arrow keys. */
export function ChangeMap(props: ChangeMapProps) {
  const { rows, domain, isDark, width, gutter, place, label, onPlace, onOpen } = props
  const canvas = useRef<HTMLCanvasElement>(null)
  const intervals = rows[0]?.cells.length ?? 0
  const rowHeight = rowHeightOf(rows.length)
  const height = rows.length * rowHeight
  // An interval lies between two checkpoints, which the lines above have in the middle of their columns.
  const column = (width - gutter) / (intervals + 1)
  const start = gutter + column / 2

  useLayoutEffect(() => {
    if (canvas.current === null || width === 0) return
    const context = contextOf(canvas.current, width, height)
    const style = getComputedStyle(canvas.current)
    const [ink, soft, raised, bad] = ['--ink', '--soft', '--raised', '--bad'].map((name) =>
      style.getPropertyValue(name),
    ) as [string, string, string, string]
    context.textBaseline = 'middle'
    context.font = `${Math.min(LABEL, rowHeight + 3)}px ${style.fontFamily}`
    const every = Math.max(1, Math.ceil((LABEL + 1) / rowHeight))
    const scale = canvas.current.width / width
    const gap = rowHeight >= 14 ? 1 : 0
    for (const [r, { name, cells }] of rows.entries()) {
      const top = r * rowHeight
      if (r % every === 0 && top + every * rowHeight <= height) {
        context.fillStyle = place?.row === r ? ink : soft
        context.fillText(
          fitted(context, nameText(name), gutter - 14),
          0,
          top + (every * rowHeight) / 2,
        )
      }
      for (const [i, cell] of cells.entries()) {
        const left = start + i * column
        const right = start + (i + 1) * column
        // On whole pixels of the screen, or seams would show between columns.
        const [from, to] = [Math.round(left * scale) / scale, Math.round(right * scale) / scale]
        const box = [from, top, Math.max(1 / scale, to - from), rowHeight - gap] as const
        if (cell.nonFinite > 0 || cell.failed > 0) {
          context.fillStyle = bad
          context.fillRect(...box)
          if (column >= 5 && rowHeight >= 7) drawCross(context, ...box, isDark)
        } else if (cell.known === 0) {
          context.fillStyle = raised
          context.globalAlpha = 0.5
          context.fillRect(...box)
          context.globalAlpha = 1
        } else if (cell.relative === 0) {
          context.fillStyle = raised
          context.fillRect(...box)
          context.fillStyle = soft
          context.globalAlpha = 0.45
          context.fillRect(from, top + Math.floor((rowHeight - gap) / 2), box[2], 1)
          context.globalAlpha = 1
        } else {
          context.fillStyle = cssOf(sequential(logPart(cell.relative, domain), isDark))
          context.fillRect(...box)
        }
      }
    }
  }, [rows, domain, isDark, width, gutter])

  const placeAt = (x: number, y: number): Place | undefined => {
    const interval = Math.floor((x - start) / column)
    const row = Math.floor(y / rowHeight)
    const isInside = interval >= 0 && interval < intervals && row >= 0 && row < rows.length
    return isInside ? { row, interval } : undefined
  }
  const move = (event: KeyboardEvent): void => {
    const from = place ?? { row: 0, interval: intervals - 1 }
    const to = moved(from, event.key, rows.length, intervals)
    if (event.key === 'Enter' && place !== undefined) onOpen(place)
    else if (event.key === 'Escape') onPlace(undefined)
    else if (to !== undefined) onPlace(place === undefined ? from : to)
    else return
    event.preventDefault()
  }
  return (
    <div
      class="change-map"
      tabIndex={0}
      role="application"
      aria-label={`Change of each layer between checkpoints. Arrow keys move, Enter opens the comparison. ${label}`}
      onKeyDown={move}
    >
      <canvas
        ref={canvas}
        onPointerMove={({ offsetX, offsetY }) => onPlace(placeAt(offsetX, offsetY))}
        onClick={({ offsetX, offsetY }) => {
          const clicked = placeAt(offsetX, offsetY)
          if (clicked !== undefined) onOpen(clicked)
        }}
      />
      {place !== undefined && (
        <div
          class="map-cursor"
          style={{
            left: `${start + place.interval * column}px`,
            top: `${place.row * rowHeight}px`,
            width: `${Math.max(3, column)}px`,
            height: `${rowHeight}px`,
          }}
        />
      )}
    </div>
  )
}

function drawCross(
  context: CanvasRenderingContext2D,
  left: number,
  top: number,
  width: number,
  height: number,
  isDark: boolean,
): void {
  const size = Math.min(width, height) / 2 - 1.5
  const [x, y] = [left + width / 2, top + height / 2]
  context.strokeStyle = isDark ? '#000' : '#fff'
  context.lineWidth = 1.2
  context.beginPath()
  context.moveTo(x - size, y - size)
  context.lineTo(x + size, y + size)
  context.moveTo(x + size, y - size)
  context.lineTo(x - size, y + size)
  context.stroke()
}

/** The end of a name says more than its beginning, so it is cut at the beginning. */
function fitted(context: CanvasRenderingContext2D, text: string, width: number): string {
  if (context.measureText(text).width <= width) return text
  let [low, high] = [0, text.length]
  while (low < high) {
    const middle = (low + high) >>> 1
    if (context.measureText(`…${text.slice(middle)}`).width > width) low = middle + 1
    else high = middle
  }
  return `…${text.slice(low)}`
}
