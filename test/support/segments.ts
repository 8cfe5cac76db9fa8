/** Segments in the layout of a file, and a source over them with the abilities that a test chooses. */

import { crc32 } from '../../src/format/checksum.js'
import { gapBytes, planLayout } from '../../src/format/layout.js'
import { nextTurn } from '../../src/io/concurrency.js'
import type { CachedRead, Source, SourceHelpers } from '../../src/io/source.js'
import { SegmentReader } from '../../src/load/segment.js'
import { checkSegments } from '../../src/load/verify.js'
import fc from './fast-check.js'
import { scattered } from './patterns.js'
import { Rng } from './trainer/rng.js'

/** The abilities of a source, and counters of its reads. */
export interface Abilities {
  /** Whether it is memory, which shows its bytes in place, or a map. */
  readonly views: boolean
  readonly readsAtOnce?: number
  readonly helpers?: (bytes: Uint8Array) => SourceHelpers
  /** Whether the system holds the bytes from a position on in memory; without it, the source has no such reads. */
  readonly holds?: (position: number) => boolean
}

/** A source over bytes with the given abilities. It counts its reads. */
export class CountingSource implements Source {
  readonly kind = 'file'
  readonly size: number
  readonly readsAtOnce?: number
  readonly helpers?: () => SourceHelpers
  readonly view?: (position: number, length: number) => Uint8Array
  readonly readCached?: (reads: readonly CachedRead[]) => readonly boolean[]
  reads = 0
  bytesRead = 0
  underWay = 0
  most = 0
  fail: ((position: number) => void) | undefined
  readonly #bytes: Uint8Array
  readonly #rng = new Rng(5)

  constructor(bytes: Uint8Array, abilities: Abilities) {
    this.#bytes = bytes
    this.size = bytes.byteLength
    const { views, readsAtOnce, helpers, holds } = abilities
    if (holds !== undefined) this.readCached = (reads) => readHeld(bytes, reads, holds)
    if (views) this.view = (position, length) => bytes.subarray(position, position + length)
    if (readsAtOnce !== undefined) this.readsAtOnce = readsAtOnce
    if (helpers !== undefined) this.helpers = () => helpers(bytes)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.reads++
    this.bytesRead += target.byteLength
    this.most = Math.max(this.most, ++this.underWay)
    try {
      const turns = this.#rng.below(3)
      for (let i = 0; i < turns; i++) await nextTurn()
      this.fail?.(position)
      target.set(this.#bytes.subarray(position, position + target.byteLength))
    } finally {
      this.underWay--
    }
  }

  async checkUnchanged(): Promise<void> {}

  close(): void {}
}

/** The kinds of sources, by their abilities. */
export const WAYS: Readonly<Record<string, Abilities>> = {
  'memory, looked at in place': { views: true },
  'a Blob, read piece by piece': { views: false },
  'a file, with several reads on their way': { views: false, readsAtOnce: 4 },
  'a map, and read': { views: true, readsAtOnce: 4 },
}

/** Fills the targets whose bytes are held, and spoils the others. */
export function readHeld(
  bytes: Uint8Array,
  reads: readonly CachedRead[],
  holds: (position: number) => boolean,
): boolean[] {
  return reads.map(({ target, position }) => {
    const isHeld = holds(position)
    if (isHeld) target.set(bytes.subarray(position, position + target.byteLength))
    else target.fill(0x99)
    return isHeld
  })
}

const START = 1000

/** A file's segments of these lengths, in the layout after the metadata, and readers of them. */
export function segmentsOf(lengths: readonly number[], abilities: Abilities) {
  const { offsets, fileLength } = planLayout(START, lengths)
  const bytes = new Uint8Array(fileLength)
  let end = START
  const segments = lengths.map((byteLength, i) => {
    const offset = offsets[i]!
    bytes.set(gapBytes(offset - end, byteLength, true), end)
    const data = bytes.subarray(offset, offset + byteLength)
    fill(data, i)
    const segment = { gapStart: end, offset, byteLength, crc32: crc32(data) }
    end = offset + byteLength
    return segment
  })
  const source = new CountingSource(bytes, abilities)
  const readers = segments.map(
    (segment, i) =>
      new SegmentReader(source, segment, {
        plain: true,
        verify: true,
        state: 'model',
        tensor: String(i),
      }),
  )
  return { bytes, segments, source, readers }
}

// As long as no piece is a multiple of, so that bytes of another place are other bytes.
const PATTERN = scattered(1_000_003)

/** Fills bytes quickly, those of each segment with others. */
function fill(bytes: Uint8Array, segment: number): void {
  let from = (segment * 1009) % PATTERN.length
  for (let at = 0; at < bytes.byteLength; from = 0) {
    const part = PATTERN.subarray(from, from + bytes.byteLength - at)
    bytes.set(part, at)
    at += part.byteLength
  }
}

/** The names of the damaged parts, in the order in which they are found, each with its fault. */
export async function damagedOf(readers: Iterable<SegmentReader>): Promise<string[]> {
  const found: string[] = []
  for await (const { tensor, rule, code } of checkSegments(readers)) {
    found.push(`${tensor} ${rule ?? code}`)
  }
  return found
}

/** The byte to change: at this position in the segment with this number, or in the gap before it. */
export interface Damage {
  readonly segment: number
  readonly inGap: boolean
  readonly where: number
}

/** Damage to one of the first `segments`. */
export function damages(segments: number): fc.Arbitrary<Damage> {
  return fc.record({
    segment: fc.nat(segments - 1),
    inGap: fc.boolean(),
    where: fc.double({ min: 0, max: 0.999, noNaN: true }),
  })
}

/**
 * Changes bytes of a result of `segmentsOf`. Returns what `damagedOf` must find in what has become of them: a byte may be
 * changed back.
 */
export function damage(
  { bytes, segments }: ReturnType<typeof segmentsOf>,
  wanted: readonly Damage[],
): string[] {
  const touched = new Set<number>()
  for (const { segment: i, inGap, where } of wanted) {
    const segment = segments[i]
    if (segment === undefined) continue
    const { gapStart, offset, byteLength } = segment
    const [start, length] = inGap ? [gapStart, offset - gapStart] : [offset, byteLength]
    if (length === 0) continue
    bytes[start + Math.floor(where * length)]! = 0xaa ^ bytes[start + 1]!
    touched.add(i)
  }
  const expected: string[] = []
  for (const i of [...touched].sort((a, b) => a - b)) {
    const { gapStart, offset, byteLength, crc32: saved } = segments[i]!
    const gap = Buffer.from(gapBytes(offset - gapStart, byteLength, true))
    if (!gap.equals(bytes.subarray(gapStart, offset))) expected.push(`${i} gap`)
    else if (crc32(bytes.subarray(offset, offset + byteLength)) !== saved) {
      expected.push(`${i} CKPT_TENSOR_CHECKSUM`)
    }
  }
  return expected
}
