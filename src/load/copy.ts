/**
 * Copies segments into the caller's memory. No read into that memory is ever under way while other code runs, because
 * that code could transfer the memory or release it.
 */

import { nextTurn } from '../io/concurrency.js'
import { type PieceOptions, piecesOf } from '../io/pieces.js'
import {
  type CachedRead,
  LONG_READ,
  type Range,
  type Source,
  type SourceHelper,
} from '../io/source.js'
import { feed, runsOf } from './feed.js'
import type { SegmentReader, Tick } from './segment.js'

// Bytes of a piece that is copied: so few that four stay in the processor's cache between the read and the copy.
const COPIED = 1024 * 1024

/** How pieces are read to be copied. From a server they are as long as to be verified, as each is a request. */
function toCopy({ longestRead = COPIED }: Source): PieceOptions {
  return { length: longestRead }
}

// Bytes that are read before other code runs again: some milliseconds.
const BATCH = 32 * 1024 * 1024

// Bytes of one read of a batch. Two threads take turns, and wait this long for each other at the end.
const CACHED_READ = 1024 * 1024

/** A segment, and the memory that its bytes are copied to. */
export interface SegmentTarget {
  readonly reader: SegmentReader
  /** Has the same length as the segment. */
  readonly target: Uint8Array
}

/**
 * Copies segments into their targets without verifying them. If a target was transferred or resized, throws
 * CKPT_TENSOR_CHANGED and writes nothing more there.
 */
export async function copySegments(targets: readonly SegmentTarget[], tick?: Tick): Promise<void> {
  const rest: SegmentTarget[] = []
  const long: LongCopy[] = []
  for (const { reader, target } of targets) {
    const { source, offset, byteLength } = reader
    const mayBeCached = source.readCached !== undefined && byteLength >= LONG_READ
    if (mayBeCached)
      long.push({ reader, target, start: offset, end: offset + byteLength, missed: false })
    else rest.push({ reader, target })
  }
  await copyCached(long, tick)
  await copyRest(long, tick)
  const memory: Uint8Array[] = []
  for (const { source, start, end, items } of runsOf(rest, ({ reader }) => reader)) {
    const intakes = items.map(({ reader, target }) => reader.beginCopy(target))
    const options = { ...toCopy(source), memory }
    for await (const _ of feed(source, [{ start, end, intakes }], tick, options));
  }
}

/** A long segment. */
interface LongCopy extends SegmentTarget, Range {
  /** The position in the file up to which it has been copied. */
  start: number
  /** Whether the system does not hold what follows in memory. */
  missed: boolean
}

/** Copies segments, each straight to its place, as far as the system holds them in memory. */
async function copyCached(copies: readonly LongCopy[], tick: Tick | undefined): Promise<void> {
  const source = copies[0]?.reader.source
  if (source === undefined) return
  const length = copies.reduce((sum, { start, end }) => sum + end - start, 0)
  const helpers = source.helpers?.(length) ?? []
  let helper: SourceHelper | undefined
  void helpers[0]?.then((come) => {
    helper = come
  })
  try {
    for (const batch of batchesOf(copies)) {
      const filled = helper?.readCached?.(batch) ?? source.readCached!(batch)
      for (const [i, { copy, position, target }] of batch.entries()) {
        // Whatever follows a part that is missing is read again.
        if (!filled[i]) copy.missed = true
        if (copy.missed) continue
        copy.start = position + target.byteLength
        tick?.(target.byteLength)
      }
      await nextTurn()
    }
  } finally {
    for (const coming of helpers) void coming.then((come) => come?.close())
  }
}

/** A read of `copyCached`, and the copy that it is part of. */
interface CachedPart extends CachedRead {
  readonly copy: LongCopy
}

/** What is read before other code runs again. Validates the memory that a batch goes to, immediately before it. */
function* batchesOf(copies: readonly LongCopy[]): Generator<CachedPart[]> {
  let batch: CachedPart[] = []
  let room = BATCH
  for (const copy of copies) {
    const { reader, target, start, end } = copy
    for (let position = start; position < end && !copy.missed; ) {
      const length = Math.min(CACHED_READ, end - position)
      reader.checkTarget(target)
      batch.push({
        copy,
        position,
        target: target.subarray(position - start, position - start + length),
      })
      position += length
      room -= length
      if (room > 0) continue
      yield batch
      batch = []
      room = BATCH
    }
  }
  if (batch.length > 0) yield batch
}

/** Copies what is left of long segments. */
async function copyRest(copies: readonly LongCopy[], tick: Tick | undefined): Promise<void> {
  const rest = copies.filter(({ start, end }) => start < end)
  const source = rest[0]?.reader.source
  if (source === undefined) return
  for await (const { range, bytes } of piecesOf(source, rest, toCopy(source))) {
    const { reader, target, start } = range
    reader.checkTarget(target)
    target.set(bytes, start - reader.offset)
    range.start += bytes.byteLength
    tick?.(bytes.byteLength)
  }
}

/**
 * Whether two segments have the same `length` bytes. Each range begins at its `start`, in bytes from the start of its
 * segment.
 */
export async function haveSameBytes(
  a: { readonly reader: SegmentReader; readonly start: number },
  b: { readonly reader: SegmentReader; readonly start: number },
  length: number,
): Promise<boolean> {
  const from = ({ reader, start }: typeof a) => {
    const position = reader.offset + start
    const { source } = reader
    return piecesOf(source, [{ start: position, end: position + length }], toCopy(source))
  }
  const others = from(b)
  try {
    for await (const { bytes } of from(a)) {
      const other = (await others.next()).value.bytes as Uint8Array
      if (bytes.some((byte, i) => byte !== other[i])) return false
    }
    return true
  } finally {
    await others.return(undefined)
  }
}
