/** `ckpt verify`: whether every byte of some files is as it was saved. */

import { isCheckpointError } from '../errors.js'
import { printable } from '../printable.js'
import { checkFile, type Fault, type FileReport } from './check-file.js'
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

/** Verifies the files and prints what was found; returns the exit code. */
export async function verify(
  files: readonly string[],
  json: boolean,
  terminal: Terminal,
): Promise<number> {
  const reports: FileReport[] = []
  for (const file of files) {
    const report = await checkWithBar(file, terminal)
    // Nobody reads on. Not every file is known to be sound, and the exit code must not say so.
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
    terminal.stderr.write(`ckpt: ${formatCount(bad)} of ${reports.length} files failed the check\n`)
  }
  return sound ? EXIT_OK : EXIT_FAILURE
}

/** Checks a file, or returns undefined where nobody waits for the result any more. */
async function checkWithBar(file: string, terminal: Terminal): Promise<FileReport | undefined> {
  const { gone } = terminal
  const bar = new ProgressBar(terminal, file)
  try {
    return await checkFile(file, terminal.now, gone, (progress) => bar.update(progress))
  } catch (error) {
    if (gone.aborted) return undefined
    throw error
  } finally {
    bar.clear()
  }
}

/** What was found, for a person: one line for a sound file, and one for each fault of another. */
export function reportLines(report: FileReport): string[] {
  const { verdict, faults, byteLength, tensors, seconds } = report
  const file = printable(report.file)
  if (byteLength === null || tensors === null) {
    // There is no more to know than why it could not be opened.
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

/** What is wrong with a file whose metadata is sound. */
function damageText({ verdict, faults, byteLength, tensors }: FileReport): string {
  const damaged = faults.filter(({ tensor }) => tensor !== null)
  const finished = damaged.length === faults.length
  // Tied tensors are damaged together.
  const count = damaged.reduce((sum, { tensor }) => sum + 1 + tensor!.sameAs.length, 0)
  const size = `${formatThings(tensors!, 'tensor')}, ${formatBytes(byteLength!)}`
  if (count === 0) return `${verdict}, ${size}`
  return (
    `damaged: ${formatCount(count)} of ${size}` +
    (finished && count < tensors! ? '; the other tensors are sound' : '')
  )
}

function faultText({ error, tensor }: Fault): string {
  if (!isCheckpointError(error) || tensor === null) {
    return `the check was not finished: ${errorText(error)}`
  }
  const state = error.state!
  const others = tensor.sameAs.map(
    (other) =>
      ` = ${nameText(other.tensor)}${other.state === state ? '' : ` of ${nameText(other.state)}`}`,
  )
  const { offset, actual, expected } = error
  const what =
    error.code === 'CKPT_TENSOR_CHECKSUM'
      ? `at byte ${offset}: its checksum is ${hex(actual)}, and should be ${hex(expected)}`
      : `byte ${offset}, before it, is ${actual}, and should be ${expected}`
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

/** What JSON can hold as it is, and anything else as text. */
function plain(value: unknown): unknown {
  return Number.isSafeInteger(value) ? value : String(value)
}
