/** The map of a file: its bytes from left to right and from top to bottom, coloured by what they are. */

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'
import { bytesText, nameText } from '../../ui/text.js'
import { useDark } from '../../ui/theme.js'
import { type ByteRange, rangeAt } from './ranges.js'

const LINES = 12
const LINE = 15
const SPACE = 3

interface MapProps {
  readonly ranges: readonly ByteRange[]
  readonly size: number
  readonly selected: number
  readonly onSelect: (i: number) => void
}

/** The map. The table below says the same in words. */
export function ByteMap({ ranges, size, selected, onSelect }: MapProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [width, setWidth] = useState(0)
  const [over, setOver] = useState(-1)
  const dark = useDark()
  const lines = Math.max(1, Math.min(LINES, Math.ceil(size / 64)))
  const height = lines * (LINE + SPACE)

  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => setWidth(Math.round(entry!.contentRect.width)))
    observer.observe(canvas.current!)
    return () => observer.disconnect()
  }, [])
  useLayoutEffect(() => {
    if (width > 0) draw(canvas.current!, { ranges, size, selected, width, lines })
  }, [ranges, size, selected, width, lines, dark])

  const at = (event: MouseEvent): number => {
    const rect = canvas.current!.getBoundingClientRect()
    const line = Math.min(lines - 1, Math.floor((event.clientY - rect.top) / (LINE + SPACE)))
    const part = Math.max(0, Math.min(0.99999, (event.clientX - rect.left) / rect.width))
    return rangeAt(ranges, Math.floor(((line + part) / lines) * size))
  }
  const shown = ranges[over] ?? ranges[selected]
  return (
    <figure class="map">
      <canvas
        ref={canvas}
        role="img"
        aria-label={`Map of ${bytesText(size)} in ${ranges.length} ranges, which the table lists`}
        style={{ height: `${height}px` }}
        onPointerMove={(event) => setOver(at(event))}
        onPointerLeave={() => setOver(-1)}
        onClick={(event) => onSelect(at(event))}
      />
      <figcaption>
        <span class="legend">
          {LEGEND.filter(([kind]) => ranges.some((range) => range.kind === kind)).map(
            ([kind, text]) => (
              <span key={kind} class="sample">
                <span class={`range-${kind}`} />
                {text}
              </span>
            ),
          )}
          {ranges.some(({ damage }) => damage !== undefined) && (
            <span class="sample">
              <span class="range-damage" />
              damaged
            </span>
          )}
        </span>
        <span class="note map-says">
          {shown && `${nameText(shown.name)} · ${bytesText(shown.end - shown.start)}`}
        </span>
      </figcaption>
    </figure>
  )
}

const LEGEND: readonly (readonly [ByteRange['kind'], string])[] = [
  ['metadata', 'metadata'],
  ['model', 'model'],
  ['optimizer', 'optimizer'],
  ['other', 'other states'],
  ['gap', 'alignment'],
  ['unknown', 'unknown'],
]

interface Drawing {
  readonly ranges: readonly ByteRange[]
  readonly size: number
  readonly selected: number
  readonly width: number
  readonly lines: number
}

function draw(canvas: HTMLCanvasElement, { ranges, size, selected, width, lines }: Drawing): void {
  const ratio = devicePixelRatio
  canvas.width = width * ratio
  canvas.height = lines * (LINE + SPACE) * ratio
  const context = canvas.getContext('2d')
  if (context === null || size === 0) return
  context.scale(ratio, ratio)
  const style = getComputedStyle(canvas)
  const colours = new Map<string, string>()
  const colour = (name: string): string => {
    let value = colours.get(name)
    if (value === undefined) {
      value = style.getPropertyValue(name).trim()
      colours.set(name, value)
    }
    return value
  }
  const perLine = size / lines
  /** Fills the bytes of a range, line by line, at least `least` pixels wide. */
  const fill = (start: number, end: number, least: number): void => {
    for (let line = Math.floor(start / perLine); line < lines && line * perLine < end; line++) {
      const from = Math.max(0, (start - line * perLine) / perLine) * width
      const to = Math.min(1, (end - line * perLine) / perLine) * width
      context.fillRect(
        Math.min(from, width - least),
        line * (LINE + SPACE),
        Math.max(least, to - from),
        LINE,
      )
    }
  }
  let parity = 0
  let drawnTo = -1
  for (const { kind, start, end } of ranges) {
    // What is narrower than a fraction of a pixel is drawn with what lies around it.
    const isNarrow = ((end - start) / perLine) * width < 0.2
    if (isNarrow && ((end - drawnTo) / perLine) * width < 0.5) continue
    drawnTo = end
    if (kind !== 'gap') parity ^= 1
    context.globalAlpha = parity === 0 && kind !== 'gap' ? 0.72 : 1
    context.fillStyle = colour(`--range-${kind}`)
    fill(start, end, 0)
  }
  context.globalAlpha = 1
  context.fillStyle = colour('--bad')
  for (const { damage, start, end } of ranges) if (damage !== undefined) fill(start, end, 3)
  const chosen = ranges[selected]
  if (chosen === undefined) return
  context.fillStyle = colour('--ink')
  for (const edge of [chosen.start, chosen.end]) {
    const line = Math.min(lines - 1, Math.floor(edge / perLine))
    const x = ((edge - line * perLine) / perLine) * width
    context.fillRect(
      Math.min(width - 2, Math.max(0, x - 1)),
      line * (LINE + SPACE) - 1,
      2,
      LINE + 2,
    )
  }
}
