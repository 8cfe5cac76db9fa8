/**
 * Writes bytes to a sink, each where the last ended, as many at once as the sink can take. Small pieces
 * are gathered, so that a state of a hundred thousand scalars does not take as many system calls; large
 * ones go as they are, without a copy.
 */

import type { Sink } from '../io/sink.js'

// One write of this size costs the system about as much per byte as any larger one.
const GATHER = 1024 * 1024

/** From this length on, in bytes, a piece is written from where it is. */
export const LARGE = 64 * 1024

// What has been gathered before a large piece comes is copied out of the memory for gathering where it
// is shorter than one, rather than to hold on to all of that memory; and so many bytes of such copies may
// wait to be written. Else whoever hands over large tensors with small ones and gaps between them would
// wait for the sink, and not get to its checksums.
const COPIES = 8 * 1024 * 1024

const QUEUE_TRIM = 1024

/** Bytes on their way to the sink. */
interface Piece {
  readonly bytes: Uint8Array
  readonly byteLength: number
  readonly position: number
  /** Memory of the writer's own: a buffer for gathering, or a copy out of one. */
  readonly own: 'buffer' | 'copy' | undefined
  readonly lost: (() => Error) | undefined
}

interface Waiting {
  readonly end: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export class SequentialWriter {
  readonly #sink: Sink
  readonly #atOnce: number
  readonly #onWritten: (end: number) => void
  /** What has been handed over: a hole for what has been begun, taken off from time to time. */
  #queue: (Piece | undefined)[] = []
  #begun = 0
  readonly #underWay = new Map<Piece, Promise<void>>()
  #waiting: Waiting[] = []
  #failure: { readonly error: unknown } | undefined
  /** Where the next piece goes. */
  #position: number
  /** Everything before has been written. */
  #written: number
  /** Memory for gathering: that which is being filled, and how far; and what else is there. */
  #gathered: Uint8Array | undefined
  #count = 0
  readonly #free: Uint8Array[] = []
  #allocated = 0
  /** Bytes of copies that have not been written. */
  #copied = 0
  #whenFree: (() => void) | undefined

  /**
   * Starts at `position`, in bytes. `onWritten` is called with where what has been written ends, each
   * time that it ends later; what it throws is a failure.
   */
  constructor(sink: Sink, position: number, onWritten: (end: number) => void = () => {}) {
    this.#sink = sink
    this.#atOnce = sink.writesAtOnce ?? 1
    this.#onWritten = onWritten
    this.#position = position
    this.#written = position
  }

  /**
   * Takes `bytes` to be written. Of `LARGE` and more they are not copied: their owner may change them
   * when they have been written (see `written`), and if their memory is taken away before, the failure
   * is what `lost` returns. Fewer have been copied when this returns. A promise is returned where
   * there is no room for more; nothing else may be appended until it has resolved. Throws what has
   * failed before.
   */
  append(bytes: Uint8Array, lost?: () => Error): Promise<void> | undefined {
    this.#throwFailure()
    if (bytes.byteLength >= LARGE) {
      this.flush()
      this.#hand(bytes, undefined, lost)
      return undefined
    }
    if (this.#count + bytes.byteLength > GATHER) this.flush()
    this.#gathered ??= this.#takeFree()
    if (this.#gathered === undefined) {
      const copy = bytes.slice()
      return new Promise<void>((resolve) => {
        this.#whenFree = resolve
      }).then(() => this.append(copy))
    }
    this.#gathered.set(bytes, this.#count)
    this.#count += bytes.byteLength
    return undefined
  }

  /** Hands over what has been gathered. */
  flush(): void {
    if (this.#count === 0) return
    const bytes = this.#gathered!.subarray(0, this.#count)
    this.#count = 0
    if (bytes.byteLength < LARGE && this.#copied + bytes.byteLength <= COPIES) {
      this.#copied += bytes.byteLength
      this.#hand(bytes.slice(), 'copy', undefined)
    } else {
      this.#gathered = undefined
      this.#hand(bytes, 'buffer', undefined)
    }
  }

  /**
   * A promise that resolves when what ends at `end` or before, which has been handed over, has been
   * written; undefined where it has.
   */
  written(end = this.#position): Promise<void> | undefined {
    this.#throwFailure()
    if (end <= this.#written) return undefined
    return new Promise<void>((resolve, reject) => {
      this.#waiting.push({ end, resolve, reject })
    })
  }

  /** Begins nothing more, and resolves when nothing is under way. Never throws. The last call. */
  async stop(): Promise<void> {
    this.#fail(new Error('the writer has been stopped'))
    await Promise.all(this.#underWay.values())
  }

  #hand(bytes: Uint8Array, own: Piece['own'], lost: (() => Error) | undefined): void {
    const { byteLength } = bytes
    this.#queue.push({ bytes, byteLength, position: this.#position, own, lost })
    this.#position += byteLength
    this.#begin()
  }

  #begin(): void {
    while (this.#underWay.size < this.#atOnce && this.#failure === undefined) {
      const piece = this.#queue[this.#begun]
      if (piece === undefined) return
      // Its memory is somebody else's, who may let go of it.
      this.#queue[this.#begun++] = undefined
      // Not each time: of a long array that would move all the others.
      if (this.#begun === QUEUE_TRIM) {
        this.#queue = this.#queue.slice(this.#begun)
        this.#begun = 0
      }
      this.#underWay.set(piece, this.#write(piece))
    }
  }

  /** Never rejects. */
  async #write(piece: Piece): Promise<void> {
    try {
      if (piece.bytes.byteLength !== piece.byteLength) {
        throw piece.lost?.() ?? new TypeError('memory was taken away before it was written')
      }
      await this.#sink.write(piece.bytes, piece.position)
      this.#underWay.delete(piece)
      this.#advance()
    } catch (error) {
      this.#underWay.delete(piece)
      this.#fail(error)
    }
    if (piece.own === 'buffer') this.#giveFree(piece.bytes)
    if (piece.own === 'copy') this.#copied -= piece.byteLength
    this.#begin()
  }

  /** Finds out how far everything has been written, and tells whoever wants to know. */
  #advance(): void {
    if (this.#failure !== undefined) return
    // Both are in the order of their positions.
    const [first = this.#queue[this.#begun]] = this.#underWay.keys()
    const written = first?.position ?? this.#position
    if (written === this.#written) return
    this.#written = written
    this.#onWritten(written)
    const waiting = this.#waiting
    this.#waiting = waiting.filter(({ end }) => end > written)
    for (const { end, resolve } of waiting) if (end <= written) resolve()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure.error)
    this.#wakeGatherer()
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Memory to gather in: one that is filled for each that is written, and one more. */
  #takeFree(): Uint8Array | undefined {
    const free = this.#free.pop()
    if (free !== undefined || this.#allocated > this.#atOnce) return free
    this.#allocated++
    return new Uint8Array(GATHER)
  }

  #giveFree(piece: Uint8Array): void {
    this.#free.push(new Uint8Array(piece.buffer))
    this.#wakeGatherer()
  }

  #wakeGatherer(): void {
    const resolve = this.#whenFree
    this.#whenFree = undefined
    resolve?.()
  }
}
