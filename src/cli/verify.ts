/** `ckpt verify`: whether every byte of some files is as it was saved. */

import { type CheckpointErrorCode, isCheckpointError } from '../errors.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { SegmentReader } from '../load/segment.js'
import { printable } from '../printable.js'
import type { ByteProgress } from '../progress.js'
import { openAt } from './locations.js'
import type { TensorName } from './metadata.js'
import { ProgressBar } from './progress-bar.js'
import { EXIT_FAILURE, EXIT_OK, errorText, printStack, type Terminal } from './terminal.js'
import {
  formatBytes,
  formatCount,
  formatSeconds,
  formatThings,
  jsonText,
  nameText,
} from './text.js'

type Verdict = 'ok' | 'damaged' | 'not a checkpoint' | 'unsupported' | 'unreadable'

interface Fault {
  /** Not a CheckpointError if the verification itself failed, e.g. for lack of memory. */
  readonly error: unknown
  /** For a damaged tensor: its length in bytes, and the other tensors over the same bytes. */
  readonly tensor: { readonly byteLength: number; readonly sameAs: readonly TensorName[] } | null
}

interface FileReport {
  readonly file: string
  readonly verdict: Verdict
  /** In bytes; null, like `tensors`, if the metadata could not be read. */
  readonly byteLength: number | null
  /** Number of tensors. */
  readonly tensors: number | null
  readonly seconds: number
  readonly faults: readonly Fault[]
}

const VERDICTS: { readonly [code in CheckpointErrorCode]?: Verdict } = {
  CKPT_NOT_A_CHECKPOINT: 'not a checkpoint',
  CKPT_VERSION: 'unsupported',
  CKPT_BIG_ENDIAN: 'unsupported',
  CKPT_READ: 'unreadable',
  CKPT_FILE_CHANGED: 'unreadable',
}

/** Verifies the files and prints the results. Returns the exit code. */
export async function verify(
  files: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  const reports: FileReport[] = []
  for (const file of files) {
    const report = await checkFile(file, terminal)
    // The reader has exited. Some files are not verified, and the exit code must not claim that they are valid.
    if (report === undefined) return EXIT_FAILURE
    reports.push(report)
    if (!json) terminal.stdout.write(`${reportLines(report).join('\n')}\n`)
    for (const { error } of report.faults) printStack(terminal, error)
  }
  const bad = reports.filter(({ verdict }) => verdict !== 'ok').length
  const sound = bad === 0
  if (json) {
    terminal.stdout.write(jsonText({ sound, files: reports.map(reportJson) }))
  } else if (!sound && reports.length > 1) {
    terminal.stderr.write(
      `ckpt: ${formatCount(bad)} of ${reports.length} files failed verification\n`,
    )
  }
  return sound ? EXIT_OK : EXIT_FAILURE
}

/**
 * Verifies a file, with a bar on a terminal, and reports all of its faults. Returns undefined if the reader of the
 * output has exited. Never throws because of the file.
 */
async function checkFile(file: string, terminal: Terminal): Promise<FileReport | undefined> {
  const { gone: signal, now } = terminal
  const bar = new ProgressBar(terminal, file)
  const onProgress = (progress: ByteProgress) => bar.update(progress)
  const start = now()
  const faults: Fault[] = []
  let checkpoint: Checkpoint | undefined
  let size: Pick<FileReport, 'byteLength' | 'tensors'> = { byteLength: null, tensors: null }
  try {
    checkpoint = await openAt(file)
    const tensors = checkpoint.states.reduce((sum, state) => sum + state.size, 0)
    size = { byteLength: checkpoint.byteLength, tensors }
    let names: ReadonlyMap<SegmentReader, TensorName[]> | undefined
    for await (const error of checkpoint.faults({ onProgress, signal })) {
      names ??= namesBySegment(checkpoint)
      // A yielded fault names the first tensor over the bytes.
      const state = checkpoint.states.find(({ name }) => name === error.state)!
      const segment = state.get(error.tensor!).segment()
      const [, ...sameAs] = names.get(segment)!
      faults.push({ error, tensor: { byteLength: segment.byteLength, sameAs } })
    }
  } catch (error) {
    if (signal.aborted) return undefined
    faults.push({ error, tensor: null })
  } finally {
    checkpoint?.close()
    bar.clear()
  }
  return { file, verdict: verdictOf(faults), ...size, seconds: (now() - start) / 1000, faults }
}

