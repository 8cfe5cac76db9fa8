/**
 * Writes a file from parts, which are bytes or tensors, to a sink. While the sink writes some pieces, the next are read,
 * and the one between them is summed. Many small tensors are written in one call.
 */

import { crc32 } from '../format/checksum.js'
import type { Durability, Sink } from '../io/sink.js'
import { LONG_READ } from '../io/source.js'
import type { OnProgress } from '../progress.js'
import type { ForeignTensor } from './training.js'

// Bytes of a piece, and the number of pieces in memory: two are read, one is summed, and two are written.
const PIECE = 4 * 1024 * 1024
const PIECES = 5
const WRITES = 2
const READS = 2

/**
 * Tensors are read in parts that start at a multiple of this many bytes: whole elements of every dtype, and whole bytes
 * of packed elements.
 */
const UNIT = 48

/** The next part of a file. */
export type Part =
  /** A function is called when all parts before it have been read, and their checksums are known. */
  | { readonly bytes: Uint8Array | (() => Uint8Array | Promise<Uint8Array>) }
  /** As many bytes are written later, as a patch. A sink gets each byte once. */
  | { readonly hole: number }
  | {
      readonly tensor: ForeignTensor
      /** Called once, with the CRC-32 of the tensor's bytes. */
      readonly onChecksum?: ((checksum: number) => void) | undefined
    }

/** Writes `parts` from the start of the sink on. The sink must have begun. */
async function writeParts(
  writer: PieceWriter,
  reads: Reads,
  parts: Iterable<Part>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const part of parts) {
    signal?.throwIfAborted()
    if ('tensor' in part) {
      await readTensor(writer, reads, part, signal)
      continue
    }
    if ('hole' in part) {
      writer.skip(part.hole)
      continue
    }
    if (typeof part.bytes === 'function') await reads.atMost(0)
    await writer.append(typeof part.bytes === 'function' ? await part.bytes() : part.bytes)
  }
  await reads.atMost(0)
  await writer.flush()
}

/** Begins the reads of a tensor, of which the last ones may still be under way when it resolves. */
async function readTensor(
  writer: PieceWriter,
  reads: Reads,
  { tensor, onChecksum }: Extract<Part, { readonly tensor: ForeignTensor }>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { byteLength } = tensor
  // Sources answer short reads from a window, which they read for the first of them.
  if (byteLength < LONG_READ) await reads.atMost(0)
  const known = tensor.crc32
  if (known !== undefined) onChecksum?.(known)
  const isSummed = known === undefined && onChecksum !== undefined
  const atOnce = Math.min(READS, tensor.readsAtOnce)
  let checksum = 0
  for (let done = 0; done < byteLength; ) {
    await reads.atMost(atOnce - 1)
    const { target, piece } = await writer.room(byteLength - done)
    const end = done + target.byteLength
    reads.add(tensor.readBytes(target, done), () => {
      if (isSummed) checksum = crc32(target, checksum)
      if (isSummed && end === byteLength) onChecksum?.(checksum)
      writer.filled(piece)
    })
    done = end
    signal?.throwIfAborted()
  }
}

/** Reads under way. What follows them happens in their order. */
class Reads {
  readonly #writer: PieceWriter
  readonly #done: Promise<void>[] = []
  #last: Promise<void> = Promise.resolve()
  #reading: Promise<void>[] = []

  constructor(writer: PieceWriter) {
    this.#writer = writer
  }

