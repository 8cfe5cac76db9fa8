/** A line over the checkpoints of a run: loss, a metric, a norm. It shares its horizontal axis with the picture below. */

import { nameText } from '../ui/text.js'
import { digits } from './text.js'

interface LinePlotProps {
  readonly title: string
  /** One for each checkpoint; null where there is none. */
  readonly values: readonly (number | null)[]
  readonly width: number
  readonly height: number
  /** Pixels on the left for the labels. */
  readonly gutter: number
  /** The checkpoint that is pointed at. */
  readonly at: number | undefined
  readonly onPoint: (checkpoint: number | undefined) => void
}

const TOP = 8
const BOTTOM = 6

/** Draws finite values as a line; NaN and infinities are crosses at the top. */
export function LinePlot({ title, values, width, height, gutter, at, onPoint }: LinePlotProps) {
  const finite = values.filter((value) => value !== null && Number.isFinite(value)) as number[]
  const low = finite.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const high = finite.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const inner = width - gutter
  const x = (i: number): number => gutter + ((i + 0.5) / values.length) * inner
  const y = (value: number): number => {
    // Halved, because the range of two doubles may exceed a double.
    const part = high === low ? 0.5 : (value / 2 - low / 2) / (high / 2 - low / 2)
    return TOP + (1 - part) * (height - TOP - BOTTOM)
  }
  let path = ''
  let isDown = false
  const dots: number[] = []
  const crosses: number[] = []
  for (const [i, value] of values.entries()) {
    // A metric that is measured once an epoch is a line between its points.
    if (value === null) continue
    if (!Number.isFinite(value)) {
      crosses.push(i)
      isDown = false
      continue
    }
    if (i > 0 && values[i - 1] === null && (values[i + 1] ?? null) === null) dots.push(i)
    path += `${isDown ? 'L' : 'M'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`
    isDown = true
  }
  const shown = at === undefined ? undefined : values[at]
  const last = values.findLast((value) => value !== null)
  const summary =
    finite.length === 0
      ? 'no finite values'
      : `from ${digits(values.find((value) => value !== null)!)} to ${digits(last!)}, lowest ${digits(low)}, highest ${digits(high)}`
  return (
    <figure class="line-plot">
      <svg
        width={width}
        height={height}
        role="img"
        aria-label={`${title}: ${summary}${crosses.length > 0 ? `, ${crosses.length} times NaN or infinite` : ''}`}
        onPointerMove={({ offsetX }) => {
          const i = Math.floor(((offsetX - gutter) / inner) * values.length)
          onPoint(i >= 0 && i < values.length ? i : undefined)
        }}
        onPointerLeave={() => onPoint(undefined)}
      >
        <line class="rule" x1={gutter} x2={width} y1={height - 0.5} y2={height - 0.5} />
        {at !== undefined && <line class="cursor" x1={x(at)} x2={x(at)} y1={0} y2={height} />}
        <path class="line" d={path} />
        {dots.map((i) => (
          <circle key={i} class="dot" cx={x(i)} cy={y(values[i]!)} r={2.5} />
        ))}
        {crosses.map((i) => (
          <path key={i} class="cross" d={`M${x(i) - 3} ${TOP - 4}l6 6m0-6l-6 6`} />
        ))}
        {shown !== undefined && shown !== null && Number.isFinite(shown) && (
          <circle class="dot" cx={x(at!)} cy={y(shown)} r={3} />
        )}
      </svg>
      <figcaption style={{ width: `${gutter - 10}px` }}>
        <span class="plot-title" title={title}>
          {nameText(title)}
        </span>
        <span class="number">{digitsOf(shown ?? (at === undefined ? last : undefined))}</span>
        {finite.length > 0 && <span class="note number">{rangeText(low, high)}</span>}
      </figcaption>
    </figure>
  )
}

/** The ends of a range, with as many digits as tell them apart. */
function rangeText(low: number, high: number): string {
  const isClose = low !== high && digits(low) === digits(high)
  return isClose
    ? `${Number(low.toPrecision(6))} – ${Number(high.toPrecision(6))}`
    : `${digits(low)} – ${digits(high)}`
}

function digitsOf(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : digits(value)
}
