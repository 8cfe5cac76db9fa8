/** What stands out in a run, in words: what one would look for in the pictures. */

import { digits } from '../../plots/text.js'
import { countText, nameText, thingsText } from '../../ui/text.js'
import type { Row, RunFile } from './changes.js'
import { median } from './summary.js'

/** A finding. `interval` and `row` say where to look. */
export interface Finding {
  readonly kind: 'bad' | 'warn' | 'good'
  readonly text: string
  readonly row?: string
  readonly interval?: number
}

// A layer jumps where it moves by this share of its norm, and by this many times its usual change.
const LARGE = 0.1
const TIMES = 20

// It runs away from the others where it moves by this many times their change, and more than is usual for it.
const AWAY = 30
const MORE = 5

// Intervals that a layer has to move in, and then to rest in, before it is called frozen.
const MOVED = 3
const RESTED = 3

// Names in one finding; the others are counted.
const NAMED = 3

/** The findings of a run, the worst first. */
export function findingsOf(files: readonly RunFile[], rows: readonly Row[]): Finding[] {
  const found: Finding[] = []
  const step = (i: number): string => stepText(files[i]!)
  const bad = files.find(({ facts }) => facts.loss !== null && !Number.isFinite(facts.loss))
  if (bad !== undefined) {
    found.push({ kind: 'bad', text: `The loss is ${bad.facts.loss} at ${stepText(bad)}` })
  }
  const broken = firstOf(rows, ({ nonFinite }) => nonFinite > 0)
  if (broken !== undefined) {
    const { row, interval, rows: all } = broken
    found.push({
      kind: 'bad',
      text: `NaN or infinite numbers from ${step(interval + 1)} on, first in ${namesText(all, row)}`,
      row,
      interval,
    })
  }
  const failed = firstOf(rows, (cell) => cell.failed > 0)
  if (failed !== undefined) {
    const { row, interval } = failed
    found.push({
      kind: 'bad',
      text: `${nameText(row)} cannot be read around ${step(interval)}: damaged`,
      row,
      interval,
    })
  }
  const growth = blowUps(rows).filter(({ interval }) => interval !== broken?.interval)
  const [worst] = growth
  if (worst !== undefined) {
    const others = growth.length - 1
    found.push({
      kind: 'bad',
      text:
        `${nameText(worst.row)} runs away at ${step(worst.interval + 1)}: it moves by ${digits(worst.relative)} of its norm, ` +
        `usually by ${digits(worst.usual)}${others > 0 ? `; so ${others === 1 ? 'does' : 'do'} ${thingsText(others, 'other row')}` : ''}`,
      row: worst.row,
      interval: worst.interval,
    })
  }
  const never = rows.filter(
    ({ cells }) => cells.length > 0 && cells.every(({ isEqual }) => isEqual),
  )
  if (never.length > 0) {
    found.push({
      kind: never.length === rows.length ? 'bad' : 'warn',
      text:
        never.length === rows.length
          ? 'Nothing ever changes: every checkpoint holds the same weights'
          : `${namesText(never.map(({ name }) => name))} never ${never.length === 1 ? 'changes' : 'change'}`,
      row: never[0]!.name,
    })
  }
  const stopped = rows.flatMap((row) => {
    const since = restsSince(row)
    return since === undefined ? [] : [{ row: row.name, since }]
  })
  if (stopped.length > 0) {
    const { row, since } = stopped[0]!
    found.push({
      kind: 'warn',
      text: `${namesText(stopped.map(({ row }) => row))} ${stopped.length === 1 ? 'rests' : 'rest'} from ${step(since)} on`,
      row,
      interval: since,
    })
  }
  return found
}

/** The step of a checkpoint, or its name if it knows none. */
export function stepText({ facts, file }: RunFile): string {
  return facts.step === null ? nameText(file.name) : `step ${countText(facts.step)}`
}

interface First {
  readonly row: string
  readonly interval: number
  /** All rows of that interval. */
  readonly rows: readonly string[]
}

/** The first interval with such a cell. */
function firstOf(
  rows: readonly Row[],
  is: (cell: Row['cells'][number]) => boolean,
): First | undefined {
  const intervals = rows[0]?.cells.length ?? 0
  for (let interval = 0; interval < intervals; interval++) {
    const names = rows.filter(({ cells }) => is(cells[interval]!)).map(({ name }) => name)
    if (names.length > 0) return { row: names[0]!, interval, rows: names }
  }
  return undefined
}

/** The first jump of each row that has one, the largest first. The first interval is a start, and no jump. */
function blowUps(rows: readonly Row[]) {
  const others = Array.from({ length: rows[0]?.cells.length ?? 0 }, (_, i) =>
    median(rows.map(({ cells }) => cells[i]!.relative).filter((move) => move > 0)),
  )
  return rows
    .flatMap(({ name, cells }) => {
      const moves = cells.map(({ relative }) => relative)
      const usual = median(moves.filter((move) => move > 0 && Number.isFinite(move)))
      const interval = moves.findIndex(
        (move, i) =>
          i > 0 &&
          Number.isFinite(move) &&
          ((move > LARGE && move > TIMES * usual) ||
            (move > MORE * usual && move > AWAY * others[i]!)),
      )
      return interval === -1 ? [] : [{ row: name, interval, relative: moves[interval]!, usual }]
    })
    .sort((a, b) => b.relative / b.usual - a.relative / a.usual)
}

/** The checkpoint from which on a row that moved before stays the same. */
function restsSince({ cells }: Row): number | undefined {
  let since = cells.length
  while (since > 0 && cells[since - 1]!.isEqual) since--
  const moved = cells.slice(0, since).filter(({ relative }) => relative > 0).length
  return cells.length - since >= RESTED && moved >= MOVED ? since : undefined
}

function namesText(names: readonly string[], first: string = names[0]!): string {
  const shown = [first, ...names.filter((name) => name !== first)].slice(0, NAMED).map(nameText)
  const more = names.length - shown.length
  if (more > 0) return `${shown.join(', ')} and ${countText(more)} more`
  return shown.length < 2 ? shown.join() : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`
}
