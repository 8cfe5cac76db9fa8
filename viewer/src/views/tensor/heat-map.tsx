/** The heat map of a tensor, with its axes, its zoom, and a cell that the pointer or the keys choose. */

import { useEffect, useLayoutEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { TensorFacts, ViewedFile } from '../../compute/facts.js'
import { sizeBelow } from '../../compute/histogram.js'
import type { Picture, Region } from '../../compute/picture.js'
import type { TensorStatistics } from '../../compute/statistics.js'
import { compute } from '../../page/computing.js'
import { countText, numberText } from '../../ui/text.js'
import { useDark } from '../../ui/theme.js'
import { cssOf, PALETTES, paint } from './colours.js'
import { firstSlice, indexText, moved, planeOf, type Slice, wholeOf, zoomed } from './plane.js'

const LOWEST = 96
const HIGHEST = 460

// Milliseconds that a region waits for the next one.
const CALM = 40

interface HeatMapProps {
  readonly file: ViewedFile
  readonly tensor: TensorFacts
  readonly statistics: TensorStatistics | undefined
}

interface Point {
  readonly x: number
  readonly y: number
}

/** The heat map. */
export function HeatMap({ file, tensor, statistics }: HeatMapProps) {
  const { shape } = tensor
  const [slice, setSlice] = useState<Slice>(() => firstSlice(shape))
  const plane = useMemo(() => planeOf(shape, slice), [shape, slice])
  const [region, setRegion] = useState<Region>(() => wholeOf(plane))
  const [picture, setPicture] = useState<Picture | undefined>(undefined)
  const [problem, setProblem] = useState<string | undefined>(undefined)
  const [cell, setCell] = useState<Point | undefined>(undefined)
  const canvas = useRef<HTMLCanvasElement>(null)
  const box = useRef<HTMLDivElement>(null)
  const [width, setWidth] = useState(0)
  const dark = useDark()
  const palette = dark ? PALETTES.dark : PALETTES.light
  const height = Math.round(
    Math.max(LOWEST, Math.min(HIGHEST, (width * region.rows) / Math.max(1, region.columns))),
  )

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)))
    observer.observe(box.current!)
    return () => observer.disconnect()
  }, [])

  useEffect(() => {
    if (width === 0) return
    const controller = new AbortController()
    const timer = setTimeout(async () => {
      try {
        const request = { plane, region, width, height }
        const { signal } = controller
        setPicture(await compute.picture(file, tensor, request, { signal, priority: 3 }))
        setProblem(undefined)
      } catch (error) {
        if (!controller.signal.aborted) setProblem((error as Error).message)
      }
    }, CALM)
    return () => {
      clearTimeout(timer)
      controller.abort()
    }
  }, [file, tensor, plane, region, width, height])

  const scale = useMemo(() => scaleOf(statistics, picture), [statistics, picture])
  useLayoutEffect(() => {
    const context = canvas.current?.getContext('2d')
    if (!context || picture === undefined || picture.width === 0 || picture.height === 0) return
    const image = new ImageData(picture.width, picture.height)
    paint(picture.values, picture.isSet, scale, palette, image.data)
    context.canvas.width = picture.width
    context.canvas.height = picture.height
    context.putImageData(image, 0, 0)
  }, [picture, scale, palette])

  const show = (next: Region): void => {
    setRegion(next)
    setCell(undefined)
  }
  const choose = (next: Slice): void => {
    setSlice(next)
    setRegion(wholeOf(planeOf(shape, next)))
    setCell(undefined)
  }
  const pointOf = (event: MouseEvent): Point => {
    const rect = canvas.current!.getBoundingClientRect()
    return {
      x: Math.max(0, Math.min(0.9999, (event.clientX - rect.left) / rect.width)),
      y: Math.max(0, Math.min(0.9999, (event.clientY - rect.top) / rect.height)),
    }
  }
  const cellAt = ({ x, y }: Point): Point | undefined =>
    picture && { x: Math.floor(x * picture.width), y: Math.floor(y * picture.height) }
  const onKey = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey || picture === undefined) return
    const step = ARROWS[event.key]
    if (step !== undefined) {
      const { x, y } = cell ?? { x: -step[0], y: -step[1] }
      setCell({
        x: Math.max(0, Math.min(picture.width - 1, x + step[0])),
        y: Math.max(0, Math.min(picture.height - 1, y + step[1])),
      })
    } else if (event.key === '+' || event.key === '=') {
      const at = cell && { x: (cell.x + 0.5) / picture.width, y: (cell.y + 0.5) / picture.height }
      show(zoomed(plane, region, 0.5, at?.x, at?.y))
    } else if (event.key === '-') show(zoomed(plane, region, 2))
    else if (event.key === '0') show(wholeOf(plane))
    else return
    event.preventDefault()
  }
  const drag = useDrag(
    (from, to) => {
      const rect = canvas.current!.getBoundingClientRect()
      setRegion(
        moved(plane, {
          ...from,
          column: from.column - (to.x / rect.width) * from.columns,
          row: from.row - (to.y / rect.height) * from.rows,
        }),
      )
    },
    () => region,
  )
  const isWhole = region.rows === plane.rows && region.columns === plane.columns
  if (plane.rows === 0 || plane.columns === 0) return <p class="note">It has no elements.</p>
  return (
    <div class="heat">
      <div class="tools">
        {shape.length > 2 && <Axes shape={shape} slice={slice} onChange={choose} />}
        <span class="buttons">
          <button
            type="button"
            onClick={() => show(zoomed(plane, region, 0.5))}
            aria-label="Zoom in"
          >
            +
          </button>
          <button
            type="button"
            disabled={isWhole}
            onClick={() => show(zoomed(plane, region, 2))}
            aria-label="Zoom out"
          >
            −
          </button>
          <button type="button" disabled={isWhole} onClick={() => show(wholeOf(plane))}>
            Whole
          </button>
          {shape.length === 2 && (
            <button
              type="button"
              onClick={() =>
                choose({ ...slice, rowAxis: slice.columnAxis, columnAxis: slice.rowAxis })
              }
            >
              Transpose
            </button>
          )}
        </span>
        <Legend scale={scale} palette={palette} statistics={statistics} />
      </div>
      <div ref={box} class="heat-box">
        <canvas
          ref={canvas}
          role="img"
          aria-label={`Heat map of ${countText(plane.rows)} by ${countText(plane.columns)} elements. Arrow keys choose a cell, plus and minus zoom.`}
          tabIndex={0}
          style={{ height: `${height}px` }}
          onKeyDown={onKey}
          onPointerMove={(event) => setCell(cellAt(pointOf(event)))}
          onPointerLeave={() => setCell(undefined)}
          onPointerDown={drag}
          onDblClick={(event) => {
            const { x, y } = pointOf(event)
            show(zoomed(plane, region, 0.5, x, y))
          }}
          onWheel={(event) => {
            // A wheel alone scrolls the page.
            if (!event.ctrlKey && !event.metaKey) return
            event.preventDefault()
            const { x, y } = pointOf(event)
            show(zoomed(plane, region, event.deltaY > 0 ? 1.25 : 0.8, x, y))
          }}
        />
        {cell !== undefined && picture !== undefined && (
          <div
            class="heat-cell"
            style={{
              left: `${(100 * cell.x) / picture.width}%`,
              top: `${((100 * cell.y) / picture.height).toFixed(3)}%`,
              width: `${100 / picture.width}%`,
              height: `${100 / picture.height}%`,
            }}
          />
        )}
      </div>
      <p class="note heat-says" role="status">
        {problem ?? sayingOf(shape, slice, region, picture, cell)}
      </p>
    </div>
  )
}

