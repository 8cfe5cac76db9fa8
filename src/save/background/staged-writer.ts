/**
 * Copies bytes into a staging area, one after the other, and has another thread write them and make
 * the checksums of those that belong to segments. The other thread begins when everything has been
 * copied, or when there is no more room: it would take memory bandwidth from the copies, for which a
 * trainer waits. Long copies are put off until then, to be carried out together.
 */

import type { Copy } from '../../threads/shared-copies.js'
import type { ChecksumPart } from '../../threads/sink-protocol.js'
import type { SinkThread } from '../../threads/sink-thread.js'
import type { StagingArea } from './staging-area.js'

// Bytes from which a copy is worth to be put off.
const LONG_COPY = 256 * 1024

/** A piece of the staging area that is full, or the last one. */
interface ReadyPiece {
  readonly piece: Uint8Array
  readonly bytes: Uint8Array
  /** Where they go, in bytes from the start of the file. */
  readonly position: number
  readonly parts: readonly ChecksumPart[]
}

export class StagedWriter {
  readonly #thread: Pick<SinkThread, 'call'>
  readonly #staging: StagingArea
  readonly #onWritten: (position: number) => void
  readonly #copyAll: (copies: readonly Copy[]) => void
  /** What has been put off. */
  readonly #copies: Copy[] = []
  readonly #writes: Promise<void>[] = []
  /** What is to be handed over. */
  readonly #ready: ReadyPiece[] = []
  #failure: { readonly error: unknown } | undefined
  #piece: Uint8Array | undefined
  #filled = 0
  #parts: ChecksumPart[] = []
  /** Where the current piece goes, in bytes from the start of the file. */
  #position: number

  /**
   * Writes from `position` on, in bytes from the start of the file; `onWritten` is called with how far
   * it has come, and what it throws is a failure to write. `copyAll` carries out copies.
   */
  constructor(
    thread: Pick<SinkThread, 'call'>,
    staging: StagingArea,
    position: number,
    onWritten: (position: number) => void = () => {},
    copyAll: (copies: readonly Copy[]) => void = copyInTurn,
  ) {
    this.#thread = thread
    this.#staging = staging
    this.#onWritten = onWritten
    this.#copyAll = copyAll
    this.#position = position
  }

  /**
   * Takes `bytes`; those of a segment go on with its checksum. At once, where there is room: then nothing
   * is returned, nobody else has had a turn, and they have been copied when `copy` or `flush` has
   * returned. Else when there is, and they have been copied then.
   */
  append(bytes: Uint8Array, segment?: number): Promise<void> | undefined {
    for (let done = 0; done < bytes.byteLength; ) {
      if (this.#piece === undefined) {
        const taken = this.#staging.take()
        if (!(taken instanceof Uint8Array)) {
          this.#handOver()
          return this.#appendWhen(taken, bytes, done, segment)
        }
        this.#piece = taken
      }
      const start = this.#filled
      const length = Math.min(this.#piece.byteLength - start, bytes.byteLength - done)
      const source = bytes.subarray(done, done + length)
      const target = this.#piece.subarray(start, start + length)
      if (length < LONG_COPY) target.set(source)
      else this.#copies.push({ target, source })
      this.#filled += length
      done += length
      if (segment !== undefined) this.#parts.push({ segment, start, end: this.#filled })
      if (this.#filled === this.#piece.byteLength) this.#endPiece()
    }
    return undefined
  }

  /** Copies what has been put off: to be called before anybody else has a turn. */
  copy(): void {
    const copies = this.#copies.splice(0)
    if (copies.length > 0) this.#copyAll(copies)
  }

  /** Copies all, and hands it over. */
  flush(): void {
    if (this.#filled > 0) this.#endPiece()
    this.#handOver()
  }

  /** Hands back the memory of what was not handed over: of no use where the save has failed. */
  release(): void {
    this.#copies.length = 0
    for (const { piece } of this.#ready.splice(0)) this.#staging.give(piece)
    if (this.#piece !== undefined) this.#staging.give(this.#piece)
    this.#piece = undefined
    this.#filled = 0
  }

  /** Resolves when all of it has been written, or throws what the sink threw first. */
  async written(): Promise<void> {
    await Promise.all(this.#writes)
    if (this.#failure !== undefined) throw this.#failure.error
  }

  async #appendWhen(
    taken: Promise<Uint8Array>,
    bytes: Uint8Array,
    done: number,
    segment: number | undefined,
  ): Promise<void> {
    this.#piece = await taken
    // No use in copying on for a save that has failed.
    if (this.#failure !== undefined) throw this.#failure.error
    const rest = this.append(bytes.subarray(done), segment)
    this.copy()
    await rest
  }

  #endPiece(): void {
    const piece = this.#piece!
    const bytes = piece.subarray(0, this.#filled)
    this.#ready.push({ piece, bytes, position: this.#position, parts: this.#parts })
    this.#position += this.#filled
    this.#piece = undefined
    this.#filled = 0
    this.#parts = []
  }

  #handOver(): void {
    this.copy()
    for (const { piece, bytes, position, parts } of this.#ready.splice(0)) {
      const written = this.#thread
        .call({ call: 'write', bytes, position, parts })
        .then(() => this.#onWritten(position + bytes.byteLength))
        .catch((error: unknown) => {
          this.#failure ??= { error }
        })
        .finally(() => this.#staging.give(piece))
      this.#writes.push(written)
    }
  }
}

function copyInTurn(copies: readonly Copy[]): void {
  for (const { target, source } of copies) target.set(source)
}
