/** The ranges of a file, each with what it is: all bytes from the first to the last, in order and without holes. */

import {
  headerLength,
  LENGTH_BYTES,
  parseHeader,
} from '../../../../src/exchange/safetensors-header.js'
import { openDirectory } from '../../../../src/exchange/zip/directory.js'
import { HEAD_LENGTH, readHead } from '../../../../src/format/head.js'
import type { Source } from '../../../../src/io/source.js'
import type { FileFacts, TensorFacts } from '../../compute/facts.js'
import type { Damage } from '../../compute/jobs.js'

/** What a range is. Segments of the model, the optimizer and others look different. */
export type RangeKind = 'metadata' | 'gap' | 'model' | 'optimizer' | 'other' | 'unknown'

/** Bytes with one meaning. */
export interface ByteRange {
  readonly kind: RangeKind
  readonly start: number
  readonly end: number
  readonly name: string
  /** The first tensor over these bytes. */
  readonly tensor?: TensorFacts
  readonly damage?: string
}

/** The ranges of a file that was read. Throws the errors of a read. */
export async function rangesOf(facts: FileFacts, source: Source): Promise<ByteRange[]> {
  if (facts.format === 'ckpt') return checkpointRanges(facts)
  const start = new Uint8Array(Math.min(LENGTH_BYTES, source.size))
  await source.read(start, 0)
  if (facts.format === 'safetensors') return safetensorsRanges(facts, source, start)
  if (start[0] === 0x50 && start[1] === 0x4b) return zipRanges(source)
  return [{ kind: 'unknown', start: 0, end: source.size, name: 'The whole file' }]
}

/** The ranges of a file that cannot be read: as much of it as its first bytes tell. */
export async function unreadableRanges(source: Source, problem: string): Promise<ByteRange[]> {
  const { size } = source
  const start = new Uint8Array(Math.min(HEAD_LENGTH, size))
  await source.read(start, 0)
  try {
    const { metadataLength } = readHead(start, size)
    return filled(
      [
        { kind: 'metadata', start: 0, end: metadataLength, name: 'Metadata', damage: problem },
        {
          kind: 'unknown',
          start: metadataLength,
          end: size,
          name: 'Tensors, which only the metadata could tell apart',
        },
      ],
      size,
    )
  } catch {
    const whole = { kind: 'unknown', start: 0, end: size, name: 'The whole file' } as const
    return size === 0 ? [] : [{ ...whole, damage: problem }]
  }
}

function checkpointRanges({ states, metadataLength, byteLength }: FileFacts): ByteRange[] {
  const ranges: ByteRange[] = [
    { kind: 'metadata', start: 0, end: metadataLength!, name: 'Metadata' },
  ]
  const seen = new Map<number, { readonly index: number; count: number }>()
  const tensors = states
    .flatMap((state) => state.tensors)
    .filter(({ segment, byteLength }) => segment !== null && byteLength > 0)
    .sort((a, b) => a.segment!.offset - b.segment!.offset)
  for (const tensor of tensors) {
    const { offset } = tensor.segment!
    const same = seen.get(offset)
    if (same !== undefined) {
      same.count++
      const range = ranges[same.index]!
      const more = same.count === 1 ? '' : `, and ${same.count - 1} more`
      ranges[same.index] = {
        ...range,
        name: `${rangeName(range.tensor!)} = ${rangeName(tensor)}${more}`,
      }
      continue
    }
    seen.set(offset, { index: ranges.length + (ranges.at(-1)!.end < offset ? 1 : 0), count: 0 })
    const { end } = ranges.at(-1)!
    if (end < offset) ranges.push({ kind: 'gap', start: end, end: offset, name: 'Alignment' })
    ranges.push({
      kind: kindOf(tensor.state),
      start: offset,
      end: offset + tensor.byteLength,
      name: rangeName(tensor),
      tensor,
    })
  }
  return filled(ranges, byteLength)
}

function kindOf(state: string): RangeKind {
  return state === 'model' || state === 'optimizer' ? state : 'other'
}

function rangeName({ state, name }: TensorFacts): string {
  return state === 'model' ? name : `${state}: ${name}`
}

async function safetensorsRanges(
  { states }: FileFacts,
  source: Source,
  start: Uint8Array,
): Promise<ByteRange[]> {
  const length = headerLength(start, source.size)
  const header = new Uint8Array(length)
  await source.read(header, LENGTH_BYTES)
  const data = LENGTH_BYTES + length
  const { tensors } = parseHeader(header, source.size - data)
  // A file that holds a whole checkpoint names its tensors `model.NAME`.
  const known = new Map(states.flatMap((state) => state.tensors.map((t) => [fileName(t), t])))
  const model = new Map(states[0]?.tensors.map((t) => [t.name, t]))
  const ranges: ByteRange[] = [
    { kind: 'metadata', start: 0, end: LENGTH_BYTES, name: 'Length of the header' },
    { kind: 'metadata', start: LENGTH_BYTES, end: data, name: 'Header' },
  ]
  for (const info of tensors) {
    if (info.byteLength === 0) continue
    const tensor = known.get(info.name) ?? model.get(info.name)
    ranges.push({
      kind: tensor === undefined ? 'other' : kindOf(tensor.state),
      start: data + info.start,
      end: data + info.start + info.byteLength,
      name: info.name,
      ...(tensor === undefined ? {} : { tensor }),
    })
  }
  return filled(ranges, source.size)
}

function fileName({ state, name }: TensorFacts): string {
  return state === 'model' || state === 'optimizer' ? `${state}.${name}` : `extras.${state}.${name}`
}

async function zipRanges(source: Source): Promise<ByteRange[]> {
  const { entries, limits } = await openDirectory(source)
  const ranges = [...entries.values()]
    .sort((a, b) => a.headerOffset - b.headerOffset)
    .map(
      (entry): ByteRange => ({
        kind: /\/data\/[^/]*$/.test(entry.name) ? 'model' : 'other',
        start: entry.headerOffset,
        end: limits.get(entry)!,
        name: entry.name,
      }),
    )
  const end = ranges.at(-1)?.end ?? 0
  ranges.push({ kind: 'metadata', start: end, end: source.size, name: 'Directory' })
  return filled(ranges, source.size)
}

/** The same ranges, with what lies between them, up to the end of the file. */
function filled(ranges: readonly ByteRange[], size: number): ByteRange[] {
  const all: ByteRange[] = []
  let at = 0
  for (const range of ranges) {
    if (range.start > at) all.push({ kind: 'gap', start: at, end: range.start, name: 'Between' })
    if (range.end > range.start) all.push(range)
    at = Math.max(at, range.end)
  }
  if (at < size) all.push({ kind: 'gap', start: at, end: size, name: 'Rest' })
  return all
}

/** The ranges with the damage that was found in them. */
export function withDamage(
  ranges: readonly ByteRange[],
  damages: readonly Damage[],
): readonly ByteRange[] {
  if (damages.length === 0) return ranges
  const found = new Map(damages.map((damage) => [rangeAt(ranges, damage.offset), damage.message]))
  return ranges.map((range, i) => {
    const damage = found.get(i)
    return damage === undefined ? range : { ...range, damage }
  })
}

/** The index of the range that a byte is in; -1 if there is none. */
export function rangeAt(ranges: readonly ByteRange[], position: number): number {
  let [low, high] = [0, ranges.length - 1]
  while (low <= high) {
    const middle = (low + high) >> 1
    const { start, end } = ranges[middle]!
    if (position < start) high = middle - 1
    else if (position >= end) low = middle + 1
    else return middle
  }
  return -1
}
