/** `ckpt inspect`: what is in a checkpoint, for a person or as JSON. Reads no tensor. */

import {
  allStates,
  type Metadata,
  type StateRecord,
  type TensorRecord,
} from '../format/metadata.js'
import { printable } from '../printable.js'
import { commandArguments, UsageError } from './arguments.js'
import { attributeOutline, keyText } from './attribute-outline.js'
import { fileMetadata } from './file-metadata.js'
import { helpText } from './help.js'
import { inspectJson } from './inspect-json.js'
import { jsonDocument, jsonOutline } from './json-text.js'
import { nameText } from './name.js'
import { outlineLines } from './outline.js'
import { formatBytes, formatCount, formatNumber, formatShare, formatThings } from './quantity.js'
import { type Column, type Row, tableLines } from './table.js'
import { EXIT_OK, type Terminal, widthOf } from './terminal.js'
import { cutText } from './text-width.js'
import { findTies, stateSize, type TensorName } from './ties.js'

// Attributes and configs are broken into lines of this many cells, in a terminal or not.
const OUTLINE_WIDTH = 80

// Most cells for the name of another tensor, which is printed whole where that one is listed. However
// many tensors are tied to one of a long name, the output stays in proportion to the file.
const TIE_WIDTH = 160

const COLUMNS: readonly Column[] = [
  { title: 'name' },
  { title: 'dtype' },
  { title: 'shape' },
  { title: 'bytes', align: 'right' },
]

/** Runs the command and returns its exit code. Throws a UsageError, or what the file is guilty of. */
export async function inspect(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { flags, files } = commandArguments('inspect', argv, ['json', 'help'])
  const { stdout } = terminal
  if (flags.has('help')) {
    stdout.write(helpText('inspect'))
    return EXIT_OK
  }
  const [file, second] = files
  if (file === undefined) throw new UsageError('inspect needs a file', 'inspect')
  if (second !== undefined) {
    throw new UsageError(`inspect takes one file, not ${files.length}`, 'inspect')
  }
  const metadata = await fileMetadata(file)
  stdout.write(
    flags.has('json')
      ? jsonDocument(inspectJson(file, metadata))
      : `${inspectLines(file, metadata, widthOf(stdout)).join('\n')}\n`,
  )
  return EXIT_OK
}

/** The lines for a person. Where there is a `width`, names are cut to it. */
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
  const { epoch, step, loss, metrics, config } = progress
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
    `loss      ${loss === null ? 'none yet' : formatNumber(loss)}`,
    ...metricLines(metrics),
    ...configLines(config),
    `tensors   ${formatCount(tensors)} in ${formatThings(states.length, 'state')}, ` +
      formatBytes(tensorBytes),
    `file      ${exactBytes(fileLength)}, format version ${version}`,
    `metadata  ${exactBytes(metadataLength)}`,
    `overhead  ${exactBytes(overhead)}, ${formatShare(overhead, fileLength)} of the file`,
  ]
}

function metricLines(metrics: { readonly [name: string]: number }): string[] {
  const rows = Object.entries(metrics).map(([name, value]) => ({
    cells: [nameText(name), formatNumber(value)],
  }))
  const [, ...lines] = tableLines([{ title: '' }, { title: '' }], rows)
  return lines.map((line, i) => `${i === 0 ? 'metrics ' : '        '}  ${line}`)
}

function configLines(config: string | null): string[] {
  if (config === null) return []
  const outline = jsonOutline(config)
  const lines =
    outline === undefined
      ? config.split(/\r?\n/).map(printable)
      : outlineLines(outline, OUTLINE_WIDTH - 'config    '.length)
  return lines.map((line, i) => `${i === 0 ? 'config  ' : '        '}  ${line}`.trimEnd())
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
  const tied = size.repeated === 0 ? '' : ` (${formatCount(size.repeated)} tied)`
  const lines = [
    `${role}${nameText(state.name)}${kind}: ${formatThings(size.tensors, 'tensor')}${tied}, ` +
      `${formatThings(size.elements, 'element')}, ${formatBytes(size.byteLength)}`,
  ]
  for (const [key, value] of Object.entries(state.attributes)) {
    const label = `${keyText(key)}: `
    for (const line of outlineLines(attributeOutline(value), OUTLINE_WIDTH, label)) {
      lines.push(indented(line))
    }
  }
  if (state.tensors.length === 0) return lines
  const rows = Array.from(state.tensors, (tensor): Row => {
    const cells = [nameText(tensor.name), tensor.dtype, `[${tensor.shape.join(', ')}]`]
    const tie = ties.get(tensor)
    // Where its bytes are counted already, the name of that place stands instead of them.
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
