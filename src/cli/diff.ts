/** `ckpt diff`: prints the differences between two checkpoints, for a person or as JSON. */

import { type Difference, DifferenceSums } from '../diff/difference.js'
import {
  type CheckpointDiff,
  diffCheckpoints,
  type StateChange,
  type TensorChange,
  type TensorFacts,
  type ValueChange,
} from '../diff/node/diff.js'
import type { Attribute } from '../format/attributes.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { printable } from '../printable.js'
import { openAt } from './locations.js'
import { attributeJson, numberJson } from './metadata.js'
import { ProgressBar } from './progress-bar.js'
import { EXIT_DIFFERENT, EXIT_OK, type Terminal, widthOf } from './terminal.js'
import {
  type Column,
  cutText,
  formatCount,
  formatThings,
  jsonText,
  nameText,
  type Row,
  tableLines,
} from './text.js'

/** The usage of `ckpt diff`. */
export interface DiffCommand {
  readonly json: boolean
  readonly exitCode: boolean
  /** A row for each tensor, not for each layer. */
  readonly tensors: boolean
  /** Whether to read no tensor. */
  readonly quick: boolean
}

// Characters for a value: a sampler's state may be a list of a million numbers.
const VALUE_WIDTH = 60

const PERCENT = new Intl.NumberFormat('en', { style: 'percent', maximumSignificantDigits: 3 })

/** Prints the differences between the two files and returns the exit code. Throws a CheckpointError. */
export async function diff(
  [first, second]: readonly [string, string],
  { json, exitCode, tensors, quick }: DiffCommand,
  terminal: Terminal,
): Promise<number> {
  const bar = new ProgressBar(terminal, second)
  const opened: Checkpoint[] = []
  let found: CheckpointDiff
  try {
    // Not mapped, so that a failed read is an error that can be reported.
    for (const file of [first, second]) opened.push(await openAt(file))
    const [before, after] = opened as [Checkpoint, Checkpoint]
    found = await diffCheckpoints(before, after, {
      numbers: !quick,
      onProgress: (progress) => bar.update(progress),
      signal: terminal.gone,
    })
  } finally {
    for (const checkpoint of opened) checkpoint.close()
    bar.clear()
  }
  terminal.stdout.write(
    json
      ? jsonText({ before: first, after: second, ...diffJson(found) })
      : `${diffLines(first, second, found, tensors, widthOf(terminal.stdout)).join('\n')}\n`,
  )
  return exitCode && !found.equal ? EXIT_DIFFERENT : EXIT_OK
}

function diffLines(
  first: string,
  second: string,
  { equal, progress, config, save, states }: CheckpointDiff,
  byTensor: boolean,
  width: number | undefined,
): string[] {
  const lines = [`- ${printable(first)}`, `+ ${printable(second)}`]
  if (equal) lines.push('', 'the same training: every value and every tensor is equal')
  const group = (title: string, changes: readonly ValueChange[]): void => {
    if (changes.length > 0) lines.push('', title, ...valueLines(changes))
  }
  group('progress', progress)
  group('config', config)
  group('save', save)
  for (const state of states) lines.push('', ...stateLines(state, byTensor, width))
  return lines
}

function valueLines(changes: readonly ValueChange[]): string[] {
  return changes.map(({ path, before, after }) => {
    const name = path === '' ? '' : `${nameText(path)}: `
    if (before === undefined) return `  + ${name}${valueText(after)}`
    if (after === undefined) return `  - ${name}${valueText(before)}`
    return `  ~ ${name}${valueText(before)} → ${valueText(after)}`
  })
}

/** On one line, and shortened. */
function valueText(value: Attribute | undefined): string {
  const text = JSON.stringify(value, (_, item) => {
    if (typeof item === 'bigint') return `${item}n`
    return typeof item === 'number' ? numberJson(item) : item
  })
  return cutText(printable(text.replace(/"(NaN|-?Infinity|-0|-?\d+n)"/g, '$1')), VALUE_WIDTH)
}

const COLUMNS: readonly Column[] = [
  { title: 'changed' },
  { title: 'largest', align: 'right' },
  { title: 'mean', align: 'right' },
  { title: 'relative', align: 'right' },
  { title: 'differ', align: 'right' },
]

