/**
 * The bytes of one segment of an open checkpoint: viewed in place, read, verified or copied. They are never handed out
 * before they match their checksum, unless the caller has turned that off.
 */

import { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import { combineCrc32 } from '../format/checksum-combine.js'
import { gapBytes } from '../format/layout.js'
import { stateName } from '../format/metadata.js'
import type { Segment } from '../format/segment-table.js'
import type { Source } from '../io/source.js'
import { quote } from '../printable.js'

/** Called with the number of bytes that have been processed since the last call; may throw. */
export type Tick = (bytes: number) => void

/** Takes the bytes of the gap before one segment, and of the segment, in order. */
export abstract class SegmentIntake {
  readonly #gapLength: number
  readonly #total: number
  #done = 0

  /** Lengths in bytes. */
  constructor(gapLength: number, byteLength: number) {
    this.#gapLength = gapLength
    this.#total = gapLength + byteLength
  }

  /** Whether it has taken all of its bytes. */
  get complete(): boolean {
    return this.#done === this.#total
  }

  /** Takes the leading part of `bytes` that is its own. Returns its length, and how many of them are the segment's. */
  take(bytes: Uint8Array): { readonly taken: number; readonly ofSegment: number } {
    const taken = Math.min(bytes.byteLength, this.#total - this.#done)
    const ofGap = Math.min(taken, Math.max(0, this.#gapLength - this.#done))
    if (ofGap > 0) this.takeGap(bytes.subarray(0, ofGap), this.#done)
    if (ofGap < taken) {
      this.takeSegment(bytes.subarray(ofGap, taken), this.#done + ofGap - this.#gapLength)
    }
    this.#done += taken
    return { taken, ofSegment: taken - ofGap }
  }

  /** Counts bytes as taken that were processed elsewhere. */
  protected skip(length: number): void {
    this.#done += length
  }

  /** Takes bytes of the gap; `from` is the index of the first. */
  protected abstract takeGap(bytes: Uint8Array, from: number): void

  /** Takes bytes of the segment; `from` is the index of the first. */
  protected abstract takeSegment(bytes: Uint8Array, from: number): void
}

/** What a reader of a segment must know besides its place: whether to verify, and the names for messages. */
export interface SegmentOptions {
  /** Whether the segment's length precedes it. */
  readonly plain: boolean
  /** Whether bytes are verified before they are handed out. */
  readonly verify: boolean
  /** The state and the tensor for messages: the first one over this segment. */
  readonly state: string
  readonly tensor: string
}

/** Reads, verifies and shows one segment. Bytes that it hands out in place belong to the source. */
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
  #shown = false

  constructor(source: Source, segment: Segment, options: SegmentOptions) {
    this.#source = source
    this.#segment = segment
    this.#plain = options.plain
    this.#verify = options.verify
    this.#state = options.state
    this.#tensor = options.tensor
  }

  get source(): Source {
    return this.#source
  }

  get byteLength(): number {
    return this.#segment.byteLength
  }

  /** The CRC-32 that the file has for its bytes. */
  get crc32(): number {
    return this.#segment.crc32
  }

  /** Position of the gap before the segment, in bytes from the start of the file. */
  get start(): number {
    return this.#segment.gapStart
  }

  /** Position of the segment, in bytes from the start of the file. */
  get offset(): number {
    return this.#segment.offset
  }

  /** End of the segment, in bytes from the start of the file. */
  get end(): number {
    return this.#segment.offset + this.#segment.byteLength
  }

  /**
   * The bytes, synchronously: a view if the source has one (verified the first time), otherwise a new array (verified
   * every time). Throws CKPT_ASYNC_SOURCE if the source can do neither. `unwritten`: if a view of a map was shown
   * before, the caller may have written into it, so read the file instead.
   */
  bytesSync(unwritten = false): Uint8Array {
    const mayBeWritten = this.#shown && this.#source.kind === 'map'
    const view = unwritten && mayBeWritten ? undefined : this.#sharedView()
    if (view !== undefined) {
      if (this.#verify && !this.#viewChecked) {
        this.#checkGapSync()
        throwIf(this.checksumFault(crc32(view)))
        this.#viewChecked = true
      }
      this.#shown = true
      return view
    }
    if (this.#source.readSync === undefined) {
      throw new CheckpointError(
        'CKPT_ASYNC_SOURCE',
        `the bytes of a ${this.#source.kind} cannot be read synchronously: use \`await tensor.read()\``,
        this.#at(),
      )
    }
    const bytes = this.#allocate()
    this.#source.readSync(bytes, this.#segment.offset)
    if (this.#verify) {
      this.#checkGapSync()
      throwIf(this.checksumFault(crc32(bytes)))
    }
    return bytes
  }

  /** The file's bytes in a new array, which the caller owns; verified every time. */
  async bytes(): Promise<Uint8Array> {
    const bytes = this.#allocate()
    await this.#source.read(bytes, this.#segment.offset)
    if (this.#verify) {
      await this.#checkGap()
      throwIf(this.checksumFault(crc32(bytes)))
    }
    return bytes
  }

  /** Begins to verify the segment: the result must be given the bytes from `start` to `end`, in order. */
  beginCheck(): SegmentCheck {
    return new SegmentCheck(this)
  }

  /** Begins to copy the segment over `target`, which has the same length. The bytes are not verified. */
  beginCopy(target: Uint8Array): SegmentCopy {
    return new SegmentCopy(this, target)
  }

  /** Throws CKPT_FILE_CHANGED if the bytes may differ from the verified ones. */
  checkUnchanged(): Promise<void> {
    return this.#source.checkUnchanged()
  }

  /** Marks the segment as valid: it is not verified again before it is shown in place. */
  markValid(): void {
    this.#gapChecked = true
    this.#viewChecked = true
  }

  /** Throws CKPT_TENSOR_CHANGED if memory for the segment does not have its length (any more). */
  checkTarget(target: Uint8Array): void {
    const { byteLength } = this.#segment
    if (target.byteLength === byteLength) return
    throw new CheckpointError(
      'CKPT_TENSOR_CHANGED',
      `the memory for ${quote(this.#tensor)} (${stateName(this.#state)}) was transferred or resized: ` +
        `expected ${byteLength} bytes, found ${target.byteLength}`,
      { ...this.#at(), expected: byteLength, actual: target.byteLength },
    )
  }

  /** One view for all callers, as long as one of them holds it. */
  #sharedView(): Uint8Array | undefined {
    let view = this.#view?.deref()
    if (view === undefined) {
      view = this.#source.view?.(this.#segment.offset, this.#segment.byteLength)
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

  /** The bytes that must precede the segment. */
  gap(): Uint8Array {
    const { gapStart, offset, byteLength } = this.#segment
    return gapBytes(offset - gapStart, byteLength, this.#plain)
  }

  #checkGapSync(): void {
    if (this.#gapChecked) return
    const expected = this.gap()
    const actual = new Uint8Array(expected.byteLength)
    this.#source.readSync!(actual, this.#segment.gapStart)
    throwIf(this.gapFault(expected, actual))
    this.#gapChecked = true
  }

  async #checkGap(): Promise<void> {
    if (this.#gapChecked) return
    const expected = this.gap()
    const actual = new Uint8Array(expected.byteLength)
    await this.#source.read(actual, this.#segment.gapStart)
    throwIf(this.gapFault(expected, actual))
    this.#gapChecked = true
  }

  /** The fault of `actual`, bytes before the segment from the `from`th on; or undefined. */
  gapFault(expected: Uint8Array, actual: Uint8Array, from = 0): CheckpointError | undefined {
    const at = actual.findIndex((byte, k) => byte !== expected[from + k])
    if (at === -1) return undefined
    return new CheckpointError(
      'CKPT_FORMAT',
      `the bytes before ${quote(this.#tensor)} are damaged`,
      {
        ...this.#at(),
        rule: 'gap',
        offset: this.#segment.gapStart + from + at,
        expected: expected[from + at],
        actual: actual[at],
      },
    )
  }

  /** The fault of a segment with this checksum, or undefined. */
  checksumFault(actual: number): CheckpointError | undefined {
    const expected = this.#segment.crc32
    if (actual === expected) return undefined
    return new CheckpointError(
      'CKPT_TENSOR_CHECKSUM',
      `the bytes of ${quote(this.#tensor)} (${stateName(this.#state)}) are damaged: checksum mismatch, ` +
        `expected ${hex(expected)}, found ${hex(actual)}`,
      { ...this.#at(), expected, actual },
    )
  }

  #at() {
    return { state: this.#state, tensor: this.#tensor, offset: this.#segment.offset }
  }
}

/** Verifies the checksum of a segment, and the gap before it. */
export class SegmentCheck extends SegmentIntake {
  readonly #reader: SegmentReader
  readonly #gap: Uint8Array
  #crc = 0
  #fault: CheckpointError | undefined

  constructor(reader: SegmentReader) {
    const gap = reader.gap()
    super(gap.byteLength, reader.byteLength)
    this.#reader = reader
    this.#gap = gap
  }

  protected takeGap(bytes: Uint8Array, from: number): void {
    this.#fault ??= this.#reader.gapFault(this.#gap, bytes, from)
  }

  protected takeSegment(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc)
  }

  /** Takes the next `length` bytes of the segment by their CRC-32 alone. */
  takeChecksum(crc: number, length: number): void {
    this.#crc = combineCrc32(this.#crc, crc, length)
    this.skip(length)
  }

  /** The fault that was found, or undefined. */
  end(): CheckpointError | undefined {
    const fault = this.#fault ?? this.#reader.checksumFault(this.#crc)
    if (fault === undefined) this.#reader.markValid()
    return fault
  }
}

/** Copies a segment into the caller's memory as bytes arrive, but never while a read into that memory is under way. */
export class SegmentCopy extends SegmentIntake {
  readonly #reader: SegmentReader
  readonly #target: Uint8Array

  constructor(reader: SegmentReader, target: Uint8Array) {
    super(reader.offset - reader.start, reader.byteLength)
    this.#reader = reader
    this.#target = target
  }

  protected takeGap(): void {}

  protected takeSegment(bytes: Uint8Array, from: number): void {
    this.#reader.checkTarget(this.#target)
    this.#target.set(bytes, from)
  }
}

function throwIf(fault: CheckpointError | undefined): void {
  if (fault !== undefined) throw fault
}

function hex(crc: number): string {
  return crc.toString(16).padStart(8, '0')
}
