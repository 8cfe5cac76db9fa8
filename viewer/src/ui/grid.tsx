/**
 * A table that a tree is shown in. It scrolls with the page, and only the rows in sight are in the document, so a hundred
 * thousand of them scroll like ten.
 */

import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks'

/** A column. */
export interface Column {
  readonly id: string
  readonly title: string
  /** Width in CSS: a length, or a part of what is left. */
  readonly width: string
  readonly isNumber?: boolean
  /** Left out below this width of the window, in pixels. */
  readonly from?: number
  readonly canSort?: boolean
}

/** A row, as assistive technology hears of it. */
export interface RowFacts {
  /** From 1 for the outermost. */
  readonly level: number
  /** Undefined if it has nothing to unfold. */
  readonly isOpen: boolean | undefined
  readonly className?: string
  /** What its cells are made of. A row whose content stays the same is not drawn again; without any, it always is. */
  readonly content?: readonly unknown[]
}

interface GridProps {
  readonly label: string
  readonly columns: readonly Column[]
  readonly count: number
  readonly rowOf: (i: number) => RowFacts
  readonly cellOf: (i: number, column: Column) => ComponentChildren
  readonly sorted: { readonly id: string; readonly isDescending: boolean } | undefined
  readonly onSort: (id: string) => void
  readonly onFold: (i: number, open: boolean) => void
  readonly onOpen: (i: number) => void
  readonly empty: string
}

const ROW = 30

// Rows above and below what is in sight. A fast scroll shows them before the next drawing.
const AROUND = 15

// Rows of a printed table.
const PRINTED = 1000

