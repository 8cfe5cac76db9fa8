/**
 * Writes a file from parts, which are bytes or tensors, to a sink. While the sink writes one piece, the next is read.
 * Many small tensors are written in one call.
 */

import type { Durability, Sink } from '../io/sink.js'
import type { OnProgress } from '../progress.js'
import type { ForeignTensor } from './training.js'

// Bytes of a piece, and the number of pieces in memory: one is read while two are written.
const PIECE = 4 * 1024 * 1024
const PIECES = 3

/**
 * Tensors are read in parts that start at a multiple of this many bytes: whole elements of every dtype, and whole bytes
 * of packed elements.
 */
const UNIT = 48

/** The next part of a file. */
export type Part =
  | { readonly bytes: Uint8Array }
  | {
      readonly tensor: ForeignTensor
      /** Called with the bytes in file order, as they are written. */
      readonly onBytes?: ((bytes: Uint8Array) => void) | undefined
    }

/** Writes `parts`, with a total of `length` bytes, from byte `start` of the sink on. The sink must have begun. */
async function writeParts(
  writer: PieceWriter,
  parts: Iterable<Part>,
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const part of parts) {
    signal?.throwIfAborted()
    if ('bytes' in part) {
      await writer.append(part.bytes)
      continue
    }
    const { tensor, onBytes } = part
    for (let done = 0; done < tensor.byteLength; ) {
      const target = await writer.room(tensor.byteLength - done)
      await tensor.readBytes(target, done)
      onBytes?.(target)
      writer.taken(target.byteLength)
      done += target.byteLength
      signal?.throwIfAborted()
    }
  }
  await writer.flush()
}

/** The parts of a file. */
export interface FileContents {
  /** Length of the file, in bytes. */
  readonly length: number
  /** The parts from the start of the file on. */
  readonly parts: Iterable<Part>
  /** Bytes that are known only after all parts have been written; they overwrite their place. */
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
  try {
    await sink.begin(length)
    await writeParts(writer, parts, signal)
    if (writer.position !== length) {
      throw new Error(`the file was to have ${length} bytes, and ${writer.position} were written`)
    }
    for (const { position, bytes } of patches?.() ?? []) await sink.write(bytes, position)
    await sink.sync()
    onProgress?.({ done: length, total: length })
    signal?.throwIfAborted()
    return await sink.commit()
  } catch (error) {
    await writer.settled()
    await sink.abort()
    throw error
  }
}

/** Sends pieces to a sink, as many at once as it accepts. */
class PieceWriter {
  readonly #sink: Sink
  readonly #onWritten: (done: number) => void
  readonly #free: Uint8Array[] = []
  readonly #writing: Promise<void>[] = []
  readonly #atOnce: number
  #piece: Uint8Array | undefined
  #filled = 0
  #start = 0
  #written = 0
  #made = 0

  constructor(sink: Sink, onWritten: (done: number) => void) {
    this.#sink = sink
    this.#onWritten = onWritten
    this.#atOnce = Math.min(PIECES - 1, sink.writesAtOnce ?? 1)
  }

  /** Position of the next byte. */
  get position(): number {
    return this.#start + this.#filled
  }

  /** Memory for up to `length` bytes of a tensor: all of them, or a multiple of UNIT. */
  async room(length: number): Promise<Uint8Array> {
    const piece = this.#piece ?? (await this.#next())
    const left = piece.byteLength - this.#filled
    const taken = length <= left ? length : left - (left % UNIT)
    if (taken > 0) return piece.subarray(this.#filled, this.#filled + taken)
    await this.#send()
    return this.room(length)
  }

  /** Marks this many bytes of the memory as filled. */
  taken(length: number): void {
    this.#filled += length
  }

  async append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const piece = this.#piece ?? (await this.#next())
      const part = bytes.subarray(done, done + piece.byteLength - this.#filled)
      piece.set(part, this.#filled)
      this.#filled += part.byteLength
      done += part.byteLength
      if (this.#filled === piece.byteLength) await this.#send()
    }
  }

  /** Writes the rest, and waits until everything is written. */
  async flush(): Promise<void> {
    if (this.#filled > 0) await this.#send()
    await Promise.all(this.#writing)
  }

  /** Resolves when no write is running any more, failed or not. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#writing)
  }

  async #next(): Promise<Uint8Array> {
    let piece = this.#free.pop()
    while (piece === undefined && this.#made >= PIECES) {
      await this.#writing[0]
      piece = this.#free.pop()
    }
    if (piece === undefined) {
      piece = new Uint8Array(PIECE)
      this.#made++
    }
    this.#piece = piece
    return piece
  }

  async #send(): Promise<void> {
    const piece = this.#piece!
    const bytes = piece.subarray(0, this.#filled)
    const position = this.#start
    this.#piece = undefined
    this.#start += this.#filled
    this.#filled = 0
    while (this.#writing.length >= this.#atOnce) await this.#writing[0]
    const write = this.#sink.write(bytes, position).then(() => {
      this.#free.push(piece)
      this.#writing.splice(this.#writing.indexOf(write), 1)
      this.#written += bytes.byteLength
      this.#onWritten(this.#written)
    })
    // Handled when the next piece is sent, or at the end.
    write.catch(() => {})
    this.#writing.push(write)
  }
}
