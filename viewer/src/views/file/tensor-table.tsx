/** The table of a file's tensors. */

import type { ComponentChildren } from 'preact'
import { useMemo, useRef, useState } from 'preact/hooks'
import type { FileFacts, TensorFacts } from '../../compute/facts.js'
import type { TensorStatistics } from '../../compute/statistics.js'
import { useHref } from '../../page/context.js'
import type { FileWork } from '../../page/file-work.js'
import { type Column, Grid } from '../../ui/grid.js'
import { Spark } from '../../ui/spark.js'
import { bytesText, countText, nameText, numberText, shapeText, thingsText } from '../../ui/text.js'
import { useWatched } from '../../ui/watched.js'
import { type Node, type Row, rowsOf, treeOf } from './rows.js'

const COLUMNS: readonly Column[] = [
  { id: 'name', title: 'Name', width: 'minmax(0, 1fr)', canSort: true },
  { id: 'dtype', title: 'Dtype', width: '5.6rem', from: 760 },
  { id: 'shape', title: 'Shape', width: '7.6rem', isNumber: true, from: 480 },
  { id: 'bytes', title: 'Bytes', width: '5.4rem', isNumber: true, canSort: true, from: 900 },
  { id: 'norm', title: 'Norm', width: '5.6rem', isNumber: true, canSort: true },
  { id: 'range', title: 'Range', width: '13.2rem', isNumber: true, from: 1360 },
  { id: 'bad', title: 'NaN, ∞', width: '5rem', isNumber: true, canSort: true, from: 600 },
  { id: 'spread', title: 'Values', width: '8.6rem', from: 340 },
]

interface Sorted {
  readonly id: string
  readonly isDescending: boolean
}

/** The table, with a filter above it. */
export function TensorTable({
  work,
  facts,
}: {
  readonly work: FileWork
  readonly facts: FileFacts
}) {
  const { outcomes } = useWatched(work.statistics)
  const href = useHref()
  const [filter, setFilter] = useState('')
  const [onlyBad, setOnlyBad] = useState(false)
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set())
  const [sorted, setSorted] = useState<Sorted | undefined>(undefined)
  const field = useRef<HTMLInputElement>(null)

  const tree = useMemo(() => treeOf(facts), [facts])
  const statisticsOf = (tensor: TensorFacts): TensorStatistics | undefined =>
    outcomes.get(tensor)?.value
  const badOf = (tensor: TensorFacts): number => {
    const { value, error } = outcomes.get(tensor) ?? {}
    return error === undefined ? (value?.nan ?? 0) + (value?.infinite ?? 0) : Infinity
  }
  // The rows depend on what is known only if that filters or sorts them.
  const dependsOnValues = onlyBad || (sorted !== undefined && sorted.id !== 'name')
  const rows = useMemo(() => {
    const words = filter.toLowerCase().split(/\s+/).filter(Boolean)
    const isShown =
      words.length === 0 && !onlyBad
        ? undefined
        : (tensor: TensorFacts): boolean => {
            if (onlyBad && badOf(tensor) === 0) return false
            const text = `${tensor.state} ${tensor.name} ${tensor.dtype}`.toLowerCase()
            return words.every((word) => text.includes(word))
          }
    return rowsOf(tree, { folded, isShown, compare: comparison(sorted, statisticsOf, badOf) })
  }, [tree, folded, filter, onlyBad, sorted, dependsOnValues ? outcomes.size : 0])

  const sort = (id: string): void =>
    setSorted((now) => {
      // Numbers begin with the largest. The third time the tree is back.
      const first = id !== 'name'
      if (now?.id !== id) return { id, isDescending: first }
      return now.isDescending === first ? { id, isDescending: !first } : undefined
    })
  const fold = (i: number, open: boolean): void => {
    const { key } = rows[i]!.node
    setFolded((now) => {
      const next = new Set(now)
      if (open) next.delete(key)
      else next.add(key)
      return next
    })
  }
  const hrefTo = ({ state, name }: TensorFacts): string =>
    href({ kind: 'tensor', file: work.file.name, state, tensor: name })
  const open = (i: number): void => {
    const row = rows[i]
    if (row?.node.kind === 'group') fold(i, !row.isOpen)
    else if (row !== undefined) location.hash = hrefTo(row.node.tensor)
  }
  const found = rows.reduce((sum, { node }) => sum + (node.kind === 'tensor' ? 1 : 0), 0)
  return (
    <section class="tensors" aria-label="Tensors">
      <div class="tools">
        <label class="hidden" for="filter">
          Filter tensors
        </label>
        <input
          id="filter"
          ref={field}
          type="search"
          placeholder="Filter by name, state or dtype"
          aria-keyshortcuts="/"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Escape') setFilter('')
          }}
        />
        <label class="toggle">
          <input
            type="checkbox"
            checked={onlyBad}
            onChange={(event) => setOnlyBad(event.currentTarget.checked)}
          />
          Only NaN, ∞ or damaged
        </label>
        <span class="note" role="status">
          {thingsText(found, 'tensor')}
        </span>
      </div>
      <Grid
        label="Tensors of the file"
        columns={COLUMNS}
        count={rows.length}
        rowOf={(i) => rowFacts(rows[i]!, outcomeOf(rows[i]!.node, outcomes))}
        cellOf={(i, column) => (
          <Cell
            row={rows[i]!}
            column={column.id}
            href={hrefTo}
            outcome={outcomeOf(rows[i]!.node, outcomes)}
            onFold={(open) => fold(i, open)}
          />
        )}
        sorted={sorted}
        onSort={sort}
        onFold={fold}
        onOpen={open}
        empty="No tensor matches."
      />
    </section>
  )
}

