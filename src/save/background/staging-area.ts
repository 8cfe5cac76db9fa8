/**
 * Memory between a trainer and the disk: bytes are copied here, and the trainer may change its own
 * again. In pieces that are shared between threads, each handed back when it has been written.
 */

/** Length of a piece in bytes: long enough that its message costs little beside its copy. */
export const PIECE_LENGTH = 4 * 1024 * 1024

export class StagingArea {
  readonly #limit: number
  readonly #free: Uint8Array[] = []
  readonly #waiting: ((piece: Uint8Array) => void)[] = []
  #pieces = 0

  /** `limit` in bytes: how much may be staged at once. At least one piece is. */
  constructor(limit: number) {
    this.#limit = Math.max(1, Math.floor(limit / PIECE_LENGTH))
  }

  /** A piece to fill, or, where the limit is reached, a promise of one. */
  take(): Uint8Array | Promise<Uint8Array> {
    // The one that was handed back last: most likely to be in a cache.
    const free = this.#free.pop()
    if (free !== undefined) return free
    if (this.#pieces < this.#limit) {
      this.#pieces++
      return new Uint8Array(new SharedArrayBuffer(PIECE_LENGTH))
    }
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  /** Hands back a piece of `take`. */
  give(piece: Uint8Array): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#free.push(piece)
    else next(piece)
  }
}
