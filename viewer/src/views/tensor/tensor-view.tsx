/** A tensor: its picture, its numbers, and the program that reads it. */

import { useEffect, useState } from 'preact/hooks'
import type { FileFacts, TensorFacts, ViewedFile } from '../../compute/facts.js'
import type { Extremes } from '../../compute/picture.js'
import type { TensorStatistics } from '../../compute/statistics.js'
import { compute } from '../../page/computing.js'
import { useHref, useSession } from '../../page/context.js'
import { workOn } from '../../page/file-work.js'
import { bytesText, countText, nameText, numberText, shapeText } from '../../ui/text.js'
import { useWatched } from '../../ui/watched.js'
import { Unreadable } from '../file/file-view.js'
import { CodePanel } from './code-panel.js'
import { HeatMap } from './heat-map.js'
import { HistogramPlot } from './histogram-plot.js'

interface TensorViewProps {
  readonly file: ViewedFile
  readonly state: string
  readonly name: string
}

/** The view of a tensor. */
export function TensorView({ file, state, name }: TensorViewProps) {
  const work = workOn(file)
  const facts = useWatched(work.facts)
  useEffect(() => {
    work.readFacts()
  }, [work])
  if (facts.kind === 'reading') {
    return (
      <div class="page" aria-busy="true">
        <h1>{nameText(name)}</h1>
        <p class="note">Reading what is in the file …</p>
      </div>
    )
  }
  if (facts.kind === 'failed') return <Unreadable file={file} {...facts} />
  const tensors = facts.facts.states.find((each) => each.name === state)?.tensors
  const tensor = tensors?.find((each) => each.name === name)
  if (tensor === undefined) {
    return (
      <div class="page">
        <h1>{nameText(name)}</h1>
        <p>The file has no tensor of this name in {nameText(state)}.</p>
      </div>
    )
  }
  return (
    <Shown key={`${file.id} ${state} ${name}`} file={file} facts={facts.facts} tensor={tensor} />
  )
}

interface ShownProps {
  readonly file: ViewedFile
  readonly facts: FileFacts
  readonly tensor: TensorFacts
}

// A tensor of a server that is read without being asked for, in bytes.
const FETCHED_AT_ONCE = 64 * 1024 ** 2

function Shown({ file, facts, tensor }: ShownProps) {
  const work = workOn(file)
  const { outcomes } = useWatched(work.statistics)
  const { isLocal } = useSession()
  const [wanted, setWanted] = useState(isLocal || tensor.byteLength <= FETCHED_AT_ONCE)
  const [extremes, setExtremes] = useState<Extremes | undefined>(undefined)
  useEffect(() => {
    if (!wanted) return
    const controller = new AbortController()
    const { signal } = controller
    work
      .readTensor(tensor)
      .then(async () => {
        setExtremes(await compute.extremes(file, tensor, { signal, priority: 1 }))
      })
      .catch(() => {})
    return () => controller.abort()
  }, [wanted, work, tensor])
  const outcome = outcomes.get(tensor)
  const statistics = outcome?.value
  return (
    <div class="page">
      <div class="title">
        <h1 class="mono">{nameText(tensor.name)}</h1>
        <span class="note">
          {nameText(tensor.state)} · {tensor.dtype} · {shapeText(tensor.shape)} ·{' '}
          {bytesText(tensor.byteLength)}
        </span>
        <Neighbours file={file} facts={facts} tensor={tensor} />
      </div>
      {outcome?.error !== undefined && (
        <p class="problem" role="alert">
          {outcome.error.message}. What is shown are the bytes that are there.
        </p>
      )}
      {!wanted && (
        <p class="asks">
          <button type="button" onClick={() => setWanted(true)}>
            Read all {bytesText(tensor.byteLength)}
          </button>{' '}
          <span class="note">for statistics and the largest elements</span>
        </p>
      )}
      <section class="panel block" aria-label="Heat map">
        <HeatMap file={file} tensor={tensor} statistics={statistics} />
      </section>
      {statistics !== undefined && <Numbers statistics={statistics} />}
      <div class="halves">
        {statistics !== undefined && (
          <section class="panel block" aria-label="Histogram">
            <h2>Histogram</h2>
            <HistogramPlot statistics={statistics} />
          </section>
        )}
        {extremes !== undefined && (
          <section class="panel block" aria-label="Elements">
            <Elements shape={tensor.shape} extremes={extremes} />
          </section>
        )}
      </div>
      {facts.format === 'ckpt' && (
        <section class="panel block read-code" aria-label="Code">
          <h2>Read it in a program</h2>
          <CodePanel tensor={tensor} file={file.name} />
        </section>
      )}
    </div>
  )
}