function stateLines(state: StateChange, byTensor: boolean, width: number | undefined): string[] {
  const { name, change, kind, attributes, tensors, equalTensors } = state
  const count = (what: TensorChange['change'][]) =>
    tensors.filter(({ change }) => what.includes(change)).length
  const counts = [
    [count(['bytes', 'dtype', 'shape']), 'changed'],
    [count(['added']), 'added'],
    [count(['removed']), 'removed'],
    [equalTensors, 'equal'],
  ] as const
  const summary = counts.filter(([n]) => n > 0).map(([n, what]) => `${formatCount(n)} ${what}`)
  const sign = { added: '+ ', removed: '- ', changed: '' }[change]
  const lines = [`${sign}${nameText(name)}: ${summary.join(', ') || 'no tensors'}`]
  lines.push(...valueLines([...(kind === null ? [] : [kind]), ...attributes]))
  // All tensors of an added or removed state are added or removed too.
  if (change !== 'changed') return lines
  for (const tensor of tensors) {
    if (tensor.change === 'bytes') continue
    const sides = [tensor.before, tensor.after].filter((facts) => facts !== null).map(factsText)
    const sign = { added: '+', removed: '-', shape: '~', dtype: '~' }[tensor.change]
    lines.push(`  ${sign} ${nameText(tensor.name)}: ${sides.join(' → ')}`)
  }
  const rows = [...rowsOf(tensors, byTensor)].map(([title, row]): Row => {
    const { sums, count } = row
    const of = count === 1 ? '' : `${formatThings(count, 'tensor')}`
    if (sums === undefined) return { cells: [title, '', '', '', ''], note: of }
    const total = sums.total
    const notes = [of, nonFiniteText(total)].filter((text) => text !== '')
    return { cells: [title, ...differenceCells(total)], note: notes.join(', ') }
  })
  if (rows.length > 0) {
    const table = tableLines(COLUMNS, rows, width === undefined ? undefined : width - 2)
    lines.push(...table.map((line) => `  ${line}`))
  }
  return lines
}

interface LayerRow {
  /** Absent if the numbers were not compared. */
  sums: DifferenceSums | undefined
  count: number
}

/**
 * Groups tensors whose numbers or bytes differ by layer: the name without its last part. A layer with one such tensor
 * is listed under the tensor's name.
 */
function rowsOf(tensors: readonly TensorChange[], byTensor: boolean): Map<string, LayerRow> {
  const layers = new Map<string, TensorChange[]>()
  for (const tensor of tensors) {
    if (tensor.change !== 'bytes' && tensor.difference === null) continue
    const layer = byTensor ? tensor.name : tensor.name.replace(/\.[^./]*$/, '')
    const others = layers.get(layer)
    if (others === undefined) layers.set(layer, [tensor])
    else others.push(tensor)
  }
  const rows = new Map<string, LayerRow>()
  for (const [layer, members] of layers) {
    const sums = new DifferenceSums()
    let compared = true
    for (const { difference } of members) {
      if (difference === null) compared = false
      else sums.addAll(difference)
    }
    const title = members.length === 1 ? members[0]!.name : layer
    rows.set(nameText(title), { sums: compared ? sums : undefined, count: members.length })
  }
  return rows
}

function differenceCells({ largest, mean, relativeNorm, share }: Difference): string[] {
  return [digits(largest), digits(mean), digits(relativeNorm), PERCENT.format(share)]
}

function nonFiniteText({ nonFinite }: Difference): string {
  return nonFinite === 0 ? '' : `${formatCount(nonFinite)} to or from NaN or infinity`
}

/** Three significant digits. */
function digits(value: number): string {
  return value === 0 || !Number.isFinite(value) ? String(value) : value.toPrecision(3)
}

function factsText({ dtype, shape }: TensorFacts): string {
  return `${dtype} [${shape.join(', ')}]`
}

function diffJson({ equal, progress, config, save, states }: CheckpointDiff): object {
  return {
    equal,
    progress: progress.map(valueJson),
    config: config.map(valueJson),
    save: save.map(valueJson),
    states: states.map((state) => ({
      ...state,
      kind: state.kind === null ? null : valueJson(state.kind),
      attributes: state.attributes.map(valueJson),
      tensors: state.tensors.map((tensor) => ({
        ...tensor,
        difference:
          tensor.difference === null
            ? null
            : Object.fromEntries(
                Object.entries(tensor.difference).map(([key, value]) => [key, numberJson(value)]),
              ),
      })),
    })),
  }
}

/** If a side has no value, the key is absent. */
function valueJson({ path, before, after }: ValueChange): object {
  return {
    path,
    ...(before === undefined ? {} : { before: attributeJson(before) }),
    ...(after === undefined ? {} : { after: attributeJson(after) }),
  }
}
