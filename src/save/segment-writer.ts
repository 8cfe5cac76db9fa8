/**
 * Copies bytes into staging memory, in order, and has a sink write them from there, as many pieces at once as the sink
 * takes. The checksums are those of the copies. The side that writes computes them: the writing thread if there is one,
 * otherwise this thread while a piece is still in the processor's cache.
 */

import { crc32 } from '../format/checksum.js'
import { combineCrc32 } from '../format/checksum-combine.js'
import { type Copy, FirstFailure } from '../io/concurrency.js'
import type { Sink, Staging, SummingSink } from '../io/sink.js'
import type { Range } from '../io/source.js'

// Bytes from which a copy is worth sharing with another thread.
const LONG_COPY = 256 * 1024

/** The bytes of a piece that belong to one segment. Positions are in bytes from the start of the piece. */
interface SegmentPart extends Range {
  readonly segment: number
}

/** A piece that is full, or the last one before a flush. */
interface FullPiece {
  readonly memory: Uint8Array
  /** The filled part of the memory. */
  readonly bytes: Uint8Array
  /** Position of the bytes in the file. */
  readonly position: number
  readonly parts: readonly SegmentPart[]
  /** The checksum of each part, once the piece has been written. */
  checksums?: readonly number[]
}

/** Options of a SegmentWriter. */
export interface SegmentWriterOptions {
  /**
   * Called each time that more of the file has been written without a gap, with the end of that part, in bytes from the
   * start of the file. If it throws, the write fails.
   */
  readonly onWritten?: (position: number) => void
  /** Carries out long copies together. Until it is called they are pending; see `copy`. */
  readonly copyTogether?: ((copies: readonly Copy[]) => void) | undefined
}

/** Writes a file from `position` to its end, and sums its segments. */
export class SegmentWriter {
  /** CRC-32 of the written bytes of each segment, by its index; absent if none have been written. */
  readonly checksums: number[] = []
  readonly #sink: Sink
  readonly #staging: Staging
  readonly #options: SegmentWriterOptions
  readonly #failure = new FirstFailure()
  readonly #failed: Promise<void>
  #tellFailed: () => void = () => {}
  #open = false
  /** Pending copies. */
  #copies: Copy[] = []
  /** Pieces that the sink has not received yet. */
  readonly #full: FullPiece[] = []
  /** Pieces that the sink has received, from the first unwritten one on, in the order of their positions. */
  readonly #given: FullPiece[] = []
  readonly #underWay = new Set<Promise<void>>()
  #piece: Uint8Array | undefined
  #filled = 0
  #parts: SegmentPart[] = []
  /** Position of the current piece in the file, in bytes. */
  #position: number

  /** Copies from now on, and writes after `open`. `position` is that of the first byte in the file. */
  constructor(sink: Sink, staging: Staging, position: number, options: SegmentWriterOptions = {}) {
    this.#sink = sink
    this.#staging = staging
    this.#position = position
    this.#options = options
    this.#failed = new Promise((resolve) => {
      this.#tellFailed = resolve
    })
  }

  /** Called when the sink has begun: copied bytes are written from now on. */
  open(): void {
    this.#open = true
    this.#handOver()
  }

  /**
   * Takes as many of `bytes` as there is room for, and returns that number; `room` waits for more. The bytes have been
   * copied only after `copy`, `room` or `flush`. Bytes of a segment are summed with those before them. Throws an
   * earlier failure.
   */
  append(bytes: Uint8Array, segment?: number): number {
    this.#failure.throwIfAny()
    let done = 0
    while (done < bytes.byteLength) {
      this.#piece ??= this.#staging.take(this.#position)
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

  /** Carries out the pending copies. Must be called before other code runs. */
  copy(): void {
    const copies = this.#copies
    if (copies.length === 0) return
    this.#copies = []
    this.#options.copyTogether!(copies)
  }

  /** Resolves when there is room for more. Throws an earlier failure. */
  async room(): Promise<void> {
    this.copy()
    this.#failure.throwIfAny()
    this.#piece ??= this.#staging.take(this.#position)
    if (this.#piece !== undefined) return
    await Promise.race([this.#staging.freed(), this.#failed])
    this.#failure.throwIfAny()
  }

  /** Copies everything, and has the last piece written even if it is not full. */
  flush(): void {
    if (this.#filled > 0) this.#endPiece()
    this.copy()
  }

  /** Resolves when all flushed bytes have been written. Throws a failure, but only when no write is under way. */
  async written(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.all(this.#underWay)
    this.#failure.throwIfAny()
  }

  /** Ends the writing with an error, unless it has failed already. */
  fail(error: unknown): void {
    this.#failure.keep(error)
    this.#tellFailed()
  }

  /**
   * Starts no more writes, resolves when none is under way, and returns the memory to where it was taken from. Never throws.
   * Must be the last call.
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
    // A subarray of everything would have the same bytes. It would only cost an object.
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

  /** Combines the checksums of what has been written without a gap, and reports its end. */
  #advance(): void {
    let end: number | undefined
    for (let piece = this.#given[0]; piece?.checksums !== undefined; piece = this.#given[0]) {
      this.#given.shift()
      const { parts, checksums, bytes, position } = piece
      // A segment continues at the start of the next piece, so `start` is 0 wherever `before` is defined.
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