/** The first fault decides, because later faults do not undo damage. */
function verdictOf([first]: readonly Fault[]): Verdict {
  if (first === undefined) return 'ok'
  if (!isCheckpointError(first.error)) return 'unreadable'
  return VERDICTS[first.error.code] ?? 'damaged'
}

/** The names of all tensors over each segment. */
function namesBySegment(checkpoint: Checkpoint): ReadonlyMap<SegmentReader, TensorName[]> {
  const names = new Map<SegmentReader, TensorName[]>()
  for (const state of checkpoint.states) {
    for (const [name, tensor] of state) {
      const segment = tensor.segment()
      const others = names.get(segment)
      if (others === undefined) names.set(segment, [{ state: state.name, tensor: name }])
      else others.push({ state: state.name, tensor: name })
    }
  }
  return names
}

/** The lines for a person: one for a valid file, otherwise one for each fault. */
function reportLines(report: FileReport): string[] {
  const { verdict, faults, byteLength, tensors, seconds } = report
  const file = printable(report.file)
  if (byteLength === null || tensors === null) {
    // Only the reason is known: the file could not be opened as a checkpoint.
    const reason = faults.map(({ error }) => errorText(error)).join('; ')
    return [verdict === 'damaged' ? `${file}: damaged: ${reason}` : `${file}: ${reason}`]
  }
  if (verdict === 'ok') {
    const speed = seconds > 0 ? `, ${formatBytes(Math.round(byteLength / seconds))}/s` : ''
    const size = `${formatBytes(byteLength)}, ${formatThings(tensors, 'tensor')}`
    return [`${file}: ok, ${size}, ${formatSeconds(seconds)}${speed}`]
  }
  return [`${file}: ${damageText(report)}`, ...faults.map((fault) => `  ${faultText(fault)}`)]
}

/** The damage of a file whose metadata is valid. */
function damageText({ verdict, faults, byteLength, tensors }: FileReport): string {
  const damaged = faults.filter(({ tensor }) => tensor !== null)
  const finished = damaged.length === faults.length
  // Tied tensors are damaged together.
  const count = damaged.reduce((sum, { tensor }) => sum + 1 + tensor!.sameAs.length, 0)
  const size = `${formatThings(tensors!, 'tensor')}, ${formatBytes(byteLength!)}`
  if (count === 0) return `${verdict}, ${size}`
  return (
    `damaged: ${formatCount(count)} of ${size}` +
    (finished && count < tensors! ? '; the other tensors are valid' : '')
  )
}

function faultText({ error, tensor }: Fault): string {
  if (!isCheckpointError(error) || tensor === null) {
    return `the verification was not finished: ${errorText(error)}`
  }
  const state = error.state!
  const others = tensor.sameAs.map(
    (other) =>
      ` = ${nameText(other.tensor)}${other.state === state ? '' : ` of ${nameText(other.state)}`}`,
  )
  const { offset, actual, expected } = error
  const what =
    error.code === 'CKPT_TENSOR_CHECKSUM'
      ? `at byte ${offset}: checksum mismatch, expected ${hex(expected)}, found ${hex(actual)}`
      : `byte ${offset}, before it: expected ${expected}, found ${actual}`
  const size = formatBytes(tensor.byteLength)
  return `${nameText(state)}: ${nameText(error.tensor!)}${others.join('')}, ${size}, ${what}`
}

function hex(checksum: unknown): string {
  return (checksum as number).toString(16).padStart(8, '0')
}

function reportJson({ file, verdict, byteLength, tensors, seconds, faults }: FileReport): object {
  return {
    file,
    verdict,
    byteLength,
    tensors,
    seconds: Math.round(seconds * 1000) / 1000,
    faults: faults.map(faultJson),
  }
}

function faultJson({ error, tensor }: Fault): object {
  const message = errorText(error)
  if (!isCheckpointError(error)) return { code: null, message }
  const { code, state, tensor: name, offset, expected, actual } = error
  return {
    code,
    message,
    ...(state === undefined ? {} : { state }),
    ...(name === undefined ? {} : { tensor: name }),
    ...(tensor === null ? {} : tensor),
    ...(offset === undefined ? {} : { offset }),
    ...(expected === undefined ? {} : { expected: plain(expected) }),
    ...(actual === undefined ? {} : { actual: plain(actual) }),
  }
}

/** A value that JSON can hold as it is; any other value as text. */
function plain(value: unknown): unknown {
  return Number.isSafeInteger(value) ? value : String(value)
}
