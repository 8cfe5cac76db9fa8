/**
 * Copies bytes into a staging area, one after the other, and has a sink write them from there, as many
 * pieces at once as it takes. The checksums are those of the copies. The side that writes makes them: a
 * thread of its own where there is one, else this one, while a piece is still in the processor's cache.
 */

import { crc32 } from '../format/checksum.js'
import { combineCrc32 } from '../format/checksum-combine.js'
import { type Copy, FirstFailure } from '../io/concurrency.js'
import type { Sink, SummingSink } from '../io/sink.js'
import type { Range } from '../io/source.js'
import type { StagingArea } from './staging-area.js'

// Bytes from which a copy is worth carrying out together with another thread.
const LONG_COPY = 256 * 1024

/** Bytes of a piece that belong to a segment. Positions in bytes from the start of the piece. */
interface SegmentPart extends Range {
  readonly segment: number
}

/** A piece that is full, or was the last one before a flush. */
interface FullPiece {
  readonly memory: Uint8Array
  /** What of the memory is filled. */
  readonly bytes: Uint8Array
  /** Where they go, in bytes from the start of the file. */
  readonly position: number
  readonly parts: readonly SegmentPart[]
  /** The checksum of each part, once the piece has been written. */
  checksums?: readonly number[]
}

/** What a SegmentWriter may be told. */
export interface SegmentWriterOptions {
  /**
   * Called with the position up to which everything has been written, in bytes from the start of the file,
   * each time that it has risen. What it throws is a failure to write.
   */
  readonly onWritten?: (position: number) => void
  /** Carries out long copies together. They are put off until then; see `copy`. */
  readonly copyTogether?: ((copies: readonly Copy[]) => void) | undefined
}

/** Writes a file from `position` to its end, and sums its segments. */
export class SegmentWriter {
  /** CRC-32 of what has been written of each segment, by its index; absent if that is nothing. */
  readonly checksums: number[] = []
  readonly #sink: Sink
  readonly #staging: StagingArea
  readonly #options: SegmentWriterOptions
  readonly #failure = new FirstFailure()
  readonly #failed: Promise<void>
  #tellFailed: () => void = () => {}
  #open = false
  /** Copies that are put off. */
  #copies: Copy[] = []
  /** Pieces that the sink has not been given yet. */
  readonly #full: FullPiece[] = []
  /** Pieces that it has been given, up to the first that is not written, in the order of their positions. */
  readonly #given: FullPiece[] = []
  readonly #underWay = new Set<Promise<void>>()
  #piece: Uint8Array | undefined
  #filled = 0
  #parts: SegmentPart[] = []
  /** Where the current piece goes, in bytes from the start of the file. */
  #position: number