/** The table. */
export function Grid(props: GridProps) {
  const { label, columns, count, rowOf, cellOf, sorted, onSort, onFold, onOpen, empty } = props
  const body = useRef<HTMLDivElement>(null)
  const [first, last] = useRowsInSight(body, count)
  const [selected, setSelected] = useState(0)
  const active = Math.min(selected, count - 1)
  const shown = useShownColumns(columns)
  const template = shown.map(({ width }) => width).join(' ')

  const select = (i: number): void => {
    const next = Math.max(0, Math.min(count - 1, i))
    setSelected(next)
    reveal(body.current, next)
  }
  const onKey = (event: KeyboardEvent): void => {
    const page = Math.max(1, Math.floor(innerHeight / ROW) - 4)
    const step = STEPS[event.key]
    if (event.ctrlKey || event.metaKey || event.altKey || count === 0) return
    if (step !== undefined) select(step === 'page' ? active + page : active + step)
    else if (event.key === 'PageUp') select(active - page)
    else if (event.key === 'Home') select(0)
    else if (event.key === 'End') select(count - 1)
    else if (event.key === 'Enter' || event.key === ' ') onOpen(active)
    else if (event.key === 'ArrowRight') {
      if (rowOf(active).isOpen === false) onFold(active, true)
      else select(active + 1)
    } else if (event.key === 'ArrowLeft') {
      if (rowOf(active).isOpen === true) onFold(active, false)
      else select(parentOf(active, rowOf))
    } else return
    event.preventDefault()
  }

  // The next drawing has the same objects for the rows that stay, which Preact then leaves alone.
  const drawn = useRef(new Map<number, DrawnRow>())
  const kept = new Map<number, DrawnRow>()
  const rows: ComponentChildren[] = []
  for (let i = first; i < last; i++) {
    const { level, isOpen, className = '', content } = rowOf(i)
    const key = content && [template, i === active, level, isOpen, className, ...content]
    const before = drawn.current.get(i)
    if (key !== undefined && before !== undefined && isSame(key, before.key)) {
      kept.set(i, before)
      rows.push(before.row)
      continue
    }
    const row = (
      <div
        key={i}
        id={`row-${i}`}
        role="row"
        tabIndex={-1}
        aria-rowindex={i + 2}
        aria-level={level}
        aria-expanded={isOpen}
        aria-selected={i === active}
        class={`grid-row ${className}`}
        style={{ gridTemplateColumns: template, top: `${i * ROW}px` }}
        onClick={(event) => {
          setSelected(i)
          if (!(event.target as Element).closest('a, button')) onOpen(i)
        }}
      >
        {shown.map((column) => (
          <div
            key={column.id}
            role="gridcell"
            class={`cell cell-${column.id}${column.isNumber ? ' number' : ''}`}
          >
            {cellOf(i, column)}
          </div>
        ))}
      </div>
    )
    if (key !== undefined) kept.set(i, { key, row })
    rows.push(row)
  }
  drawn.current = kept
  return (
    <div
      class="grid panel"
      role="treegrid"
      aria-label={label}
      aria-rowcount={count + 1}
      aria-colcount={shown.length}
      aria-activedescendant={count > 0 ? `row-${active}` : undefined}
      tabIndex={0}
      onKeyDown={onKey}
    >
      <div role="rowgroup" class="grid-head">
        <div
          role="row"
          aria-rowindex={1}
          class="grid-row"
          style={{ gridTemplateColumns: template }}
        >
          {shown.map(({ id, title, isNumber, canSort }) => (
            <div
              key={id}
              role="columnheader"
              aria-sort={
                sorted?.id === id ? (sorted.isDescending ? 'descending' : 'ascending') : undefined
              }
              class={`cell cell-${id}${isNumber ? ' number' : ''}`}
            >
              {canSort ? (
                <button type="button" class="sort" onClick={() => onSort(id)}>
                  {title}
                  <span aria-hidden="true" class="arrow">
                    {sorted?.id === id ? (sorted.isDescending ? '↓' : '↑') : ''}
                  </span>
                </button>
              ) : (
                title
              )}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={body} class="grid-body" style={{ '--rows': count }}>
        {rows}
        {count === 0 && (
          <div role="row" class="grid-row" style={{ gridTemplateColumns: '1fr' }}>
            <div role="gridcell" class="cell note">
              {empty}
            </div>
          </div>
        )}
      </div>
    </div>
  )
}

/** A row of the last drawing, and what it was made of. */
interface DrawnRow {
  readonly key: readonly unknown[]
  readonly row: ComponentChildren
}

function isSame(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i])
}

const STEPS: { readonly [key: string]: number | 'page' } = {
  ArrowDown: 1,
  ArrowUp: -1,
  PageDown: 'page',
}

/** The row that a row is in: the next one above it of a lower level. */
function parentOf(i: number, rowOf: (i: number) => RowFacts): number {
  const { level } = rowOf(i)
  for (let k = i - 1; k >= 0; k--) if (rowOf(k).level < level) return k
  return i
}

/** Scrolls the page until the row is in sight, below what stays at the top. */
function reveal(body: HTMLElement | null, row: number): void {
  if (body === null) return
  const top = body.getBoundingClientRect().top + row * ROW
  const above = 90
  if (top < above) scrollBy(0, top - above)
  else if (top + ROW > innerHeight - 8) scrollBy(0, top + ROW - innerHeight + 8)
}

/** The rows in sight and some around them, from the first up to the one before `last`. */
function useRowsInSight(
  body: { readonly current: HTMLElement | null },
  count: number,
): [first: number, last: number] {
  const [range, setRange] = useState<[number, number]>([0, 60])
  useLayoutEffect(() => {
    const update = (): void => {
      if (body.current === null) return
      const { top } = body.current.getBoundingClientRect()
      const first = Math.max(0, Math.floor(-top / ROW) - AROUND)
      const last = Math.ceil((innerHeight - top) / ROW) + AROUND
      // In steps, so that a slow scroll draws rarely.
      const next: [number, number] = [first - (first % 8), last + (8 - (last % 8))]
      setRange((now) => (now[0] === next[0] && now[1] === next[1] ? now : next))
    }
    const print = (): void => setRange([0, PRINTED])
    update()
    addEventListener('scroll', update, { passive: true })
    addEventListener('resize', update)
    addEventListener('beforeprint', print)
    addEventListener('afterprint', update)
    return () => {
      removeEventListener('scroll', update)
      removeEventListener('resize', update)
      removeEventListener('beforeprint', print)
      removeEventListener('afterprint', update)
    }
  }, [body, count])
  return [Math.min(range[0], count), Math.min(range[1], count)]
}

/** The columns that the window has room for. */
function useShownColumns(columns: readonly Column[]): readonly Column[] {
  const [width, setWidth] = useState(innerWidth)
  useEffect(() => {
    const read = () => setWidth(innerWidth)
    addEventListener('resize', read)
    return () => removeEventListener('resize', read)
  }, [])
  return columns.filter(({ from = 0 }) => width >= from)
}
