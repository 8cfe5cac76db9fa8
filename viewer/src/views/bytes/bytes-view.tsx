/** The bytes of a file: a map of them, what each range is, damage where it is, and the bytes themselves. */

import type { ComponentChildren } from 'preact'
import { useEffect, useMemo, useState } from 'preact/hooks'
import { inputPlace } from '../../../../src/exchange/places.js'
import type { Source } from '../../../../src/io/source.js'
import type { ViewedFile } from '../../compute/facts.js'
import { useHref, useSession } from '../../page/context.js'
import { type FactsState, workOn } from '../../page/file-work.js'
import { type Column, Grid } from '../../ui/grid.js'
import { bytesText, countText, nameText, percentText, thingsText } from '../../ui/text.js'
import { useWatched } from '../../ui/watched.js'
import { isReadAtOnce } from '../file/file-view.js'
import { Hex } from './hex.js'
import { ByteMap } from './map.js'
import { type ByteRange, rangesOf, unreadableRanges, withDamage } from './ranges.js'

/** The view of a file's bytes. */
export function BytesView({ file }: { readonly file: ViewedFile }) {
  const work = workOn(file)
  const facts = useWatched(work.facts)
  const verification = useWatched(work.verification)
  const { isLocal } = useSession()
  const { source, ranges, problem } = useRanges(file, facts)
  const [selected, setSelected] = useState(0)
  useEffect(() => {
    work.readFacts().then((found) => {
      if (found !== undefined && isReadAtOnce(found.byteLength, isLocal)) work.verify()
    })
  }, [work, isLocal])
  const { damages } = verification
  const marked = useMemo(
    () => (ranges === undefined ? [] : withDamage(ranges, damages)),
    [ranges, damages],
  )
  // What is damaged is what one came for.
  const firstBad = marked.findIndex(({ damage }) => damage !== undefined)
  useEffect(() => {
    if (firstBad !== -1) setSelected(firstBad)
  }, [firstBad])

  const range = marked[selected]
  return (
    <div class="page">
      <div class="title">
        <h1>{nameText(file.name)}</h1>
        <span class="note">{source === undefined ? '' : `${countText(source.size)} bytes`}</span>
        <span class="title-links">
          <Status file={file} facts={facts} />
        </span>
      </div>
      {facts.kind === 'failed' && (
        <p class="problem" role="alert">
          {facts.message}
        </p>
      )}
      {problem !== undefined && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {source !== undefined && ranges !== undefined && (
        <>
          <section class="panel block" aria-label="Map of the file">
            <ByteMap
              ranges={marked}
              size={source.size}
              selected={selected}
              onSelect={setSelected}
            />
          </section>
          <div class="byte-columns">
            <Ranges file={file} ranges={marked} onSelect={setSelected} />
            {range !== undefined && (
              <section class="panel block chosen" aria-label="The chosen range">
                <h2>{nameText(range.name)}</h2>
                <p class="note">
                  bytes {countText(range.start)} to {countText(range.end - 1)}, hexadecimal{' '}
                  {range.start.toString(16)} to {(range.end - 1).toString(16)}
                </p>
                {range.damage !== undefined && <p class="problem">{range.damage}</p>}
                <Hex source={source} start={range.start} end={range.end} />
              </section>
            )}
          </div>
        </>
      )}
    </div>
  )
}

function Status({ file, facts }: { readonly file: ViewedFile; readonly facts: FactsState }) {
  const work = workOn(file)
  const { kind, done, total, damages, problem } = useWatched(work.verification)
  if (facts.kind !== 'read' || facts.facts.format !== 'ckpt') return null
  if (damages.length > 0) {
    return <span class="bad-text">{thingsText(damages.length, 'damaged range')}</span>
  }
  if (kind === 'done') return <span class="good-text">Every byte as it was saved</span>
  if (kind === 'reading') return <span class="note">{percentText(done, total)} compared</span>
  if (kind === 'failed') return <span class="bad-text">{problem}</span>
  return (
    <button type="button" onClick={() => work.verify()}>
      Compare all bytes with their checksums
    </button>
  )
}

interface Known {
  readonly source?: Source
  readonly ranges?: readonly ByteRange[]
  readonly problem?: string
}

/** The source of the file, open as long as the view is there, and its ranges. */
function useRanges(file: ViewedFile, facts: FactsState): Known {
  const [known, setKnown] = useState<Known>({})
  useEffect(() => {
    if (facts.kind === 'reading') return
    let source: Source | undefined
    let isOver = false
    const find = async (): Promise<void> => {
      source = (await inputPlace(file.from, file.siblings)).source
      const ranges =
        facts.kind === 'read'
          ? await rangesOf(facts.facts, source)
          : await unreadableRanges(source, facts.message)
      if (isOver) source.close()
      else setKnown({ source, ranges })
    }
    find().catch((error) => !isOver && setKnown({ problem: error.message }))
    return () => {
      isOver = true
      source?.close()
    }
  }, [file, facts.kind])
  return known
}

const COLUMNS: readonly Column[] = [
  { id: 'start', title: 'From', width: '8rem', isNumber: true },
  { id: 'length', title: 'Length', width: '5.5rem', isNumber: true },
  { id: 'name', title: 'What it is', width: 'minmax(0, 1fr)' },
  { id: 'crc', title: 'Checksum', width: '6rem', from: 760 },
]

interface RangesProps {
  readonly file: ViewedFile
  readonly ranges: readonly ByteRange[]
  readonly onSelect: (i: number) => void
}

function Ranges({ file, ranges, onSelect }: RangesProps) {
  const href = useHref()
  const [filter, setFilter] = useState('')
  const [gaps, setGaps] = useState(false)
  const shown = useMemo(() => {
    const wanted = filter.toLowerCase()
    return ranges.flatMap((range, i) =>
      (gaps || range.kind !== 'gap' || range.damage !== undefined) &&
      range.name.toLowerCase().includes(wanted)
        ? i
        : [],
    )
  }, [ranges, filter, gaps])
  const cell = (i: number, { id }: Column): ComponentChildren => {
    const { kind, start, end, name, tensor, damage } = ranges[shown[i]!]!
    switch (id) {
      case 'start':
        return countText(start)
      case 'length':
        return bytesText(end - start)
      case 'crc':
        return (
          tensor?.segment && (
            <span class="mono">{tensor.segment.crc32.toString(16).padStart(8, '0')}</span>
          )
        )
    }
    return (
      <span class="name">
        <span class={`range-mark range-${damage === undefined ? kind : 'damage'}`} />
        {tensor === undefined ? (
          <span class="name-text">{nameText(name)}</span>
        ) : (
          <a
            class="name-text"
            tabIndex={-1}
            title={nameText(name)}
            href={href({
              kind: 'tensor',
              file: file.name,
              state: tensor.state,
              tensor: tensor.name,
            })}
          >
            {nameText(name)}
          </a>
        )}
        {damage !== undefined && <span class="bad-text">damaged</span>}
      </span>
    )
  }
  return (
    <section aria-label="Ranges">
      <div class="tools">
        <label class="hidden" for="filter">
          Filter ranges
        </label>
        <input
          id="filter"
          type="search"
          placeholder="Filter by name"
          aria-keyshortcuts="/"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
        <label class="toggle">
          <input
            type="checkbox"
            checked={gaps}
            onChange={(event) => setGaps(event.currentTarget.checked)}
          />
          Show alignment
        </label>
        <span class="note" role="status">
          {thingsText(shown.length, 'range')}
        </span>
      </div>
      <Grid
        label="Ranges of the file"
        columns={COLUMNS}
        count={shown.length}
        rowOf={() => ({ level: 1, isOpen: undefined })}
        cellOf={cell}
        sorted={undefined}
        onSort={() => {}}
        onFold={() => {}}
        onOpen={(i) => onSelect(shown[i]!)}
        empty="No range matches."
      />
    </section>
  )
}