/** The tensors before and after it in its state. */
function Neighbours({ file, facts, tensor }: ShownProps) {
  const href = useHref()
  const { tensors } = facts.states.find(({ name }) => name === tensor.state)!
  const at = tensors.indexOf(tensor)
  const link = (to: TensorFacts | undefined, text: string) =>
    to && (
      <a
        href={href({ kind: 'tensor', file: file.name, state: to.state, tensor: to.name })}
        title={nameText(to.name)}
      >
        {text}
      </a>
    )
  return (
    <span class="title-links">
      {link(tensors[at - 1], '‹ Previous')}
      {link(tensors[at + 1], 'Next ›')}
    </span>
  )
}

function Numbers({ statistics }: { readonly statistics: TensorStatistics }) {
  const { elements, nan, infinite, zeros, min, max, mean, deviation, norm } = statistics
  const numbers: readonly (readonly [string, string, boolean?])[] = [
    ['Elements', countText(elements)],
    ['Least', numberText(min)],
    ['Largest', numberText(max)],
    ['Mean', numberText(mean)],
    ['Deviation', numberText(deviation)],
    ['Norm', numberText(norm)],
    ['Zeros', countText(zeros)],
    ['NaN', countText(nan), nan > 0],
    ['Infinite', countText(infinite), infinite > 0],
  ]
  return (
    <dl class="verdict numbers panel">
      {numbers.map(([label, value, isBad]) => (
        <div key={label} class={`tile${isBad ? ' bad' : ''}`}>
          <dt>{label}</dt>
          <dd class="tile-value mono">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

// Elements of the beginning that are shown.
const FIRST = 16

function Elements({
  shape,
  extremes,
}: {
  readonly shape: readonly number[]
  readonly extremes: Extremes
}) {
  return (
    <div class="elements">
      <ElementList
        title="First"
        shape={shape}
        elements={extremes.first.slice(0, FIRST).map((value, index) => ({ value, index }))}
      />
      <ElementList title="Largest by size" shape={shape} elements={extremes.largest} />
    </div>
  )
}

interface ElementListProps {
  readonly title: string
  readonly shape: readonly number[]
  readonly elements: Extremes['largest']
}

function ElementList({ title, shape, elements }: ElementListProps) {
  return (
    <table>
      <caption>
        <h2>{title}</h2>
      </caption>
      <thead class="hidden">
        <tr>
          <th scope="col">Index</th>
          <th scope="col">Value</th>
        </tr>
      </thead>
      <tbody>
        {elements.map(({ index, value }) => (
          <tr key={index}>
            <th scope="row" class="mono">
              [{indexOf(index, shape).join(', ')}]
            </th>
            <td class={`number${/NaN|Infinity/.test(value) ? ' bad-text' : ''}`}>
              {shortText(value)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

/** The element as it is; only a long fraction is cut. */
function shortText(value: string): string {
  return value.replace('-', '−').replace(/(\.\d{8})\d+/g, '$1')
}

function indexOf(index: number, shape: readonly number[]): number[] {
  const result: number[] = []
  let rest = index
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    result.unshift(rest % shape[axis]!)
    rest = Math.floor(rest / shape[axis]!)
  }
  return result
}
