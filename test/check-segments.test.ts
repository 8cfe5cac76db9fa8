import test from 'ava'
import fc from 'fast-check'
import { checkSegments } from '../src/check-segments.js'
import { CheckpointError } from '../src/error.js'
import { crc32 } from '../src/format/checksum.js'
import { gapBytes, planLayout } from '../src/format/layout.js'
import type { Source } from '../src/io/source.js'
import { nextTurn, SegmentReader } from '../src/segment-reader.js'
import { Rng } from './trainer/rng.js'

const MIB = 2 ** 20

/** What a source can do, and what a test wants to know of its reads. */
interface Abilities {
  readonly peeks: boolean
  readonly readsAtOnce?: number
}

/** A source over bytes that does what it is told to be able to, and keeps count. */
class CountingSource implements Source {
  readonly kind = 'file'
  readonly size: number
  readonly readsAtOnce?: number
  reads = 0
  underWay = 0
  most = 0
  fail: ((position: number) => void) | undefined
  readonly #bytes: Uint8Array
  readonly #abilities: Abilities
  readonly #rng = new Rng(5)

  constructor(bytes: Uint8Array, abilities: Abilities) {
    this.#bytes = bytes
    this.size = bytes.byteLength
    this.#abilities = abilities
    if (abilities.readsAtOnce !== undefined) this.readsAtOnce = abilities.readsAtOnce
  }

  view(): undefined {
    return undefined
  }

  peek(position: number, length: number): Uint8Array | undefined {
    if (!this.#abilities.peeks) return undefined
    return this.#bytes.subarray(position, position + length)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    this.reads++
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

const START = 1000

/** A file's segments of these lengths, as they lie behind the metadata, and readers of them. */
function segmentsOf(lengths: readonly number[], abilities: Abilities) {
  const { offsets, fileLength } = planLayout(START, lengths)
  const bytes = new Uint8Array(fileLength)
  let end = START
  const segments = lengths.map((byteLength, i) => {
    const offset = offsets[i]!
    bytes.set(gapBytes(offset - end, byteLength, true), end)
    const data = bytes.subarray(offset, offset + byteLength)
    for (let k = 0; k < byteLength; k++) data[k] = k * 31 + i
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

async function damagedOf(readers: Iterable<SegmentReader>): Promise<string[]> {
  const found: string[] = []
  for await (const { tensor, rule, code } of checkSegments(readers)) {
    found.push(`${tensor} ${rule ?? code}`)
  }
  return found
}

const WAYS: Readonly<Record<string, Abilities>> = {
  'memory, looked at in place': { peeks: true },
  'a Blob, read piece by piece': { peeks: false },
  'a file, with several reads on their way': { peeks: false, readsAtOnce: 4 },
  'a map, read where that is worth it': { peeks: true, readsAtOnce: 4 },
}

for (const [way, abilities] of Object.entries(WAYS)) {
  test(`what is damaged is found, and nothing else: ${way}`, async (t) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(fc.nat(300), fc.integer({ min: 0, max: 9 * MIB })), { maxLength: 5 }),
        fc.array(fc.tuple(fc.nat(4), fc.boolean(), fc.double({ min: 0, max: 0.999, noNaN: true }))),
        fc.nat(5),
        async (lengths, damages, left) => {
          const { bytes, segments, readers } = segmentsOf(lengths, abilities)
          const expected = new Map<number, string>()
          for (const [i, inGap, where] of damages) {
            const segment = segments[i]
            if (segment === undefined || i === left) continue
            const { gapStart, offset, byteLength } = segment
            const [start, length] = inGap ? [gapStart, offset - gapStart] : [offset, byteLength]
            if (length === 0) continue
            bytes[start + Math.floor(where * length)]! = 0xaa ^ bytes[start + 1]!
            // Which may have been what was there.
            const data = bytes.subarray(offset, offset + byteLength)
            const gap = Buffer.from(gapBytes(offset - gapStart, byteLength, true))
            if (!gap.equals(bytes.subarray(gapStart, offset))) expected.set(i, `${i} gap`)
            else if (crc32(data) !== segment.crc32) expected.set(i, `${i} CKPT_TENSOR_CHECKSUM`)
          }
          // One of them is not asked for, so that those around it do not lie side by side.
          const found = await damagedOf(readers.filter((_, i) => i !== left))
          const inOrder = [...expected].sort(([a], [b]) => a - b).map(([, text]) => text)
          return JSON.stringify(found) === JSON.stringify(inOrder)
        },
      ),
      { numRuns: 40 },
    )
    t.pass()
  })
}

test('a file is read once, in long pieces, several at once', async (t) => {
  const { source, readers } = segmentsOf(
    [20 * MIB, 10, 0, 5 * MIB],
    WAYS['a file, with several reads on their way']!,
  )
  t.deepEqual(await damagedOf(readers), [])
  t.is(source.reads, 7)
  t.is(source.most, 4)
})

test('a short stretch of a map is not read at all', async (t) => {
  const { source, readers } = segmentsOf([1000, 2000], WAYS['a map, read where that is worth it']!)
  t.deepEqual(await damagedOf(readers), [])
  t.is(source.reads, 0)
})

test('a read that fails is thrown, and no read is under way any more', async (t) => {
  const { source, readers } = segmentsOf(
    [40 * MIB],
    WAYS['a file, with several reads on their way']!,
  )
  source.fail = (position) => {
    if (position > 6 * MIB) throw new CheckpointError('CKPT_READ', 'the disk is gone')
  }
  await t.throwsAsync(damagedOf(readers), { code: 'CKPT_READ' })
  t.is(source.underWay, 0)
})

test('whoever asks no further leaves no read under way', async (t) => {
  const { bytes, source, readers, segments } = segmentsOf(
    [1 * MIB, 40 * MIB],
    WAYS['a file, with several reads on their way']!,
  )
  bytes[segments[0]!.offset]!++
  for await (const fault of checkSegments(readers)) {
    t.is(fault.tensor, '0')
    break
  }
  t.is(source.underWay, 0)
  const enough = new Error('enough')
  const checking = (async () => {
    for await (const _ of checkSegments(readers, () => {
      throw enough
    }));
  })()
  t.is(await t.throwsAsync(checking), enough)
  t.is(source.underWay, 0)
})

test('every byte of a segment is told of once', async (t) => {
  for (const abilities of Object.values(WAYS)) {
    const lengths = [3, 9 * MIB, 0, 100]
    const { bytes, readers, segments } = segmentsOf(lengths, abilities)
    bytes[segments[1]!.offset - 1]!++
    let told = 0
    const found: unknown[] = []
    for await (const fault of checkSegments(readers, (n) => {
      told += n
    })) {
      found.push(fault.rule)
    }
    t.deepEqual(found, ['gap'])
    t.is(told, 9 * MIB + 103)
  }
})