type Outcomes = FileWork['statistics']['value']['outcomes']
type Known = ReturnType<Outcomes['get']>

function outcomeOf(node: Node, outcomes: Outcomes): Known {
  return node.kind === 'tensor' ? outcomes.get(node.tensor) : undefined
}

function rowFacts(row: Row, outcome: Known) {
  const { node, depth, isOpen } = row
  const folds = node.kind === 'group' || node.buffers.length > 0
  const kind = node.kind === 'group' ? 'group' : node.isBuffer ? 'buffer' : 'leaf'
  return {
    level: depth + 1,
    isOpen: folds ? isOpen : undefined,
    className: kind,
    content: [row, outcome],
  }
}

function comparison(
  sorted: Sorted | undefined,
  statisticsOf: (tensor: TensorFacts) => TensorStatistics | undefined,
  badOf: (tensor: TensorFacts) => number,
): ((a: TensorFacts, b: TensorFacts) => number) | undefined {
  if (sorted === undefined) return undefined
  const sign = sorted.isDescending ? -1 : 1
  if (sorted.id === 'name') {
    return (a, b) => sign * (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)
  }
  const sortValue = (tensor: TensorFacts): number => {
    if (sorted.id === 'bytes') return tensor.byteLength
    if (sorted.id === 'bad') return badOf(tensor)
    const norm = statisticsOf(tensor)?.norm ?? -1
    return Number.isNaN(norm) ? Infinity : norm
  }
  return (a, b) => {
    const [x, y] = [sortValue(a), sortValue(b)]
    return x === y ? 0 : sign * (x < y ? -1 : 1)
  }
}

interface CellProps {
  readonly row: Row
  readonly column: string
  readonly href: (tensor: TensorFacts) => string
  readonly outcome: Known
  readonly onFold: (open: boolean) => void
}

function Cell({ row, column, href, outcome, onFold }: CellProps): ComponentChildren {
  const { node } = row
  if (column === 'name') return <NameCell row={row} href={href} onFold={onFold} />
  if (node.kind === 'group') {
    if (column === 'bytes') return bytesText(node.byteLength)
    return null
  }
  const { tensor } = node
  const statistics = outcome?.value
  switch (column) {
    case 'dtype':
      return tensor.dtype
    case 'shape':
      return shapeText(tensor.shape)
    case 'bytes':
      return bytesText(tensor.byteLength)
    case 'norm':
      if (outcome?.error !== undefined) return <span class="bad-text">damaged</span>
      return statistics === undefined ? <span class="note">·</span> : numberText(statistics.norm)
    case 'range':
      return statistics === undefined || Number.isNaN(statistics.min)
        ? null
        : `${numberText(statistics.min)} … ${numberText(statistics.max)}`
    case 'bad': {
      const bad = (statistics?.nan ?? 0) + (statistics?.infinite ?? 0)
      if (statistics === undefined) return null
      return bad === 0 ? (
        <span class="note">0</span>
      ) : (
        <span class="bad-text">{countText(bad)}</span>
      )
    }
    case 'spread':
      return statistics === undefined ? null : <Spark statistics={statistics} />
  }
  return null
}

function NameCell({ row, href, onFold }: Pick<CellProps, 'row' | 'href' | 'onFold'>) {
  const { node, depth, isOpen } = row
  const folds = node.kind === 'group' || node.buffers.length > 0
  return (
    <span class="name" style={{ paddingLeft: `${Math.min(depth, 8) * 0.9}rem` }}>
      {folds ? (
        <button
          type="button"
          class="fold"
          tabIndex={-1}
          aria-label={isOpen ? 'Fold' : 'Unfold'}
          onClick={() => onFold(!isOpen)}
        >
          <span aria-hidden="true" class={isOpen ? 'open' : ''}>
            ›
          </span>
        </button>
      ) : (
        <span class="fold" />
      )}
      {node.kind === 'group' ? (
        <>
          <span class="name-text">{nameText(node.label)}</span>
          <span class="note">{countText(node.count)}</span>
        </>
      ) : (
        <a
          class="name-text"
          tabIndex={-1}
          href={href(node.tensor)}
          title={nameText(node.tensor.name)}
        >
          {nameText(node.label)}
        </a>
      )}
    </span>
  )
}
