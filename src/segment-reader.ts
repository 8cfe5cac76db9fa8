/**
 * The bytes of one segment of an open checkpoint: in place where the source can, read where it
 * cannot, and never handed out before they fit their checksum (unless the caller has said so).
 */

import { CheckpointError, quote } from './error.js'
import { crc32 } from './format/checksum.js'
import { gapBytes } from './format/layout.js'
import { MODEL, OPTIMIZER } from './format/metadata.js'
import type { Segment } from './format/segment-table.js'
import { MAX_READ, type Source } from './io/source.js'

/** Called with the number of bytes that have been dealt with since the last call; may throw. */
export type Tick = (bytes: number) => void

// Bytes that are checked or copied before the event loop gets a turn, and an abort is noticed.
const SLICE = 16 * 1024 * 1024

export interface SegmentOptions {
  /** Whether the length stands before the segment. */
  readonly plain: boolean
  /** Whether bytes are checked before they are handed out. */
  readonly verify: boolean
  /** The state and the tensor that messages name: the first one over this segment. */
  readonly state: string
  readonly tensor: string
}

export class SegmentReader {
  readonly #source: Source
  readonly #segment: Segment
  readonly #plain: boolean
  readonly #verify: boolean
  readonly #state: string
  readonly #tensor: string
  #gapChecked = false
  #view: WeakRef<Uint8Array> | undefined
  #viewChecked = false

  constructor(source: Source, segment: Segment, options: SegmentOptions) {
    this.#source = source
    this.#segment = segment
    this.#plain = options.plain
    this.#verify = options.verify
    this.#state = options.state
    this.#tensor = options.tensor
  }

  get byteLength(): number {
    return this.#segment.byteLength
  }

  /** From the start of the file, in bytes. */
  get offset(): number {
    return this.#segment.offset
  }

  /**
   * The bytes, at once: a view where the source has one (checked the first time), a new array where
   * it reads (checked every time). Throws CKPT_ASYNC_SOURCE where it can do neither.
   */
  bytesSync(): Uint8Array {
    const view = this.#sharedView()
    if (view !== undefined) {
      if (this.#verify && !this.#viewChecked) {
        this.#checkGapSync()
        this.#compare(crc32(view))
        this.#viewChecked = true
      }
      return view
    }
    if (this.#source.readSync === undefined) {
      throw new CheckpointError(
        'CKPT_ASYNC_SOURCE',
        `the bytes of a ${this.#source.kind} cannot be had at once: use \`await tensor.read()\``,
        this.#at(),
      )
    }
    const bytes = this.#allocate()
    this.#source.readSync(bytes, this.#segment.offset)
    if (this.#verify) {
      this.#checkGapSync()
      this.#compare(crc32(bytes))
    }
    return bytes
  }

