/**
 * Copies the segments of a plan, and the gaps between them, into a writer.
 *
 * A save is of one moment, that of its call. No other code runs before the first wait, so what fits into staging memory
 * is copied by then. The rest is summed before the first wait, and its later copy must have the same checksum. So the
 * file holds what the trainer's memory held at that moment, or the save fails.
 */

import type { UnsealedMetadata } from '../format/encode.js'
import { gapBytes } from '../format/layout.js'
import { stateName } from '../format/metadata.js'
import { nextTurn, orAborted } from '../io/concurrency.js'
import { quote } from '../printable.js'
import { kindOf } from '../realm.js'
import { tensorBytes, tensorChanged } from './collect.js'
import { checksumOf, holdMoment, type Plan, sumNow } from './plan.js'
import type { SegmentWriter } from './segment-writer.js'

// Bytes that are copied between two yields to the event loop: some milliseconds.
const BYTES_PER_TURN = 8 * 1024 * 1024

/**
 * Copies everything, and flushes the writer. Resolves to whether all of it was copied at the moment of the save, so
 * that no checksum must be compared. Otherwise calls `onMomentEnd` at the end of that moment, with the index of the first
 * segment that is not wholly copied: the plan then has the checksum of each segment from there on, except of those that
 * must be fetched. Throws CKPT_TENSOR_CHANGED if memory was detached before the copy, the error of a fetch, or the
 * signal's reason.
 */
export async function copySegments(
  writer: SegmentWriter,
  plan: Plan,
  metadata: UnsealedMetadata,
  signal: AbortSignal | undefined,
  onMomentEnd: (first: number) => void = () => {},
): Promise<boolean> {
  return new SegmentCopier(writer, plan, signal, onMomentEnd).copyAll(metadata)
}

class SegmentCopier {
  readonly #writer: SegmentWriter
  readonly #plan: Plan
  readonly #signal: AbortSignal | undefined
  readonly #onMomentEnd: (first: number) => void
  #inMoment = true
  #bytesOfTurn = 0

  constructor(
    writer: SegmentWriter,
    plan: Plan,
    signal: AbortSignal | undefined,
    onMomentEnd: (first: number) => void,
  ) {
    this.#writer = writer
    this.#plan = plan
    this.#signal = signal
    this.#onMomentEnd = onMomentEnd
  }

  // Each `await` ends the moment, so it awaits only real promises.
  async copyAll({ length, layout, plain }: UnsealedMetadata): Promise<boolean> {
    const { sources } = this.#plan
    // Other threads run at any time, so shared memory must be the same when it is summed and when it is copied.
    // Summing other memory here as well would change no result, only take time.
    for (const source of sources) if (isShared(source.tensor.bytes)) sumNow(source)
    let end = length
    for (const [i, { tensor }] of sources.entries()) {
      const offset = layout.offsets[i]!
      const gap = gapBytes(offset - end, tensor.byteLength, plain)
      const waiting = this.#append(i, gap, false)
      if (waiting !== undefined) await waiting
      const copying =
        tensor.bytes === undefined ? this.#appendFetched(i) : this.#append(i, tensor.bytes, true)
      if (copying !== undefined) await copying
      end = offset + tensor.byteLength
    }
    this.#writer.flush()
    return this.#inMoment
  }

  /**
   * Appends the bytes of a segment, or of the gap before it. Returns a promise if there was no room for all of them, or
   * if it is time to yield.
   */
  #append(i: number, bytes: Uint8Array, ofSegment: boolean): Promise<void> | undefined {
    if (ofSegment) this.#checkThere(i, bytes)
    const done = this.#writer.append(bytes, ofSegment ? i : undefined)
    return done === bytes.byteLength
      ? this.#turnAfter(done)
      : this.#appendRest(i, bytes, ofSegment, done)
  }

  async #appendRest(
    i: number,
    bytes: Uint8Array,
    ofSegment: boolean,
    copied: number,
  ): Promise<void> {
    // Fetched bytes must be of one moment, too.
    if (ofSegment) this.#plan.sources[i]!.tensor.checksum ??= checksumOf(bytes)
    this.#endMoment(i)
    this.#bytesOfTurn += copied
    for (let done = copied; done < bytes.byteLength; ) {
      await this.#writer.room()
      this.#signal?.throwIfAborted()
      if (ofSegment) this.#checkThere(i, bytes)
      const count = this.#writer.append(bytes.subarray(done), ofSegment ? i : undefined)
      done += count
      // Before this function's promise settles, because other code runs then.
      this.#writer.copy()
      const turn = this.#turnAfter(count)
      if (turn !== undefined) await turn
    }
  }

  /** A separate function, so that the bytes can be collected before the next ones are fetched. */
  async #appendFetched(i: number): Promise<void> {
    // The function is the trainer's own code.
    this.#endMoment(i)
    const { state, tensor } = this.#plan.sources[i]!
    const { name, dtype, byteLength, fetch } = tensor
    const data = await orAborted(Promise.resolve(fetch!()), this.#signal)
    const what = `the tensor ${quote(name)} of ${stateName(state)}`
    const copying = this.#append(i, tensorBytes(data, dtype, byteLength, what), true)
    this.#writer.copy()
    if (copying !== undefined) await copying
  }

  /** Must be called before other code runs, with the index of the current segment. */
  #endMoment(i: number): void {
    this.#writer.copy()
    if (!this.#inMoment) return
    this.#inMoment = false
    holdMoment(this.#plan, i)
    this.#onMomentEnd(i)
  }

  /** Yields to the event loop after every BYTES_PER_TURN bytes, but never within the moment. */
  #turnAfter(bytes: number): Promise<void> | undefined {
    if (this.#inMoment) return undefined
    this.#bytesOfTurn += bytes
    if (this.#bytesOfTurn < BYTES_PER_TURN) return undefined
    this.#bytesOfTurn = 0
    this.#writer.copy()
    // The save notices an abort at its end as well, with the same result.
    return nextTurn().then(() => this.#signal?.throwIfAborted())
  }

  /** Throws if memory has been detached, or if its buffer has shrunk. */
  #checkThere(i: number, bytes: Uint8Array): void {
    const { state, tensor } = this.#plan.sources[i]!
    if (bytes.byteLength !== tensor.byteLength) throw tensorChanged(state, tensor.name)
  }
}

function isShared(bytes: Uint8Array | undefined): boolean {
  return kindOf(bytes?.buffer) === 'SharedArrayBuffer'
}
