/** `ckpt log`: the checkpoints of a folder, one line each. */

import { readdir } from 'node:fs/promises'
import { checkHealth, diffCheckpoints, type NonFiniteTensor } from '../diff/diff.js'
import { isCheckpointError } from '../errors.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { loadCheckpoint } from '../load/load.js'
import { inOrder } from '../manager/retention.js'
import { fileIn, pathOf } from '../path.js'
import { printable } from '../printable.js'
import { numberJson } from './metadata.js'
import { ProgressBar } from './progress-bar.js'
import { EXIT_FAILURE, EXIT_OK, errorText, printStack, type Terminal, widthOf } from './terminal.js'
import {
  type Column,
  formatBytes,
  formatCount,
  formatThings,
  jsonText,
  nameText,
  type Row,
  tableLines,
} from './text.js'

/** A checkpoint in the folder. */
interface Entry {
  readonly file: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  readonly sequence: number | null
  /** In bytes. */
  readonly byteLength: number
  readonly tensors: number
}

/** Further facts about a checkpoint. */
interface Findings {
  /** The changes since the checkpoint before it, in words; null for the first. */
  changed: string | null
  /** Null if it was not asked for. */
  nonFinite: readonly NonFiniteTensor[] | null
}

interface Failure {
  readonly file: string
  readonly error: unknown
}

/**
 * Prints a line for each `.ckpt` file of the folder, oldest first, and returns the exit code: a failure if a file
 * cannot be read, or `health` finds NaN or infinities. Throws the system's error if the folder cannot be read.
 */
export async function log(
  folder: string,
  { json, health }: { readonly json: boolean; readonly health: boolean },
  terminal: Terminal,
): Promise<number> {
  const names = (await readdir(pathOf(folder))).filter((name) => name.endsWith('.ckpt')).sort()
  const failures: Failure[] = []
  const entries: Entry[] = []
  for (const name of names) {
    const file = fileIn(folder, name)
    try {
      entries.push(await withCheckpoint(file, async (checkpoint) => entryOf(file, checkpoint)))
    } catch (error) {
      failures.push({ file, error })
    }
  }
  const log: (Entry & Findings)[] = []
  let before: Checkpoint | undefined
  const bar = new ProgressBar(terminal, folder)
  try {
    for (const entry of inOrder(entries)) {
      let checkpoint: Checkpoint | undefined
      try {
        checkpoint = await loadCheckpoint(entry.file, { map: false })
        const changed = before === undefined ? null : await changeText(before, checkpoint)
        const onProgress = (progress: { done: number; total: number }) => bar.update(progress)
        const nonFinite = health
          ? await checkHealth(checkpoint, { onProgress, signal: terminal.gone })
          : null
        log.push({ ...entry, changed, nonFinite })
        before?.close()
        before = checkpoint
      } catch (error) {
        checkpoint?.close()
        // The reader of the output has closed it.
        if (terminal.gone.aborted) return EXIT_FAILURE
        failures.push({ file: entry.file, error })
      }
    }
  } finally {
    before?.close()
    bar.clear()
  }
  terminal.stdout.write(
    json ? jsonText(logJson(folder, log, failures)) : logText(folder, log, failures, terminal),
  )
  for (const { error } of failures) printStack(terminal, error)
  const isHealthy = log.every(({ nonFinite }) => nonFinite === null || nonFinite.length === 0)
  return failures.length === 0 && isHealthy ? EXIT_OK : EXIT_FAILURE
}

async function withCheckpoint<T>(
  file: string,
  use: (checkpoint: Checkpoint) => Promise<T>,
): Promise<T> {
  const checkpoint = await loadCheckpoint(file, { map: false })
  try {
    return await use(checkpoint)
  } finally {
    checkpoint.close()
  }
}

function entryOf(file: string, checkpoint: Checkpoint): Entry {
  const { epoch, step, loss, metrics, sequence, byteLength, states } = checkpoint
  const tensors = states.reduce((sum, state) => sum + state.size, 0)
  return { file, epoch, step, loss, metrics, sequence, byteLength, tensors }
}