  /** Like `bytesSync`, from any source. */
  async bytes(): Promise<Uint8Array> {
    if (this.#sharedView() !== undefined) return this.bytesSync()
    const bytes = this.#allocate()
    await this.#source.read(bytes, this.#segment.offset)
    if (this.#verify) {
      await this.#checkGap()
      this.#compare(crc32(bytes))
    }
    return bytes
  }

  /** Checks the checksum and the bytes before the segment; throws where one does not fit. */
  async check(tick?: Tick): Promise<void> {
    await this.#checkGap()
    let crc = 0
    await this.#slices((slice) => {
      crc = crc32(slice, crc)
      tick?.(slice.byteLength)
    })
    this.#compare(crc)
    this.#viewChecked = true
  }

  /** Throws CKPT_FILE_CHANGED where the bytes may not be those that were checked. */
  checkUnchanged(): Promise<void> {
    return this.#source.checkUnchanged()
  }

  /** Copies the bytes, unchecked, over `target`, which is as long as the segment. */
  async copyTo(target: Uint8Array, tick?: Tick): Promise<void> {
    const { offset, byteLength } = this.#segment
    for (let done = 0; done < byteLength; ) {
      const length = Math.min(SLICE, byteLength - done)
      if (target.byteLength !== byteLength) {
        throw new TypeError(`the memory for ${quote(this.#tensor)} was taken away or resized`)
      }
      const piece = target.subarray(done, done + length)
      const view = this.#source.peek(offset + done, length)
      if (view !== undefined) piece.set(view)
      else await this.#source.read(piece, offset + done)
      done += length
      tick?.(length)
    }
  }

  /** Runs over the bytes in slices, giving the event loop a turn between them. */
  async #slices(use: (slice: Uint8Array) => void): Promise<void> {
    const { offset, byteLength } = this.#segment
    let buffer: Uint8Array | undefined
    for (let done = 0; done < byteLength; ) {
      const length = Math.min(SLICE, MAX_READ, byteLength - done)
      const view = this.#source.peek(offset + done, length)
      if (view === undefined) {
        buffer ??= new Uint8Array(length)
        const slice = buffer.subarray(0, length)
        await this.#source.read(slice, offset + done)
        use(slice)
      } else {
        use(view)
        if (done + length < byteLength) await nextTurn()
      }
      done += length
    }
  }

  /** One view for all who ask, for as long as one of them holds it. */
  #sharedView(): Uint8Array | undefined {
    let view = this.#view?.deref()
    if (view === undefined) {
      view = this.#source.view(this.#segment.offset, this.#segment.byteLength)
      if (view !== undefined) this.#view = new WeakRef(view)
    }
    return view
  }

  #allocate(): Uint8Array {
    const { byteLength } = this.#segment
    try {
      return new Uint8Array(byteLength)
    } catch (cause) {
      throw new CheckpointError(
        'CKPT_TENSOR_TOO_LARGE',
        `${quote(this.#tensor)} has ${byteLength} bytes, more than an array of this engine holds`,
        { ...this.#at(), actual: byteLength, cause },
      )
    }
  }

  #gap(): Uint8Array {
    const { gapStart, offset, byteLength } = this.#segment
    return gapBytes(offset - gapStart, byteLength, this.#plain)
  }

  #checkGapSync(): void {
    if (this.#gapChecked) return
    const expected = this.#gap()
    const actual = new Uint8Array(expected.byteLength)
    this.#source.readSync!(actual, this.#segment.gapStart)
    this.#compareGap(expected, actual)
  }

  async #checkGap(): Promise<void> {
    if (this.#gapChecked) return
    const expected = this.#gap()
    const actual = new Uint8Array(expected.byteLength)
    await this.#source.read(actual, this.#segment.gapStart)
    this.#compareGap(expected, actual)
  }

  #compareGap(expected: Uint8Array, actual: Uint8Array): void {
    const i = expected.findIndex((byte, k) => byte !== actual[k])
    if (i !== -1) {
      throw new CheckpointError(
        'CKPT_FORMAT',
        `the bytes before ${quote(this.#tensor)} are not what they have to be`,
        {
          ...this.#at(),
          rule: 'gap',
          offset: this.#segment.gapStart + i,
          expected: expected[i],
          actual: actual[i],
        },
      )
    }
    this.#gapChecked = true
  }

  #compare(actual: number): void {
    const expected = this.#segment.crc32
    if (actual === expected) return
    throw new CheckpointError(
      'CKPT_TENSOR_CHECKSUM',
      `the bytes of ${quote(this.#tensor)} (${stateName(this.#state)}) are damaged: their checksum ` +
        `is ${hex(actual)}, and should be ${hex(expected)}`,
      { ...this.#at(), expected, actual },
    )
  }

  #at() {
    return { state: this.#state, tensor: this.#tensor, offset: this.#segment.offset }
  }
}

/** A state's name in a message: an extra's comes from the file. */
function stateName(name: string): string {
  return name === MODEL || name === OPTIMIZER ? name : quote(name)
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}

/** Lets timers, input and signals have their turn. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof setImmediate === 'function') setImmediate(resolve)
    else setTimeout(resolve, 0)
  })
}
