/** `ckpt convert`: converts a file from one format to another. */

import { type ConvertOptions, planConversion } from '../exchange/convert.js'
import { namingPath, openInput, outputAt } from '../exchange/node/places.js'
import type { ForeignState, Training } from '../exchange/training.js'
import { printable } from '../printable.js'
import { storedAt } from './locations.js'
import { ProgressBar } from './progress-bar.js'
import { EXIT_FAILURE, EXIT_OK, type Terminal, widthOf } from './terminal.js'
import {
  type Column,
  formatBytes,
  formatCount,
  formatSeconds,
  formatThings,
  nameText,
  type Row,
  tableLines,
} from './text.js'

const COLUMNS: readonly Column[] = [
  { title: 'name' },
  { title: 'dtype' },
  { title: 'shape' },
  { title: 'bytes', align: 'right' },
]

/** Converts the file, or prints what would be written. Returns the exit code. Throws a CheckpointError. */
export async function convert(
  from: string,
  to: string,
  options: ConvertOptions & { readonly dryRun: boolean },
  terminal: Terminal,
): Promise<number> {
  const { gone: signal, now, stdout } = terminal
  const { dryRun, ...rest } = options
  const bar = new ProgressBar(terminal, to)
  const onProgress: ConvertOptions['onProgress'] = (progress) => bar.update(progress)
  const [source, target] = [(await storedAt(from)) ?? from, (await storedAt(to)) ?? to]
  const input = await openInput(source)
  const output = outputAt(target)
  const conversion = await namingPath(source, () =>
    planConversion(input, output, { ...rest, onProgress, signal }),
  )
  const { training } = conversion
  try {
    const title = `${printable(from)} (${conversion.input.name}) -> ${printable(to)} (${conversion.output.name})`
    if (dryRun) {
      const lines = [title, '', ...trainingLines(training, widthOf(stdout))]
      stdout.write(`${lines.join('\n')}\n`)
      return EXIT_OK
    }
    const start = now()
    const report = await namingPath(target, () => conversion.write())
    bar.clear()
    const seconds = (now() - start) / 1000
    const size = `${formatThings(report.tensors, 'tensor')}, ${formatBytes(report.byteLength)}`
    stdout.write(`${title}: ${size}, ${formatSeconds(seconds)}\n`)
    return EXIT_OK
  } catch (error) {
    // The reader of the output has closed it, which ended the conversion.
    if (signal.aborted) return EXIT_FAILURE
    throw error
  } finally {
    bar.clear()
    training.close()
  }
}

function trainingLines(training: Training, width: number | undefined): string[] {
  const { model, optimizer, extras, progress } = training
  const { epoch, step, loss } = progress
  const states: [name: string, state: ForeignState][] = [
    ['model', model],
    ...(optimizer === null ? [] : [['optimizer', optimizer] as [string, ForeignState]]),
    ...extras,
  ]
  return [
    ...(step === undefined
      ? []
      : [`epoch ${epoch ?? 0}, step ${step}, loss ${loss ?? 'none yet'}`]),
    ...states.flatMap(([name, state], i) => [
      ...(i === 0 ? [] : ['']),
      ...stateLines(name, state, width),
    ]),
  ]
}

function stateLines(name: string, state: ForeignState, width: number | undefined): string[] {
  const first = new Map<object, string>()
  let byteLength = 0
  const rows = Array.from(state.values(), (tensor): Row => {
    const cells = [nameText(tensor.name), tensor.dtype, `[${tensor.shape.join(', ')}]`]
    const tied = first.get(tensor.segment())
    if (tied !== undefined) return { cells, note: `= ${tied}` }
    first.set(tensor.segment(), nameText(tensor.name))
    byteLength += tensor.byteLength
    return { cells: [...cells, formatBytes(tensor.byteLength)] }
  })
  const kind = state.kind === null ? '' : ` (${nameText(state.kind)})`
  const attributes = Object.keys(state.attributes).length
  const more = attributes === 0 ? '' : `, ${formatCount(attributes)} attributes`
  const title = `${nameText(name)}${kind}: ${formatThings(state.size, 'tensor')}, ${formatBytes(byteLength)}${more}`
  const table = tableLines(COLUMNS, rows, width === undefined ? undefined : width - 2)
  return state.size === 0 ? [title] : [title, ...table.map((line) => `  ${line}`)]
}
