/** `ckpt inspect`: prints the contents of a checkpoint for a person or as JSON. Reads no tensor. */

import { inspect as valueText } from 'node:util'
import { allStates, type Metadata, type StateRecord } from '../format/metadata.js'
import type { TensorRecord } from '../format/tensor-table.js'
import { printable } from '../printable.js'
import {
  configValue,
  fileMetadata,
  findTies,
  inspectJson,
  stateSize,
  type TensorName,
} from './metadata.js'
import { EXIT_OK, type Terminal, widthOf } from './terminal.js'
import {
  type Column,
  cutText,
  formatBytes,
  formatCount,
  formatThings,
  jsonText,
  nameText,
  type Row,
  tableLines,
} from './text.js'

// Attributes and configs are broken into lines of about this many cells, with a terminal or without.
const LINE_WIDTH = 80

// Limits for printing one attribute or config: a sampler's state may be a list of a million numbers.
const SHOWN = { depth: Number.POSITIVE_INFINITY, maxArrayLength: 20, maxStringLength: 1000 }

// Most cells for the name of another tensor, which its own row shows in full. The output stays in proportion to the
// file, however many tensors are tied to one with a long name.
const TIE_WIDTH = 160

// Significant digits, so that a very small share is not printed as zero.
const PERCENT = new Intl.NumberFormat('en', { style: 'percent', maximumSignificantDigits: 3 })

const COLUMNS: readonly Column[] = [
  { title: 'name' },
  { title: 'dtype' },
  { title: 'shape' },
  { title: 'bytes', align: 'right' },
]

/** Prints the contents of a file and returns the exit code. Throws a CheckpointError. */
export async function inspect(file: string, json: boolean, terminal: Terminal): Promise<number> {
  const metadata = await fileMetadata(file)
  const { stdout } = terminal
  stdout.write(
    json
      ? jsonText(inspectJson(file, metadata))
      : `${inspectLines(file, metadata, widthOf(stdout)).join('\n')}\n`,
  )
  return EXIT_OK
}

/** The lines for a person. If there is a `width`, names are cut to it. */
export function inspectLines(file: string, metadata: Metadata, width?: number): string[] {
  const ties = findTies(metadata)
  return [
    printable(file),
    '',
    ...overviewLines(metadata),
    ...allStates(metadata).flatMap((state) => ['', ...stateLines(state, metadata, ties, width)]),
  ]
}

function overviewLines(metadata: Metadata): string[] {
  const { progress, fileLength, metadataLength, version } = metadata
  const { epoch, step, loss, metrics, config, sequence, savedAt } = progress
  const states = allStates(metadata)
  const tensors = states.reduce((sum, state) => sum + state.tensors.length, 0)
  const segments = new Map(
    states.flatMap(({ tensors }) => Array.from(tensors, (t) => [t.offset, t.byteLength] as const)),
  )
  const tensorBytes = [...segments.values()].reduce((sum, length) => sum + length, 0)
  const overhead = fileLength - tensorBytes
  return [
    `epoch     ${epoch}`,
    `step      ${step}`,
    `loss      ${loss === null ? 'none yet' : valueText(loss)}`,
    ...metricLines(metrics),
    ...configLines(config),
    ...(sequence === null ? [] : [`sequence  ${sequence}`]),
    ...(savedAt === null ? [] : [`saved at  ${timeText(savedAt)}`]),
    `tensors   ${formatCount(tensors)} in ${formatThings(states.length, 'state')}, ` +
      formatBytes(tensorBytes),
    `file      ${exactBytes(fileLength)}, format version ${version}`,
    `metadata  ${exactBytes(metadataLength)}`,
    `overhead  ${exactBytes(overhead)}, ${PERCENT.format(overhead / fileLength)} of the file`,
  ]
}

/** The time as a date, or in milliseconds if no date can hold it. */
function timeText(savedAt: number): string {
  const date = new Date(savedAt)
  return Number.isNaN(date.getTime()) ? `${savedAt} ms since 1970` : date.toISOString()
}

function metricLines(metrics: { readonly [name: string]: number }): string[] {
  const rows = Object.entries(metrics).map(([name, value]) => ({
    cells: [nameText(name), valueText(value)],
  }))
  const [, ...lines] = tableLines([{ title: '' }, { title: '' }], rows)
  return lines.map((line, i) => `${i === 0 ? 'metrics ' : '        '}  ${line}`)
}

// Numbers that may have more digits than a double holds, or that exceed its range.
const LOSSY = /\d{16}|e\+?\d{3}/i

function configLines(config: string | null): string[] {
  if (config === null) return []
  const value = LOSSY.test(config) ? undefined : configValue(config)
  const lines = value === undefined ? config.split(/\r?\n/).map(printable) : valueLines('', value)
  return lines.map((line, i) => `${i === 0 ? 'config  ' : '        '}  ${line}`.trimEnd())
}

/** A value after its label, on one line or on several indented ones. */
function valueLines(label: string, value: unknown): string[] {
  const breakLength = LINE_WIDTH - label.length
  const lines = valueText(value, { ...SHOWN, breakLength })
    .split('\n')
    .map(printable)
  return [label + lines[0], ...lines.slice(1)]
}

function stateLines(
  state: StateRecord,
  { model, optimizer }: Metadata,
  ties: ReadonlyMap<TensorRecord, TensorName>,
  width: number | undefined,
): string[] {
  const role = state === model || state === optimizer ? '' : 'extra '
  const kind = state.kind === null ? '' : ` (${nameText(state.kind)})`
  const size = stateSize(state)
  const tied = size.tied === 0 ? '' : ` (${formatCount(size.tied)} tied)`
  const lines = [
    `${role}${nameText(state.name)}${kind}: ${formatThings(state.tensors.length, 'tensor')}${tied}, ` +
      `${formatThings(size.elements, 'element')}, ${formatBytes(size.byteLength)}`,
  ]
  for (const [key, value] of Object.entries(state.attributes)) {
    for (const line of valueLines(`${nameText(key)}: `, value)) lines.push(indented(line))
  }
  if (state.tensors.length === 0) return lines
  const rows = Array.from(state.tensors, (tensor): Row => {
    const cells = [nameText(tensor.name), tensor.dtype, `[${tensor.shape.join(', ')}]`]
    const tie = ties.get(tensor)
    // A tied tensor shows the name of the other tensor instead of its bytes, which are counted there.
    return tie === undefined
      ? { cells: [...cells, formatBytes(tensor.byteLength)] }
      : { cells, note: tieText(tie, state) }
  })
  const table = tableLines(COLUMNS, rows, width === undefined ? undefined : width - 2)
  return [...lines, ...(lines.length > 1 ? [''] : []), ...table.map(indented)]
}

function tieText({ state, tensor }: TensorName, here: StateRecord): string {
  const of = state === here.name ? '' : ` of ${nameText(state)}`
  return `= ${cutText(nameText(tensor), TIE_WIDTH)}${of}`
}

function exactBytes(bytes: number): string {
  const rounded = formatBytes(bytes)
  return bytes < 1024 ? rounded : `${rounded} (${formatCount(bytes)} bytes)`
}

function indented(line: string): string {
  return line === '' ? '' : `  ${line}`
}
