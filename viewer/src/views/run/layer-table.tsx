/** The layers of a run as a table: the picture in numbers, sorted by what one asks for. */

import { useState } from 'preact/hooks'
import { digits } from '../../plots/text.js'
import { nameText, thingsText } from '../../ui/text.js'
import type { Row, RunFile } from './changes.js'
import { stepText } from './findings.js'
import type { Place } from './place.js'
import { summariesOf } from './summary.js'

interface LayerTableProps {
  readonly rows: readonly Row[]
  readonly files: readonly RunFile[]
  readonly diffHref: (place: Place) => string
}

const COLUMNS = [
  ['row', 'Layer'],
  ['norm', 'Norm'],
  ['last', 'Last change'],
  ['median', 'Median'],
  ['largest', 'Largest'],
  ['unchanged', 'Unchanged'],
  ['broken', 'NaN'],
] as const

type Key = (typeof COLUMNS)[number][0]

// Rows that are shown before one asks for all.
const SHOWN = 40

/** The table. A click on a column's title sorts by it, the largest first. */
export function LayerTable({ rows, files, diffHref }: LayerTableProps) {
  const [by, setBy] = useState<Key>('row')
  const [all, setAll] = useState(false)
  const sorted = summariesOf(rows).sort((a, b) =>
    by === 'row' ? a.row - b.row : order(a[by], b[by]),
  )
  const shown = all ? sorted : sorted.slice(0, SHOWN)
  return (
    <div class="layer-table">
      <div class="scrolls">
        <table class="dense">
          <caption class="hidden">Change of each layer over the run</caption>
          <thead>
            <tr>
              {COLUMNS.map(([key, title]) => (
                <th
                  key={key}
                  scope="col"
                  class={key === 'row' ? '' : 'number'}
                  aria-sort={by === key ? (key === 'row' ? 'ascending' : 'descending') : 'none'}
                >
                  <button type="button" class="sorts" onClick={() => setBy(key)}>
                    {title}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((layer) => (
              <tr key={layer.name}>
                <th scope="row" title={layer.name}>
                  {nameText(layer.name)}
                </th>
                <td class="number">{text(layer.norm)}</td>
                <td class="number">{text(layer.last)}</td>
                <td class="number">{text(layer.median)}</td>
                <td class="number">
                  {layer.at === -1 || !(layer.largest > 0) ? (
                    text(layer.largest)
                  ) : (
                    <a href={diffHref({ row: layer.row, interval: layer.at })}>
                      {text(layer.largest)} at {stepText(files[layer.at + 1]!)}
                    </a>
                  )}
                </td>
                <td class="number">{layer.unchanged === 0 ? '' : layer.unchanged}</td>
                <td class={`number${layer.broken > 0 ? ' is-bad' : ''}`}>
                  {layer.broken === 0 ? '' : layer.broken}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {shown.length < sorted.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {thingsText(sorted.length, 'row')}
        </button>
      )}
    </div>
  )
}

/** The largest first; what is not known comes last. */
function order(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(a)) - Number(Number.isNaN(b))
  return b - a
}

function text(value: number): string {
  return Number.isNaN(value) ? '' : digits(value)
}
