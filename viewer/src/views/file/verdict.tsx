/** The strip above a file: is it valid, is it healthy, how far had the run come, what changed. */

import type { ComponentChildren } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { type FileFacts, sameContent, type ViewedFile } from '../../compute/facts.js'
import { useHref, useSession } from '../../page/context.js'
import { type FileWork, type StatisticsState, workOn } from '../../page/file-work.js'
import {
  bytesText,
  countText,
  formatText,
  nameText,
  numberText,
  percentText,
  thingsText,
} from '../../ui/text.js'
import { useWatched } from '../../ui/watched.js'
import { keyOf } from './rows.js'

type Tone = 'good' | 'bad' | 'warn' | 'plain'

interface TileProps {
  readonly label: string
  readonly tone?: Tone
  readonly children: ComponentChildren
  readonly detail?: ComponentChildren
}

function Tile({ label, tone = 'plain', children, detail }: TileProps) {
  return (
    <div class={`tile ${tone}`}>
      <dt>{label}</dt>
      <dd>
        <span class="tile-value">{children}</span>
        {detail !== undefined && <span class="tile-detail">{detail}</span>}
      </dd>
    </div>
  )
}

/** The strip. */
export function Verdict({ work, facts }: { readonly work: FileWork; readonly facts: FileFacts }) {
  const tensors = facts.states.reduce((sum, state) => sum + state.tensors.length, 0)
  const metrics = Object.entries(facts.metrics)
  return (
    <dl class="verdict panel" aria-live="polite">
      <VerifiedTile work={work} facts={facts} />
      <HealthTile work={work} />
      {facts.step !== null && (
        <Tile label="Step" detail={facts.epoch !== null && `epoch ${countText(facts.epoch)}`}>
          {countText(facts.step)}
        </Tile>
      )}
      {(facts.loss !== null || metrics.length > 0) && (
        <Tile
          label="Loss"
          tone={facts.loss === null || Number.isFinite(facts.loss) ? 'plain' : 'bad'}
          detail={metrics
            .slice(0, 3)
            .map(([name, value]) => `${nameText(name)} ${numberText(value)}`)
            .join(', ')}
        >
          {facts.loss === null ? 'none yet' : numberText(facts.loss)}
        </Tile>
      )}
      <Tile label="Size" detail={thingsText(tensors, 'tensor')}>
        {bytesText(facts.byteLength)}
      </Tile>
      <ChangeTile file={work.file} facts={facts} />
    </dl>
  )
}

function VerifiedTile({ work, facts }: { readonly work: FileWork; readonly facts: FileFacts }) {
  const state = useWatched(work.verification)
  const href = useHref()
  if (facts.format !== 'ckpt') {
    return (
      <Tile label="Checksums" detail={`${formatText(facts.format)} files have none`}>
        Cannot tell
      </Tile>
    )
  }
  const { damages } = state
  if (damages.length > 0) {
    const [first] = damages
    return (
      <Tile
        label="Checksums"
        tone="bad"
        detail={
          <a href={href({ kind: 'bytes', file: work.file.name })}>
            {nameText(first!.tensor)}
            {damages.length > 1 && ` and ${countText(damages.length - 1)} more`}
          </a>
        }
      >
        Damaged
      </Tile>
    )
  }
  switch (state.kind) {
    case 'idle':
      return (
        <Tile
          label="Checksums"
          detail={
            <button type="button" class="link" onClick={() => work.verify()}>
              Read {bytesText(facts.byteLength)} and compare
            </button>
          }
        >
          Metadata valid
        </Tile>
      )
    case 'reading':
      return (
        <Tile label="Checksums" detail={`${percentText(state.done, state.total)} compared`}>
          Verifying
        </Tile>
      )
    case 'failed':
      return (
        <Tile label="Checksums" tone="warn" detail={state.problem}>
          Not verified
        </Tile>
      )
    case 'done':
      return (
        <Tile label="Checksums" tone="good" detail="every byte as it was saved">
          Verified
        </Tile>
      )
  }
}

function HealthTile({ work }: { readonly work: FileWork }) {
  const state = useWatched(work.statistics)
  const { nan, infinite, tensors } = nonFinite(state)
  if (tensors > 0) {
    const parts = [
      ...(nan > 0 ? [`${countText(nan)} NaN`] : []),
      ...(infinite > 0 ? [`${countText(infinite)} infinite`] : []),
    ]
    return (
      <Tile label="Values" tone="bad" detail={`in ${thingsText(tensors, 'tensor')}`}>
        {parts.join(', ')}
      </Tile>
    )
  }
  switch (state.kind) {
    case 'idle':
      return (
        <Tile
          label="Values"
          detail={
            <button type="button" class="link" onClick={() => work.readStatistics()}>
              Read all tensors
            </button>
          }
        >
          Not read
        </Tile>
      )
    case 'reading':
      return (
        <Tile label="Values" detail={`${percentText(state.done, state.total)} read`}>
          Reading
        </Tile>
      )
    case 'failed':
      return (
        <Tile label="Values" tone="warn">
          Not read
        </Tile>
      )
    case 'done':
      return (
        <Tile label="Values" tone="good" detail="no NaN, no infinities">
          Healthy
        </Tile>
      )
  }
}

function nonFinite({ outcomes }: StatisticsState) {
  let [nan, infinite, tensors] = [0, 0, 0]
  for (const { value } of outcomes.values()) {
    if (value === undefined || value.nan + value.infinite === 0) continue
    nan += value.nan
    infinite += value.infinite
    tensors++
  }
  return { nan, infinite, tensors }
}

/** How many tensors differ from those of the file before, by checksums alone. */
function ChangeTile({ file, facts }: { readonly file: ViewedFile; readonly facts: FileFacts }) {
  const { files } = useSession()
  const href = useHref()
  const before = files[files.indexOf(file) - 1]
  const [earlier, setEarlier] = useState<FileFacts | undefined>(undefined)
  useEffect(() => {
    setEarlier(undefined)
    if (before !== undefined) workOn(before).readFacts().then(setEarlier)
  }, [before])
  if (before === undefined || earlier === undefined) return null
  const { changed, added, removed } = changes(earlier, facts)
  const total = facts.states.reduce((sum, state) => sum + state.tensors.length, 0)
  const more = [
    ...(added > 0 ? [`${countText(added)} new`] : []),
    ...(removed > 0 ? [`${countText(removed)} gone`] : []),
  ]
  const since = earlier.step === null ? nameText(before.name) : `step ${countText(earlier.step)}`
  return (
    <Tile
      label={`Since ${since}`}
      detail={
        <>
          {['tensors changed', ...more].join(', ')} ·{' '}
          <a href={href({ kind: 'diff', before: before.name, after: file.name })}>Compare</a>
        </>
      }
    >
      {`${countText(changed)} of ${countText(total)}`}
    </Tile>
  )
}

function changes(before: FileFacts, after: FileFacts) {
  const old = new Map(before.states.flatMap((s) => s.tensors.map((t) => [keyOf(t), t] as const)))
  let [changed, added, found] = [0, 0, 0]
  for (const state of after.states) {
    for (const tensor of state.tensors) {
      const earlier = old.get(keyOf(tensor))
      if (earlier === undefined) added++
      else {
        found++
        if (!sameContent(earlier, tensor)) changed++
      }
    }
  }
  return { changed, added, removed: old.size - found }
}