const ARROWS: { readonly [key: string]: readonly [x: number, y: number] } = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
}

/** What the ends of the colours stand for: almost all elements are within. */
function scaleOf(statistics: TensorStatistics | undefined, picture: Picture | undefined): number {
  if (statistics !== undefined) {
    const size = sizeBelow(statistics.histogram, statistics.zeros, 0.997)
    if (size > 0)
      return Math.min(size, Math.max(Math.abs(statistics.min), Math.abs(statistics.max)))
  }
  let most = 0
  for (const value of picture?.values ?? []) {
    if (Number.isFinite(value)) most = Math.max(most, Math.abs(value))
  }
  return most
}

function sayingOf(
  shape: readonly number[],
  slice: Slice,
  region: Region,
  picture: Picture | undefined,
  cell: Point | undefined,
): string {
  if (picture === undefined) return 'Reading …'
  const { width, height, values, isSet, everyRow } = picture
  const [perRow, perColumn] = [region.rows / height, region.columns / width]
  if (cell === undefined || cell.x >= width || cell.y >= height) {
    const parts = [
      `rows ${countText(region.row)} to ${countText(region.row + region.rows - 1)}`,
      `columns ${countText(region.column)} to ${countText(region.column + region.columns - 1)}`,
      ...(perRow * perColumn > 1
        ? [`a cell shows the largest of ${countText(Math.round(perRow * perColumn))} elements`]
        : []),
      ...(everyRow > 1 ? [`one of ${countText(everyRow)} rows was read`] : []),
    ]
    return parts.join(' · ')
  }
  const at = cell.y * width + cell.x
  if (isSet[at] === 0) return 'no element'
  const [row, column] = [
    region.row + Math.floor(cell.y * perRow),
    region.column + Math.floor(cell.x * perColumn),
  ]
  const value = numberText(values[at]!)
  const index = indexText(shape, slice, row, column)
  if (perRow * perColumn <= 1) return `[${index}] = ${value}`
  return `around [${index}]: ${value}, the largest of ${countText(Math.ceil(perRow) * Math.ceil(perColumn))}`
}

