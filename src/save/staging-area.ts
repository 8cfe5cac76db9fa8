/**
 * Memory between a trainer and a sink. Bytes are copied here, summed here and written from here, so that
 * what is written is what was summed, whatever the trainer does with its own memory meanwhile.
 */

import type { Sink } from '../io/sink.js'

/** What a staging area is made of. */
export interface StagingOptions {
  /** Bytes of a piece, which is written at once. */
  readonly pieceLength: number
  /** How many pieces there may be; at least one is. */
  readonly pieces: number
  /** Whether another thread writes the pieces: then they are in memory that threads share. */
  readonly shared: boolean
}

/** Pieces of memory, made when they are first needed, and used again when they have been handed back. */
export class StagingArea {
  readonly #options: StagingOptions
  readonly #free: Uint8Array[] = []
  #waiting: (() => void)[] = []
  #made = 0

  /** Makes no memory yet. */
  constructor(options: StagingOptions) {
    this.#options = options
  }

  /** Whether `take` has a piece. */
  get hasRoom(): boolean {
    return this.#free.length > 0 || this.#made < Math.max(1, this.#options.pieces)
  }

  /** A piece to fill, or undefined if all of them are in use. */
  take(): Uint8Array | undefined {
    // The one that was handed back last: most likely to be in a cache.
    const free = this.#free.pop()
    if (free !== undefined || !this.hasRoom) return free
    const { pieceLength, shared } = this.#options
    this.#made++
    return new Uint8Array(
      shared ? new SharedArrayBuffer(pieceLength) : new ArrayBuffer(pieceLength),
    )
  }

  /** Hands back a piece of `take`. */
  give(piece: Uint8Array): void {
    this.#free.push(piece)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when a piece is handed back next. */
  freed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

// Bytes of a piece that is summed and written right after it was filled: it is still in the processor's
// cache, and one write of this size costs the system about as much per byte as any larger one.
const RING_PIECE = 1024 * 1024

/** A few pieces that go round: one is filled while the sink writes the others. */
export function ringFor(sink: Sink): StagingArea {
  const pieces = (sink.writesAtOnce ?? 1) + 1
  return new StagingArea({ pieceLength: RING_PIECE, pieces, shared: false })
}
