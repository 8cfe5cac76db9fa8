/**
 * Memory between a trainer and a sink. Bytes are copied here, summed here and written from here. So what is written is
 * what was summed, whatever the trainer does with its own memory meanwhile.
 */

import type { Sink, Staging, StagingSink } from '../io/sink.js'

/** The properties of a staging area. */
export interface StagingOptions {
  /** Bytes of a piece, which one write takes. */
  readonly pieceLength: number
  /** Most pieces; there is always at least one. */
  readonly pieces: number
  /** Whether another thread writes the pieces, so that they must be in shared memory. */
  readonly shared: boolean
}

/** Pieces of memory, which are made when first needed, and reused after they have been returned. */
export class StagingArea implements Staging {
  readonly #options: StagingOptions
  readonly #free: Uint8Array[] = []
  #waiting: (() => void)[] = []
  #made = 0

  /** Allocates no memory yet. */
  constructor(options: StagingOptions) {
    this.#options = options
  }

  /** A piece to fill, or undefined if all are in use. */
  take(): Uint8Array | undefined {
    // The piece that was returned last is most likely to be in a cache.
    const free = this.#free.pop()
    const { pieceLength, pieces, shared } = this.#options
    if (free !== undefined || this.#made >= Math.max(1, pieces)) return free
    this.#made++
    return new Uint8Array(
      shared ? new SharedArrayBuffer(pieceLength) : new ArrayBuffer(pieceLength),
    )
  }

  /** Returns a piece that `take` gave. */
  give(piece: Uint8Array): void {
    this.#free.push(piece)
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when the next piece is returned. */
  freed(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve))
  }
}

// Bytes of a piece that is summed and written right after it was filled. It is still in the processor's cache, and
// longer writes cost hardly less per byte.
const RING_PIECE = 1024 * 1024

/** The staging memory of a sink; if it has none, a few pieces in rotation: one is filled while others are written. */
export function stagingFor(sink: Sink & Partial<StagingSink>): Staging {
  if (sink.staging !== undefined) return sink.staging
  const pieces = (sink.writesAtOnce ?? 1) + 1
  return new StagingArea({ pieceLength: RING_PIECE, pieces, shared: false })
}
