/** A run: its losses and metrics, and where training moves, freezes or blows up. */

import { useEffect, useMemo, useState } from 'preact/hooks'
import { compute } from '../../page/computing.js'
import { useHref, useSession } from '../../page/context.js'
import { useWidth } from '../../plots/hooks.js'
import { Legend } from '../../plots/legend.js'
import { LinePlot } from '../../plots/line-plot.js'
import { decadesOf } from '../../plots/ramp.js'
import { digits } from '../../plots/text.js'
import { countText, nameText, thingsText } from '../../ui/text.js'
import { useDark } from '../../ui/theme.js'
import { ChangeMap } from './change-map.js'
import type { Cell, Detail, Row, RunFile } from './changes.js'
import { findingsOf, stepText } from './findings.js'
import { LayerTable } from './layer-table.js'
import type { Place } from './place.js'
import { type RunData, runOf } from './run-data.js'

const DETAILS: readonly Detail[] = ['blocks', 'layers', 'tensors']

// More rows than these are shown by blocks at first.
const MANY_ROWS = 150

// Metrics that are drawn; a run with more of them has them in its files.
const METRICS = 6

/** The files of the session as a run. */
export function RunView() {
  const session = useSession()
  const href = useHref()
  const run = runOf(session, compute)
  const [, refresh] = useState(0)
  const [chosenState, setState] = useState<string>()
  const [chosenDetail, setDetail] = useState<Detail>()
  const [asked, setAsked] = useState(false)
  const [place, setPlace] = useState<Place>()
  const [pointed, setPointed] = useState<number>()
  const { element, width } = useWidth<HTMLDivElement>()
  const isDark = useDark()

  const state = chosenState ?? run.states[0] ?? 'model'
  useEffect(() => {
    const controller = new AbortController()
    const unlisten = run.listen(() => refresh((n) => n + 1))
    const load = async (): Promise<void> => {
      await run.open(controller.signal)
      if (controller.signal.aborted || !run.isOpened) return
      refresh((n) => n + 1)
      await run.compare(chosenState ?? run.states[0] ?? 'model', asked, controller.signal)
    }
    load()
    return () => {
      unlisten()
      controller.abort(new Error('the view was left'))
    }
  }, [run, chosenState, asked])

  const { files } = run
  const changes = run.isOpened ? run.changes(state) : undefined
  const layers = useMemo(
    () => changes && new Set(changes.rows('layers').map(({ name }) => name)).size,
    [changes],
  )
  const detail = chosenDetail ?? ((layers ?? 0) > MANY_ROWS ? 'blocks' : 'layers')
  const rows = useMemo(() => changes?.rows(detail) ?? [], [changes, detail, run.version])
  const moves = rows.flatMap(({ cells }) => cells.map(({ relative }) => relative))
  const [low, high] = decadesOf(moves)
  const domain = useMemo(() => [low, high] as const, [low, high])
  const isDone = run.isOpened && run.done >= run.total
  const findings = useMemo(() => (isDone ? findingsOf(files, rows) : []), [files, rows, isDone])
  const fileTable = useMemo(() => <FileTable files={files} />, [files])

  const gutter = Math.round(Math.min(230, Math.max(112, width * 0.2)))
  const diffHref = ({ row, interval }: Place): string =>
    href({
      kind: 'diff',
      before: files[interval]!.file.name,
      after: files[interval + 1]!.file.name,
      layer: { state, name: rows[row]!.name },
    })
  const layerTable = useMemo(
    () => isDone && files.length > 1 && <LayerTable {...{ rows, files, diffHref }} />,
    [rows, files, isDone, state],
  )
  const checkpoint = pointed ?? (place === undefined ? undefined : place.interval + 1)
  const label = place === undefined ? '' : placeText(rows, files, place)
  const norms = files.map((_, i) => rows.reduce((sum, row) => sum + row.norms[i]! ** 2, 0) ** 0.5)
  const norm = `${state} norm`
  // The room of the norm is kept while it is computed, or the picture below would move.
  const isShown = (title: string, values: readonly (number | null)[]): boolean =>
    values.some((value) => value !== null) || (title === norm && run.isOpened && !isDone)
  const plots: [title: string, values: (number | null)[]][] = [
    ['loss', files.map(({ facts }) => facts.loss)],
    ...metricsOf(files).map((name): [string, (number | null)[]] => [
      name,
      files.map(({ facts }) => (Object.hasOwn(facts.metrics, name) ? facts.metrics[name]! : null)),
    ]),
    [norm, norms.map((norm) => (Number.isNaN(norm) ? null : norm))],
  ]

  return (
    <section class="page run">
      <div class="run-head">
        <h1>{nameText(session.title)}</h1>
        <p class="note">{spanText(files, session.files.length)}</p>
      </div>
      <Progress run={run} onAsk={() => setAsked(true)} />
      {isDone && (
        <ul class="findings">
          {findings.map(({ kind, text, row, interval }) => (
            <li key={text} class={`finding ${kind}`}>
              {interval !== undefined && interval < files.length - 1 ? (
                <a
                  href={diffHref({
                    row: Math.max(
                      0,
                      rows.findIndex(({ name }) => name === row),
                    ),
                    interval,
                  })}
                >
                  {text}
                </a>
              ) : (
                text
              )}
            </li>
          ))}
          {findings.length === 0 && files.length > 1 && (
            <li class="finding good">Every layer moves, and no number is NaN or infinite</li>
          )}
        </ul>
      )}
      {run.unread.length > 0 && (
        <details class="unread">
          <summary>{thingsText(run.unread.length, 'file')} could not be read</summary>
          <ul>
            {run.unread.map(({ name, reason }) => (
              <li key={name}>
                <span class="mono">{nameText(name)}</span>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
      <div class="plots" ref={element}>
        {width > 0 &&
          files.length > 0 &&
          plots
            .filter((plot) => isShown(...plot))
            .map(([title, values]) => (
              <LinePlot
                key={title}
                {...{ title, values, width, gutter }}
                height={62}
                at={checkpoint}
                onPoint={setPointed}
              />
            ))}
        {files.length > 1 && (
          <div class="map-head">
            <h2>How far each layer moves between two checkpoints</h2>
            <div class="map-choices">
              {run.states.length > 1 && (
                <label>
                  <span class="hidden">State</span>
                  <select
                    value={state}
                    onChange={({ currentTarget }) => setState(currentTarget.value)}
                  >
                    {run.states.map((name) => (
                      <option key={name}>{name}</option>
                    ))}
                  </select>
                </label>
              )}
              <label>
                <span class="hidden">Rows</span>
                <select
                  value={detail}
                  onChange={({ currentTarget }) => {
                    setPlace(undefined)
                    setDetail(currentTarget.value as Detail)
                  }}
                >
                  {DETAILS.map((name) => (
                    <option key={name} value={name}>
                      by {name}
                    </option>
                  ))}
                </select>
              </label>
            </div>
            <Legend domain={domain} isDark={isDark} title="‖Δw‖ / ‖w‖" />
          </div>
        )}
        {width > 0 && rows.length > 0 && files.length > 1 && (
          <>
            <ChangeMap
              {...{ rows, domain, isDark, width, gutter, place, label }}
              onPlace={(next) => {
                setPlace(next)
                setPointed(undefined)
              }}
              onOpen={(opened) => {
                location.hash = diffHref(opened)
              }}
            />
            <StepAxis {...{ files, width, gutter }} />
          </>
        )}
      </div>
      {files.length > 1 && (
        <p class="readout" aria-live="polite">
          {place === undefined ? (
            <span class="note">
              Point at a cell, or move with the arrow keys; a click opens the comparison.
            </span>
          ) : (
            <>
              {label} <a href={diffHref(place)}>Compare</a>
            </>
          )}
        </p>
      )}
      {layerTable}
      {fileTable}
    </section>
  )
}

function Progress({ run, onAsk }: { readonly run: RunData; readonly onAsk: () => void }) {
  if (run.problem !== undefined) {
    return (
      <p class="problem" role="alert">
        {run.problem}
      </p>
    )
  }
  if (run.waits !== undefined) {
    return (
      <p class="run-asks">
        The comparison of all checkpoints reads {digits(run.waits / 1e9)} GB.{' '}
        <button type="button" onClick={onAsk}>
          Compare
        </button>
      </p>
    )
  }
  if (run.isOpened && run.done >= run.total) return null
  const text = run.isOpened
    ? `Comparing: ${countText(run.done)} of ${countText(run.total)} tensors`
    : `Opening: ${thingsText(run.files.length, 'file')}`
  return (
    <p class="progress" role="status">
      <progress
        max={run.total || 1}
        value={run.isOpened ? run.done : undefined}
        aria-label={text}
      />
      <span class="note">{text}</span>
    </p>
  )
}

// Pixels of the label of a step.
const LABEL_WIDTH = 46

/** The steps of some checkpoints, below the picture. */
function StepAxis({
  files,
  width,
  gutter,
}: {
  files: readonly RunFile[]
  width: number
  gutter: number
}) {
  const inner = width - gutter
  const count = Math.max(2, Math.min(files.length, Math.floor(inner / 90)))
  const shown = Array.from({ length: count }, (_, i) =>
    Math.round((i * (files.length - 1)) / (count - 1)),
  )
  // The last one stays on the page, where a column is narrower than its label.
  const middleOf = (i: number): number =>
    Math.min(gutter + ((i + 0.5) / files.length) * inner, width - LABEL_WIDTH / 2)
  return (
    <div class="step-axis" aria-hidden="true">
      <span class="note">step</span>
      {shown.map((i) => (
        <span key={i} class="note number" style={{ left: `${middleOf(i)}px` }}>
          {countText(files[i]!.facts.step ?? i)}
        </span>
      ))}
    </div>
  )
}

function FileTable({ files }: { readonly files: readonly RunFile[] }) {
  const href = useHref()
  if (files.length === 0) return null
  const metrics = metricsOf(files)
  return (
    <details class="run-files">
      <summary>{thingsText(files.length, 'checkpoint')}</summary>
      <div class="scrolls">
        <table class="dense">
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col" class="number">
                Step
              </th>
              <th scope="col" class="number">
                Loss
              </th>
              {metrics.map((name) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
              <th scope="col" class="number">
                MB
              </th>
            </tr>
          </thead>
          <tbody>
            {files.map(({ file, facts }) => (
              <tr key={file.id}>
                <th scope="row">
                  <a href={href({ kind: 'file', file: file.name })}>{nameText(file.name)}</a>
                </th>
                <td class="number">{facts.step === null ? '' : countText(facts.step)}</td>
                <td class="number">{facts.loss === null ? '' : digits(facts.loss)}</td>
                {metrics.map((name) => (
                  <td key={name} class="number">
                    {Object.hasOwn(facts.metrics, name) ? digits(facts.metrics[name]!) : ''}
                  </td>
                ))}
                <td class="number">{digits(facts.byteLength / 1e6)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  )
}

function metricsOf(files: readonly RunFile[]): string[] {
  return [...new Set(files.flatMap(({ facts }) => Object.keys(facts.metrics)))].slice(0, METRICS)
}

/** What the run is, in a line. */
function spanText(files: readonly RunFile[], all: number): string {
  if (files.length === 0) return thingsText(all, 'file')
  const [first, last] = [files[0]!, files.at(-1)!]
  const count = thingsText(files.length, 'checkpoint')
  return files.length === 1
    ? `${count}, ${stepText(first)}`
    : `${count}, ${stepText(first)} to ${stepText(last)}`
}

function placeText(
  rows: readonly Row[],
  files: readonly RunFile[],
  { row, interval }: Place,
): string {
  const { name, cells } = rows[row]!
  const between = `${stepText(files[interval]!)} → ${stepText(files[interval + 1]!)}`
  return `${nameText(name)}, ${between}: ${cellText(cells[interval]!)}`
}

/** A cell in words. */
export function cellText(cell: Cell): string {
  const parts: string[] = []
  if (cell.nonFinite > 0) parts.push(`${thingsText(cell.nonFinite, 'element')} NaN or infinite`)
  if (cell.failed > 0) parts.push(`${thingsText(cell.failed, 'tensor')} damaged`)
  if (cell.isEqual) parts.push('unchanged, bit for bit')
  else if (cell.known > 0) parts.push(`change ${digits(cell.relative)}`)
  if (cell.absent > 0) parts.push(`${thingsText(cell.absent, 'tensor')} on one side only`)
  if (parts.length === 0) parts.push('not compared yet')
  return parts.join(', ')
}
