/** The layers of a comparison as a table. A layer unfolds into its tensors, and a tensor into pictures. */

import { useMemo, useState } from 'preact/hooks'
import type { Difference } from '../../../../src/diff/difference.js'
import type { ViewedFile } from '../../compute/facts.js'
import type { TensorPair } from '../../compute/jobs.js'
import { logPart } from '../../plots/ramp.js'
import { digits, percent } from '../../plots/text.js'
import { countText, nameText, shapeText, thingsText } from '../../ui/text.js'
import { layersOf } from './compare.js'
import { HeatMaps } from './heat-maps.js'

interface LayerRowsProps {
  readonly pairs: readonly TensorPair[]
  readonly differences: ReadonlyMap<string, Difference>
  readonly before: ViewedFile
  readonly after: ViewedFile
  /** The layer, block or tensor that was asked for. */
  readonly layer: string | undefined
}

// Layers that are shown before one asks for all.
const SHOWN = 60

// What the bars of relative change span: from a millionth to all of a layer's norm.
const SPAN = [-6, 0] as const

/** The table. What was asked for is at the top, unfolded. */
export function LayerRows({ pairs, differences, before, after, layer }: LayerRowsProps) {
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set())
  const [all, setAll] = useState(false)
  const layers = useMemo(() => layersOf(pairs, differences), [pairs, differences])
  const isAsked = (name: string): boolean =>
    layer !== undefined &&
    (name === layer || /^[./]/.test(name.slice(layer.length))) &&
    name.startsWith(layer)
  const asked = layers.filter(
    ({ name, tensors }) => isAsked(name) || tensors.some((pair) => pair.before.name === layer),
  )
  const sorted = [...asked, ...layers.filter((row) => !asked.includes(row))]
  const shown = all ? sorted : sorted.slice(0, SHOWN)
  const toggle = (name: string): void => {
    const next = new Set(toggled)
    if (!next.delete(name)) next.add(name)
    setToggled(next)
  }
  return (
    <div class="scrolls">
      <table class="dense diff-table">
        <thead>
          <tr>
            <th scope="col">Layer</th>
            <th scope="col" colSpan={2} title="Bars by powers of ten, from a millionth to all">
              Relative change <span class="note">log bars</span>
            </th>
            <th scope="col" class="number">
              Largest
            </th>
            <th scope="col" class="number">
              Mean
            </th>
            <th scope="col" class="number">
              Differ
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ name, tensors, difference }, i) => (
            <LayerGroup
              key={name}
              {...{ name, tensors, difference, differences, before, after }}
              // The first one that was asked for is open until it is folded.
              isOpen={toggled.has(name) !== (i === 0 && asked.length > 0)}
              isAsked={i < asked.length}
              onToggle={() => toggle(name)}
            />
          ))}
        </tbody>
      </table>
      {shown.length < sorted.length && (
        <button type="button" onClick={() => setAll(true)}>
          Show all {thingsText(sorted.length, 'layer')}
        </button>
      )}
    </div>
  )
}

interface LayerGroupProps {
  readonly name: string
  readonly tensors: readonly TensorPair[]
  readonly difference: Difference | undefined
  readonly isOpen: boolean
  readonly isAsked: boolean
  readonly differences: ReadonlyMap<string, Difference>
  readonly before: ViewedFile
  readonly after: ViewedFile
  readonly onToggle: () => void
}

function LayerGroup(props: LayerGroupProps) {
  const { name, tensors, difference, isOpen, isAsked, differences, before, after, onToggle } = props
  const [chosen, setChosen] = useState<string>()
  const shown =
    tensors.find((pair) => pair.before.name === chosen) ?? shownFirst(tensors, differences)
  return (
    <>
      <tr class={isAsked ? 'asked' : ''}>
        <th scope="row" title={nameText(name)}>
          <button type="button" class="unfolds" aria-expanded={isOpen} onClick={onToggle}>
            {nameText(name)}
          </button>
          {tensors.length > 1 && <span class="note"> {thingsText(tensors.length, 'tensor')}</span>}
        </th>
        <DifferenceCells difference={difference} />
      </tr>
      {isOpen &&
        tensors.length > 1 &&
        tensors.map((pair) => (
          <tr key={pair.before.name}>
            <th scope="row">
              <button
                type="button"
                class="chooses"
                aria-pressed={pair === shown}
                onClick={() => setChosen(pair.before.name)}
              >
                {nameText(pair.before.name)}
              </button>{' '}
              <span class="note">{shapeText(pair.before.shape)}</span>
            </th>
            <DifferenceCells difference={differences.get(pair.before.name)} />
          </tr>
        ))}
      {isOpen && (
        <tr class="pictures">
          <td colSpan={6}>
            <HeatMaps key={shown.before.name} {...{ before, after }} pair={shown} />
          </td>
        </tr>
      )}
    </>
  )
}

/** The pictures of a layer are those of a tensor with NaN, or else of the largest one. */
function shownFirst(
  tensors: readonly TensorPair[],
  differences: ReadonlyMap<string, Difference>,
): TensorPair {
  const broken = tensors.find(({ before }) => (differences.get(before.name)?.nonFinite ?? 0) > 0)
  return broken ?? tensors.reduce((a, b) => (b.before.byteLength > a.before.byteLength ? b : a))
}

function DifferenceCells({ difference }: { readonly difference: Difference | undefined }) {
  if (difference === undefined) return <td colSpan={5}>…</td>
  const { relativeNorm, largest, mean, share, nonFinite } = difference
  const isBroken = nonFinite > 0
  return (
    <>
      <td class="bar-cell">
        <span
          class={`change-bar${isBroken ? ' broken' : ''}`}
          style={{ width: `${100 * (isBroken ? 1 : logPart(relativeNorm, SPAN))}%` }}
        />
      </td>
      <td class="number">{isBroken ? `${countText(nonFinite)} NaN, ∞` : digits(relativeNorm)}</td>
      <td class="number">{digits(largest)}</td>
      <td class="number">{digits(mean)}</td>
      <td class="number">{percent(share)}</td>
    </>
  )
}