  /** Calls `then` when this read and all reads before it are done. */
  add(reading: Promise<void>, then: () => void): void {
    const done = Promise.all([reading, this.#last]).then(then)
    // Handled by `atMost`, and by whoever waits for room.
    done.catch((error) => this.#writer.fail(error))
    this.#last = done
    this.#done.push(done)
    this.#reading.push(reading)
  }

  /** Waits until at most `count` reads are under way. Throws the first error of a read. */
  async atMost(count: number): Promise<void> {
    while (this.#done.length > count) {
      await this.#done[0]
      this.#done.shift()
      this.#reading.shift()
    }
  }

  /** Resolves when no read is under way any more, failed or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#reading)
  }
}

/** The parts of a file. */
export interface FileContents {
  /** Length of the file, in bytes. */
  readonly length: number
  /** The parts from the start of the file on. */
  readonly parts: Iterable<Part>
  /** The bytes of the holes, which are known only after all parts have been written. */
  readonly patches?: () => Iterable<{ readonly position: number; readonly bytes: Uint8Array }>
}

/** Writes a file and commits it. If anything fails, the sink is aborted, and the old file is unchanged. */
export async function writeFile(
  sink: Sink,
  { length, parts, patches }: FileContents,
  { onProgress, signal }: { onProgress?: OnProgress | undefined; signal?: AbortSignal | undefined },
): Promise<Durability> {
  signal?.throwIfAborted()
  const writer = new PieceWriter(sink, (done) => {
    if (done < length) onProgress?.({ done, total: length })
  })
  const reads = new Reads(writer)
  try {
    await sink.begin(length)
    await writeParts(writer, reads, parts, signal)
    if (writer.position !== length) {
      throw new Error(`the file was to have ${length} bytes, and ${writer.position} were written`)
    }
    for (const { position, bytes } of patches?.() ?? []) await sink.write(bytes, position)
    await sink.sync()
    onProgress?.({ done: length, total: length })
    signal?.throwIfAborted()
    return await sink.commit()
  } catch (error) {
    await reads.settled()
    await writer.settled()
    await sink.abort()
    throw error
  }
}

/** Memory for a part of the file. */
interface Piece {
  readonly memory: Uint8Array
  /** Position in the file of its first byte. */
  start: number
  /** Bytes that are in use. */
  length: number
  /** Reads into it that are under way. */
  pending: number
}

/** Sends pieces to a sink, as many at once as it accepts. */
class PieceWriter {
  readonly #sink: Sink
  readonly #onWritten: (done: number) => void
  readonly #atOnce: number
  readonly #free: Piece[] = []
  /** Pieces to which nothing is added any more. They are written in order. */
  readonly #closed: Piece[] = []
  readonly #writing: Promise<void>[] = []
  #piece: Piece | undefined
  #position = 0
  #written = 0
  #made = 0
  #failure: { readonly error: unknown } | undefined
  #wake: (() => void) | undefined

  constructor(sink: Sink, onWritten: (done: number) => void) {
    this.#sink = sink
    this.#onWritten = onWritten
    this.#atOnce = Math.min(WRITES, sink.writesAtOnce ?? 1)
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#position
  }

  /**
   * Memory for up to `length` bytes of a tensor: all of them, or a multiple of UNIT. The caller must call `filled` when
   * they are there.
   */
  async room(length: number): Promise<{ readonly target: Uint8Array; readonly piece: Piece }> {
    for (;;) {
      const piece = this.#piece ?? (await this.#next())
      const left = PIECE - piece.length
      const taken = length <= left ? length : left - (left % UNIT)
      if (taken > 0) {
        piece.pending++
        return { target: this.#take(piece, taken), piece }
      }
      this.#close()
    }
  }

  /** The bytes of one call of `room` are there. */
  filled(piece: Piece): void {
    piece.pending--
    this.#send()
  }

  /** Leaves out bytes, which are written later. */
  skip(length: number): void {
    this.#close()
    this.#position += length
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const piece = this.#piece ?? (await this.#next())
      const part = bytes.subarray(done, done + PIECE - piece.length)
      this.#take(piece, part.byteLength).set(part)
      done += part.byteLength
      if (piece.length === PIECE) this.#close()
    }
  }

  /** Writes the rest, and waits until everything is written. All calls of `room` must have been answered. */
  async flush(): Promise<void> {
    this.#close()
    while (this.#writing.length > 0) await this.#progress()
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Makes whoever waits for memory throw `error`. */
  fail(error: unknown): void {
    this.#failure ??= { error }
    this.#wake?.()
  }

  /** Resolves when no write is running any more, failed or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing)
  }

  #take(piece: Piece, length: number): Uint8Array {
    const target = piece.memory.subarray(piece.length, piece.length + length)
    piece.length += length
    this.#position += length
    return target
  }

  async #next(): Promise<Piece> {
    let piece = this.#free.pop()
    while (piece === undefined && this.#made >= PIECES) {
      await this.#progress()
      piece = this.#free.pop()
    }
    if (piece === undefined) {
      piece = { memory: new Uint8Array(PIECE), start: 0, length: 0, pending: 0 }
      this.#made++
    }
    piece.start = this.#position
    piece.length = 0
    this.#piece = piece
    return piece
  }

  /** Waits until a piece has been written. Throws if a read or a write has failed. */
  async #progress(): Promise<void> {
    if (this.#failure === undefined) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
    if (this.#failure !== undefined) throw this.#failure.error
  }

  #close(): void {
    const piece = this.#piece
    if (piece === undefined) return
    this.#piece = undefined
    this.#closed.push(piece)
    this.#send()
  }

  /** Gives the sink the next piece, if it accepts one more and if the piece has all its bytes. */
  #send(): void {
    if (this.#failure !== undefined || this.#writing.length >= this.#atOnce) return
    const [piece] = this.#closed
    if (piece === undefined || piece.pending > 0) return
    this.#closed.shift()
    const { memory, start, length } = piece
    const write = this.#sink
      .write(memory.subarray(0, length), start)
      .then(() => {
        this.#free.push(piece)
        this.#written += length
        this.#onWritten(this.#written)
      })
      .catch((error) => this.fail(error))
      .then(() => {
        this.#writing.splice(this.#writing.indexOf(write), 1)
        this.#send()
        this.#wake?.()
      })
    this.#writing.push(write)
  }
}
