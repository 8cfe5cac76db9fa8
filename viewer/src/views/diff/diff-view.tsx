/** Two files: what changed, layer by layer, the largest change first. */

import { useEffect, useMemo, useState } from 'preact/hooks'
import type { Difference } from '../../../../src/diff/difference.js'
import type { ValueChange } from '../../../../src/diff/values.js'
import type { FileFacts, ViewedFile } from '../../compute/facts.js'
import { compute } from '../../page/computing.js'
import { useHref } from '../../page/context.js'
import type { View } from '../../page/route.js'
import { countText, nameText, shapeText, thingsText } from '../../ui/text.js'
import { compareFacts, type Mismatch, type StateComparison } from './compare.js'
import { LayerRows } from './layer-rows.js'

interface DiffViewProps {
  readonly before: ViewedFile
  readonly after: ViewedFile
  readonly layer: Extract<View, { kind: 'diff' }>['layer']
}

/** How far the comparison has come. The differences are by state and tensor. */
interface Comparing {
  readonly differences: ReadonlyMap<string, ReadonlyMap<string, Difference>>
  readonly failures: readonly string[]
  readonly done: number
}

const NOTHING: Comparing = { differences: new Map(), failures: [], done: 0 }

// Milliseconds between two looks at what has come in.
const REFRESH = 200

/** Compares two files of the session. */
export function DiffView({ before, after, layer }: DiffViewProps) {
  const href = useHref()
  const [facts, setFacts] = useState<readonly [FileFacts, FileFacts]>()
  const [problem, setProblem] = useState<string>()
  const [{ differences, failures, done }, setComparing] = useState(NOTHING)
  useEffect(() => {
    const controller = new AbortController()
    const { signal } = controller
    const load = async (): Promise<void> => {
      const both = await factsOf(before, after, signal)
      setFacts(both)
      await compareTensors(before, after, compareFacts(...both).states, setComparing, signal)
    }
    load().catch((error) => signal.aborted || setProblem(String(error.message)))
    return () => controller.abort(new Error('the view was left'))
  }, [before, after])

  const comparison = useMemo(() => facts && compareFacts(...facts), [facts])
  const total = comparison?.states.reduce((sum, { pairs }) => sum + pairs.length, 0) ?? 0
  return (
    <section class="page diff">
      <h1>
        <a href={href({ kind: 'file', file: before.name })}>{nameText(before.name)}</a>
        {' → '}
        <a href={href({ kind: 'file', file: after.name })}>{nameText(after.name)}</a>
      </h1>
      {[...(problem === undefined ? [] : [problem]), ...failures].map((text) => (
        <p key={text} class="problem" role="alert">
          {text}
        </p>
      ))}
      {comparison === undefined && problem === undefined && (
        <p class="note" role="status">
          Opening both files …
        </p>
      )}
      {comparison !== undefined && (
        <>
          {done < total && problem === undefined && (
            <p class="progress" role="status">
              <progress max={total} value={done} aria-label="Compared tensors" />
              <span class="note">
                Comparing: {countText(done)} of {thingsText(total, 'tensor')}
              </span>
            </p>
          )}
          <Values title="Progress" values={comparison.progress} />
          <Values title="Config" values={comparison.config} />
          {comparison.states.map((state) => (
            <StateSection
              key={state.name}
              state={state}
              differences={differences.get(state.name)}
              {...{ before, after }}
              layer={layer?.state === state.name ? layer.name : undefined}
            />
          ))}
        </>
      )}
    </section>
  )
}

async function factsOf(
  before: ViewedFile,
  after: ViewedFile,
  signal: AbortSignal,
): Promise<readonly [FileFacts, FileFacts]> {
  const files = [before, after]
  const found: FileFacts[] = []
  const failed: string[] = []
  await compute.facts(
    files,
    (i, { value, error }) => {
      if (error === undefined) found[i] = value!
      else failed.push(`${nameText(files[i]!.name)}: ${error.message}`)
    },
    { signal, priority: 1 },
  )
  if (failed.length > 0) throw new Error(failed.join('; '))
  return [found[0]!, found[1]!]
}