  /** Copies from now on; writes after `open`. `position` is where the first byte goes in the file. */
  constructor(
    sink: Sink,
    staging: StagingArea,
    position: number,
    options: SegmentWriterOptions = {},
  ) {
    this.#sink = sink
    this.#staging = staging
    this.#position = position
    this.#options = options
    this.#failed = new Promise((resolve) => {
      this.#tellFailed = resolve
    })
  }

  /** The sink has begun: what is copied is written from now on. */
  open(): void {
    this.#open = true
    this.#handOver()
  }

  /**
   * Takes as many of `bytes` as there is room for, at once, and returns how many those are; `room` waits
   * for more. They have been copied when `copy`, `room` or `flush` has been called. Bytes of a segment
   * are summed with those before them. Throws what has failed.
   */
  append(bytes: Uint8Array, segment?: number): number {
    this.#failure.throwIfAny()
    let done = 0
    while (done < bytes.byteLength) {
      this.#piece ??= this.#staging.take()
      if (this.#piece === undefined) break
      const start = this.#filled
      const length = Math.min(this.#piece.byteLength - start, bytes.byteLength - done)
      this.#copy(bytes, done, length)
      this.#filled = start + length
      done += length
      if (segment !== undefined) this.#parts.push({ segment, start, end: this.#filled })
      if (this.#filled === this.#piece.byteLength) this.#endPiece()
    }
    return done
  }

  /** Carries out the copies that are put off: to be called before anybody else has a turn. */
  copy(): void {
    const copies = this.#copies
    if (copies.length === 0) return
    this.#copies = []
    this.#options.copyTogether!(copies)
  }

  /** Resolves when there is room for more. Throws what has failed. */
  async room(): Promise<void> {
    this.copy()
    this.#failure.throwIfAny()
    if (this.#piece !== undefined || this.#staging.hasRoom) return
    await Promise.race([this.#staging.freed(), this.#failed])
    this.#failure.throwIfAny()
  }

  /** Copies everything, and has the last piece written though it is not full. */
  flush(): void {
    if (this.#filled > 0) this.#endPiece()
    this.copy()
  }

  /** Resolves when all that was flushed has been written; or throws what failed, when no write is under way. */
  async written(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#failure.throwIfAny()
  }

  /** Ends the writing with a failure, unless there is one already. */
  fail(error: unknown): void {
    this.#failure.keep(error)
    this.#tellFailed()
  }

  /**
   * Begins nothing more, resolves when no write is under way, and hands the memory back to the staging
   * area. Never throws. The last call.
   */
  async stop(): Promise<void> {
    this.fail(new Error('the writer has been stopped'))
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#copies = []
    for (const { memory } of this.#full.splice(0)) this.#staging.give(memory)
    if (this.#piece !== undefined) this.#staging.give(this.#piece)
    this.#piece = undefined
    this.#filled = 0
  }

  #copy(bytes: Uint8Array, from: number, length: number): void {
    const whole = length === bytes.byteLength
    const source = whole ? bytes : bytes.subarray(from, from + length)
    if (length < LONG_COPY || this.#options.copyTogether === undefined) {
      this.#piece!.set(source, this.#filled)
    } else {
      const target = this.#piece!.subarray(this.#filled, this.#filled + length)
      this.#copies.push({ target, source })
    }
  }

  #endPiece(): void {
    const memory = this.#piece!
    const bytes = memory.subarray(0, this.#filled)
    this.#full.push({ memory, bytes, position: this.#position, parts: this.#parts })
    this.#position += this.#filled
    this.#piece = undefined
    this.#filled = 0
    this.#parts = []
    this.#handOver()
  }

  #handOver(): void {
    const atOnce = this.#sink.writesAtOnce ?? 1
    while (this.#open && this.#underWay.size < atOnce && !this.#failure.occurred) {
      const piece = this.#full.shift()
      if (piece === undefined) return
      this.copy()
      this.#given.push(piece)
      const writing = this.#write(piece).finally(() => {
        this.#underWay.delete(writing)
        this.#handOver()
      })
      this.#underWay.add(writing)
    }
  }

  /** Never rejects. */
  async #write(piece: FullPiece): Promise<void> {
    try {
      piece.checksums = await writeSummed(this.#sink, piece.bytes, piece.position, piece.parts)
      this.#advance()
    } catch (error) {
      this.fail(error)
    }
    this.#staging.give(piece.memory)
  }

  /** Takes in the checksums of what has been written without a gap, and tells how far that reaches. */
  #advance(): void {
    let end: number | undefined
    for (let piece = this.#given[0]; piece?.checksums !== undefined; piece = this.#given[0]) {
      this.#given.shift()
      const { parts, checksums, bytes, position } = piece
      for (const [i, { segment, start, end }] of parts.entries()) {
        const before = this.checksums[segment]
        const crc = checksums[i]!
        this.checksums[segment] =
          before === undefined ? crc : combineCrc32(before, crc, end - start)
      }
      end = position + bytes.byteLength
    }
    if (end !== undefined && !this.#failure.occurred) this.#options.onWritten?.(end)
  }
}

async function writeSummed(
  sink: Sink & Partial<SummingSink>,
  bytes: Uint8Array,
  position: number,
  ranges: readonly Range[],
): Promise<readonly number[]> {
  if (sink.writeSummed !== undefined) return sink.writeSummed(bytes, position, ranges)
  const checksums = ranges.map(({ start, end }) => crc32(bytes.subarray(start, end)))
  await sink.write(bytes, position)
  return checksums
}