/** The changes from one checkpoint to the next, by their metadata only. */
async function changeText(before: Checkpoint, after: Checkpoint): Promise<string> {
  const { config, states } = await diffCheckpoints(before, after, { numbers: false })
  const changed = new Map(states.map((state) => [state.name, state]))
  const texts = config.length > 0 ? ['config'] : []
  for (const { name, size } of after.states) {
    const state = changed.get(name)
    if (state === undefined) continue
    if (state.change === 'added') {
      texts.push(`+${nameText(name)}`)
      continue
    }
    const count = (what: string) => state.tensors.filter(({ change }) => change === what).length
    const added = count('added')
    const removed = count('removed')
    const different = state.tensors.length - added - removed
    const parts = [
      ...(different === 0 ? [] : [different === size ? 'all' : `${different} of ${size}`]),
      ...(added === 0 ? [] : [`+${added}`]),
      ...(removed === 0 ? [] : [`-${removed}`]),
      ...(state.attributes.length === 0 || state.tensors.length > 0 ? [] : ['attributes']),
    ]
    texts.push(`${nameText(name)} ${parts.join(' ')}`.trimEnd())
  }
  for (const { name, change } of states) if (change === 'removed') texts.push(`-${nameText(name)}`)
  return texts.join(', ') || 'nothing'
}

function logText(
  folder: string,
  log: readonly (Entry & Findings)[],
  failures: readonly Failure[],
  terminal: Terminal,
): string {
  const metrics = [...new Set(log.flatMap(({ metrics }) => Object.keys(metrics)))]
  const columns: Column[] = [
    { title: 'file' },
    { title: 'epoch', align: 'right' },
    { title: 'step', align: 'right' },
    { title: 'loss', align: 'right' },
    ...metrics.map((name): Column => ({ title: nameText(name), align: 'right' })),
    { title: 'size', align: 'right' },
    { title: 'changed' },
  ]
  const rows = log.map((entry): Row => {
    const { file, epoch, step, loss, byteLength, changed, nonFinite } = entry
    const bad = nonFinite === null ? '' : healthText(nonFinite)
    return {
      cells: [
        nameText(file.slice(fileIn(folder, '').length)),
        formatCount(epoch),
        formatCount(step),
        loss === null ? '' : numberText(loss),
        ...metrics.map((name) =>
          Object.hasOwn(entry.metrics, name) ? numberText(entry.metrics[name]!) : '',
        ),
        formatBytes(byteLength),
        changed ?? '',
      ],
      ...(bad === '' ? {} : { note: bad }),
    }
  })
  const lines = log.length === 0 ? [] : tableLines(columns, rows, widthOf(terminal.stdout))
  const spark = sparkLine(log.map(({ loss }) => loss))
  if (spark !== '') lines.push('', `loss  ${spark}`)
  if (log.length + failures.length === 0) lines.push(`${printable(folder)}: no .ckpt files`)
  for (const { file, error } of failures) lines.push(`${printable(file)}: ${errorText(error)}`)
  return `${lines.join('\n')}\n`
}

function healthText(nonFinite: readonly NonFiniteTensor[]): string {
  const [first] = nonFinite
  if (first === undefined) return 'healthy'
  const { state, tensor, nan, infinite } = first
  const counts = [
    ...(nan > 0 ? [`${formatCount(nan)} NaN`] : []),
    ...(infinite > 0 ? [`${formatCount(infinite)} infinite`] : []),
  ]
  const more = nonFinite.length - 1
  return (
    `${counts.join(', ')} in ${nameText(state)}: ${nameText(tensor)}` +
    (more > 0 ? ` and in ${formatThings(more, 'other tensor')}` : '')
  )
}

function numberText(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(6))) : String(value)
}

const BARS = '▁▂▃▄▅▆▇█'

/** The losses as bars from the lowest to the highest; `×` for a loss that is not finite, a space for no loss. */
export function sparkLine(losses: readonly (number | null)[]): string {
  const finite = losses.filter((loss) => loss !== null && Number.isFinite(loss)) as number[]
  if (finite.length < 2) return ''
  const low = finite.reduce((a, b) => Math.min(a, b))
  const high = finite.reduce((a, b) => Math.max(a, b))
  const bar = (loss: number): string => {
    // Halved, because the range of two doubles may exceed a double.
    const part = high === low ? 0 : (loss / 2 - low / 2) / (high / 2 - low / 2)
    return BARS[Math.round(part * (BARS.length - 1))]!
  }
  return losses
    .map((loss) => (loss === null ? ' ' : Number.isFinite(loss) ? bar(loss) : '×'))
    .join('')
}

function logJson(
  folder: string,
  log: readonly (Entry & Findings)[],
  failures: readonly Failure[],
): object {
  return {
    folder,
    checkpoints: log.map(({ loss, metrics, ...entry }) => ({
      ...entry,
      loss: loss === null ? null : numberJson(loss),
      metrics: Object.fromEntries(
        Object.entries(metrics).map(([name, value]) => [name, numberJson(value)]),
      ),
    })),
    failures: failures.map(({ file, error }) => ({
      file,
      code: isCheckpointError(error) ? error.code : null,
      message: errorText(error),
    })),
  }
}
