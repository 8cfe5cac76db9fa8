/** `ckpt log`: the checkpoints of a folder, one line each. */

import { checkHealth, diffCheckpoints, type NonFiniteTensor } from '../diff/node/diff.js'
import { isCheckpointError } from '../errors.js'
import { mapAtOnce } from '../io/concurrency.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { inOrder } from '../manager/retention.js'
import { printable } from '../printable.js'
import { filesIn, type LocatedFile, openAt } from './locations.js'
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

// Files that are open at once.
const AT_ONCE = 8

/** A checkpoint in the folder. */
interface Entry {
  /** Its location, by the folder as it was given. */
  readonly file: string
  /** In the folder. */
  readonly name: string
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
 * Prints a line for each `.ckpt` file of the folder, or below the prefix of a bucket, oldest first, and returns the exit
 * code: a failure if a file cannot be read, or `health` finds NaN or infinities. Throws if the folder cannot be read.
 */
export async function log(
  folder: string,
  { json, health }: { readonly json: boolean; readonly health: boolean },
  terminal: Terminal,
): Promise<number> {
  const files = (await filesIn(folder)).filter(({ name }) => name.endsWith('.ckpt'))
  const failures: Failure[] = []
  const entries: Entry[] = []
  for (let i = 0; i < files.length; i += AT_ONCE) {
    const some = files.slice(i, i + AT_ONCE)
    for (const [k, opened] of (await openAll(some.map(({ location }) => location))).entries()) {
      if ('error' in opened) failures.push(opened)
      else entries.push(entryOf(some[k]!, opened.checkpoint))
      if ('checkpoint' in opened) opened.checkpoint.close()
    }
  }
  const log: (Entry & Findings)[] = []
  let before: Checkpoint | undefined
  let waiting: Opened[] = []
  const bar = new ProgressBar(terminal, folder)
  const onProgress = (progress: { done: number; total: number }) => bar.update(progress)
  const ordered = inOrder(entries)
  try {
    for (const [i, entry] of ordered.entries()) {
      if (waiting.length === 0) {
        waiting = await openAll(ordered.slice(i, i + AT_ONCE).map(({ file }) => file))
      }
      const opened = waiting.shift()!
      if ('error' in opened) {
        failures.push(opened)
        continue
      }
      const { checkpoint } = opened
      try {
        const changed = before === undefined ? null : await changeText(before, checkpoint)
        const nonFinite = health
          ? await checkHealth(checkpoint, { onProgress, signal: terminal.gone })
          : null
        log.push({ ...entry, changed, nonFinite })
        before?.close()
        before = checkpoint
      } catch (error) {
        checkpoint.close()
        // The reader of the output has closed it.
        if (terminal.gone.aborted) return EXIT_FAILURE
        failures.push({ file: entry.file, error })
      }
    }
  } finally {
    before?.close()
    for (const opened of waiting) if ('checkpoint' in opened) opened.checkpoint.close()
    bar.clear()
  }
  terminal.stdout.write(
    json ? jsonText(logJson(folder, log, failures)) : logText(folder, log, failures, terminal),
  )
  for (const { error } of failures) printStack(terminal, error)
  const isHealthy = log.every(({ nonFinite }) => nonFinite === null || nonFinite.length === 0)
  return failures.length === 0 && isHealthy ? EXIT_OK : EXIT_FAILURE
}

type Opened = { readonly checkpoint: Checkpoint } | Failure

/** Opens files at once, since each in a bucket takes two requests. The caller closes what is open. */
function openAll(files: readonly string[]): Promise<Opened[]> {
  return mapAtOnce(files, AT_ONCE, async (file) => {
    try {
      return { checkpoint: await openAt(file) }
    } catch (error) {
      return { file, error }
    }
  })
}

function entryOf({ name, location: file }: LocatedFile, checkpoint: Checkpoint): Entry {
  const { epoch, step, loss, metrics, sequence, byteLength, states } = checkpoint
  const tensors = states.reduce((sum, state) => sum + state.size, 0)
  return { file, name, epoch, step, loss, metrics, sequence, byteLength, tensors }
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
    const { name, epoch, step, loss, byteLength, changed, nonFinite } = entry
    const bad = nonFinite === null ? '' : healthText(nonFinite)
    return {
      cells: [
        nameText(name),
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
    checkpoints: log.map(({ name: _, loss, metrics, ...entry }) => ({
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
