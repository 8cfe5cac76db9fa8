/**
 * Reports: what a reader says of a file, as JSON (see README.md), and where two of them differ.
 */

import { isDeepStrictEqual } from 'node:util'
import type { Attribute, Attributes } from '../../../src/format/attributes.js'

export type ReportedAttribute =
  | null
  | boolean
  | string
  | readonly ReportedAttribute[]
  | { readonly number: string }
  | { readonly bigint: string }
  | { readonly map: ReportedEntries }

export type ReportedEntries = readonly (readonly [key: string, value: ReportedAttribute])[]

export interface ReportedTensor {
  readonly name: string
  readonly dtype: string
  readonly shape: readonly string[]
  readonly offset: string
  readonly byte_length: string
  readonly crc32?: string
  readonly bytes?: string | null
}

export interface ReportedState {
  readonly name: string
  readonly kind: string | null
  readonly attributes: ReportedEntries
  readonly tensors: readonly ReportedTensor[]
}

export interface FileReport {
  readonly version: number
  readonly metadata_length: number
  readonly file_length: number
  readonly epoch: number
  readonly step: number
  readonly loss: string | null
  readonly metrics: readonly (readonly [name: string, value: string])[]
  readonly config: string | null
  readonly sequence: number | null
  readonly saved_at: number | null
  readonly states: readonly ReportedState[]
}

export interface Refusal {
  readonly error: { readonly code: string; readonly rule: string | null }
}

export type Report = FileReport | Refusal

export function isRefusal(report: Report): report is Refusal {
  return 'error' in report
}

/** Longest tensor whose bytes are reported, in bytes. */
export const MAX_REPORTED_BYTES = 256

/** The bits of a double in hexadecimal, the sign first; every NaN is `nan`. */
export function doubleBits(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  return view.getBigUint64(0).toString(16).padStart(16, '0')
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}

/** Eight digits. */
export function checksumText(crc32: number): string {
  return crc32.toString(16).padStart(8, '0')
}

/** Pairs in the order of the UTF-8 bytes of their names. */
export function sorted<T extends readonly [name: string, value: unknown]>(pairs: Iterable<T>): T[] {
  return [...pairs].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}

export function reportedMetrics(
  metrics: Iterable<readonly [name: string, value: number]>,
): [name: string, value: string][] {
  return sorted(Array.from(metrics, ([name, value]) => [name, doubleBits(value)] as const)).map(
    ([name, bits]) => [name, bits],
  )
}

export function reportedAttributes(attributes: Attributes): ReportedEntries {
  return sorted(
    Object.keys(attributes).map((key) => [key, reportedAttribute(attributes[key]!)] as const),
  )
}

function reportedAttribute(value: Attribute): ReportedAttribute {
  switch (typeof value) {
    case 'number':
      return { number: doubleBits(value) }
    case 'bigint':
      return { bigint: String(value) }
    case 'object':
      if (value === null) return null
      if (Array.isArray(value)) return value.map(reportedAttribute)
      return { map: reportedAttributes(value as Attributes) }
  }
  return value
}

/** A report as an implementation gives it that was told `--no-bytes`. */
export function withoutBytes(report: Report): Report {
  if (isRefusal(report)) return report
  return {
    ...report,
    states: report.states.map((state) => ({
      ...state,
      tensors: state.tensors.map(({ bytes: _, crc32: __, ...rest }) => rest),
    })),
  }
}

/**
 * Where a report is another one than what was expected, in a line, or undefined where they say the
 * same. The rule of CKPT_FILE_LENGTH does not count.
 */
export function difference(expected: Report, actual: Report): string | undefined {
  if (isRefusal(expected) && isRefusal(actual)) {
    const rules = expected.error.code !== 'CKPT_FILE_LENGTH'
    const [wanted, got] = [nameOf(expected, rules), nameOf(actual, rules)]
    return wanted === got ? undefined : `${got} instead of ${wanted}`
  }
  if (isRefusal(expected)) return `read, instead of ${nameOf(expected)}`
  if (isRefusal(actual)) return `refused: ${nameOf(actual)}`
  return differenceAt('', expected, actual)
}

/** A refusal in a word: its rule, or its code where there is none. */
export function nameOf({ error }: Refusal, rules = true): string {
  return (rules ? error.rule : null) ?? error.code
}

function differenceAt(path: string, expected: unknown, actual: unknown): string | undefined {
  if (isDeepStrictEqual(expected, actual)) return undefined
  if (isObject(expected) && isObject(actual)) {
    for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
      const found = differenceAt(path === '' ? key : `${path}.${key}`, expected[key], actual[key])
      if (found !== undefined) return found
    }
  }
  return `${path}: ${shown(actual)} instead of ${shown(expected)}`
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