async function compareTensors(
  before: ViewedFile,
  after: ViewedFile,
  states: readonly StateComparison[],
  show: (comparing: Comparing) => void,
  signal: AbortSignal,
): Promise<void> {
  const known = new Map(states.map(({ name }) => [name, new Map<string, Difference>()]))
  const failures: string[] = []
  let done = 0
  let shown = 0
  const refresh = (): void => {
    shown = performance.now()
    const differences = new Map(Array.from(known, ([name, some]) => [name, new Map(some)]))
    show({ differences, failures: [...failures], done })
  }
  await compute.differences(
    states.map(({ pairs }) => ({ before, after, tensors: pairs })),
    ([i, k], { value, error }) => {
      const { name, pairs } = states[i]!
      if (error !== undefined) failures.push(error.message)
      else if (value) known.get(name)!.set(pairs[k]!.before.name, value)
      done++
      if (performance.now() - shown > REFRESH) refresh()
    },
    { signal },
  )
  refresh()
}

interface StateSectionProps {
  readonly state: StateComparison
  readonly differences: ReadonlyMap<string, Difference> | undefined
  readonly before: ViewedFile
  readonly after: ViewedFile
  readonly layer: string | undefined
}

const NONE: ReadonlyMap<string, Difference> = new Map()

function StateSection({ state, differences = NONE, before, after, layer }: StateSectionProps) {
  const { name, change, values, pairs, mismatches, equal } = state
  const counts = [
    [pairs.length, 'differ'],
    [equal, 'are equal'],
    [mismatches.length, 'are on one side only, or have another shape'],
  ] as const
  const summary = counts
    .filter(([count]) => count > 0)
    .map(([count, what]) => `${countText(count)} ${what}`)
    .join(', ')
  const isBoth = change === 'both'
  return (
    <section class="diff-state">
      <h2>
        {nameText(name)}
        <span class="state-summary">
          {isBoth
            ? summary || 'no tensors'
            : `${change}, ${thingsText(mismatches.length, 'tensor')}`}
        </span>
      </h2>
      <Values title={undefined} values={values} />
      {pairs.length > 0 && <LayerRows {...{ pairs, differences, before, after, layer }} />}
      {isBoth && pairs.length + mismatches.length === 0 && equal > 0 && (
        <p class="note">Every tensor is the same, bit for bit.</p>
      )}
      {isBoth && <Mismatches mismatches={mismatches} />}
    </section>
  )
}

// Tensors that are listed.
const LISTED = 100

function Mismatches({ mismatches }: { readonly mismatches: readonly Mismatch[] }) {
  if (mismatches.length === 0) return null
  return (
    <ul class="mismatches">
      {mismatches.slice(0, LISTED).map(({ name, before, after }) => (
        <li key={name}>
          <span class="mono">{nameText(name)}</span>{' '}
          <span class="note">
            {before === undefined
              ? 'added'
              : after === undefined
                ? 'removed'
                : `${shapeText(before.shape)} → ${shapeText(after.shape)}`}
          </span>
        </li>
      ))}
      {mismatches.length > LISTED && <li>and {countText(mismatches.length - LISTED)} more</li>}
    </ul>
  )
}

interface ValuesProps {
  readonly title: string | undefined
  readonly values: readonly ValueChange[]
}

function Values({ title, values }: ValuesProps) {
  if (values.length === 0) return null
  return (
    <>
      {title !== undefined && <h2>{title}</h2>}
      <dl class="value-changes">
        {values.map(({ path, before, after }) => {
          // All digits only where fewer would hide the change.
          const isClose = valueText(before, DIGITS) === valueText(after, DIGITS)
          const digits = isClose ? undefined : DIGITS
          return (
            <div key={path}>
              <dt class="mono">{path === '' ? '(all)' : nameText(path)}</dt>
              <dd class="mono">
                <span class="was">{valueText(before, digits)}</span> → {valueText(after, digits)}
              </dd>
            </div>
          )
        })}
      </dl>
    </>
  )
}

// Characters of a value: a sampler's state may be a list of a million numbers.
const VALUE_LENGTH = 80

// Digits of a number.
const DIGITS = 6

function valueText(value: ValueChange['before'], digits: number | undefined): string {
  if (value === undefined) return 'none'
  if (typeof value === 'number') {
    return String(digits === undefined ? value : Number(value.toPrecision(digits)))
  }
  const text = JSON.stringify(value, (_, item) => {
    if (typeof item === 'bigint') return String(item)
    return typeof item === 'number' && !Number.isFinite(item) ? String(item) : item
  })
  return nameText(text.length > VALUE_LENGTH ? `${text.slice(0, VALUE_LENGTH)}…` : text)
}