/** Drags from where the pointer goes down until it goes up. */
function useDrag(
  onDrag: (from: Region, by: Point) => void,
  regionNow: () => Region,
): (event: PointerEvent) => void {
  return (event) => {
    // A finger scrolls the page.
    if (event.button !== 0 || event.pointerType === 'touch') return
    const from = regionNow()
    const { clientX, clientY } = event
    const move = (next: PointerEvent): void =>
      onDrag(from, { x: next.clientX - clientX, y: next.clientY - clientY })
    const end = (): void => {
      removeEventListener('pointermove', move)
      removeEventListener('pointerup', end)
    }
    addEventListener('pointermove', move)
    addEventListener('pointerup', end)
  }
}

interface AxesProps {
  readonly shape: readonly number[]
  readonly slice: Slice
  readonly onChange: (slice: Slice) => void
}

/** Which axes are rows and columns, and the index of each other one. */
function Axes({ shape, slice, onChange }: AxesProps) {
  const axes = shape.map((_, axis) => axis)
  const select = (key: 'rowAxis' | 'columnAxis', label: string) => (
    <label class="axis">
      {label}
      <select
        value={slice[key]}
        onChange={(event) => {
          const axis = Number(event.currentTarget.value)
          const other = key === 'rowAxis' ? 'columnAxis' : 'rowAxis'
          // The axis of the other direction changes places with it.
          const swapped = slice[other] === axis ? { [other]: slice[key] } : {}
          onChange({ ...slice, ...swapped, [key]: axis })
        }}
      >
        {axes.map((axis) => (
          <option key={axis} value={axis}>
            axis {axis} ({shape[axis]})
          </option>
        ))}
      </select>
    </label>
  )
  return (
    <>
      {select('rowAxis', 'Rows')}
      {select('columnAxis', 'Columns')}
      {axes
        .filter((axis) => axis !== slice.rowAxis && axis !== slice.columnAxis)
        .map((axis) => (
          <label key={axis} class="axis">
            Axis {axis}
            <input
              type="number"
              min={0}
              max={shape[axis]! - 1}
              value={slice.at[axis]}
              onInput={(event) => {
                const { value } = event.currentTarget
                const index = Math.max(0, Math.min(shape[axis]! - 1, Math.floor(Number(value))))
                if (value === '' || Number.isNaN(index)) return
                onChange({ ...slice, at: slice.at.map((old, i) => (i === axis ? index : old)) })
              }}
            />
          </label>
        ))}
    </>
  )
}

interface LegendProps {
  readonly scale: number
  readonly palette: (typeof PALETTES)['dark']
  readonly statistics: TensorStatistics | undefined
}

function Legend({ scale, palette, statistics }: LegendProps) {
  const { low, zero, high, nan, infinite } = palette
  const hasNegative = statistics === undefined || statistics.min < 0
  const colours = [...(hasNegative ? [low] : []), zero, high].map(cssOf)
  return (
    <span class="legend">
      <span>{hasNegative ? numberText(-scale) : '0'}</span>
      <span
        class="legend-bar"
        style={{ background: `linear-gradient(90deg, ${colours.join(',')})` }}
      />
      <span>{numberText(scale)}</span>
      {(statistics?.nan ?? 0) > 0 && <Swatch colour={cssOf(nan)} text="NaN" />}
      {(statistics?.infinite ?? 0) > 0 && <Swatch colour={cssOf(infinite)} text="∞" />}
    </span>
  )
}

function Swatch({ colour, text }: { readonly colour: string; readonly text: string }) {
  return (
    <span class="sample">
      <span style={{ background: colour }} />
      {text}
    </span>
  )
}
