/**
 * Writes the tensors' bytes to a sink, each straight from the memory that the trainer gave, and makes
 * their checksums.
 *
 * Training that goes on during a save would leave a file of some old and some new weights, with
 * checksums that fit. So the trainer's memory is gone through twice, while the sink writes: first for
 * the checksums, each before its bytes are written; and when that has been done for all, again, each
 * after its bytes have been written. Where both come to the same, everything that was written was in
 * memory at one and the same moment, the one between the two.
 */

import { CheckpointError } from '../errors.js'
import { crc32 } from '../format/checksum.js'
import type { UnsealedMetadata } from '../format/encode.js'
import { gapBytes } from '../format/layout.js'
import { nextTurn } from '../io/concurrency.js'
import type { Sink } from '../io/sink.js'
import { quote } from '../printable.js'
import type { OnProgress } from '../progress.js'
import { tensorBytes } from './collect.js'
import type { Contents, SegmentSource } from './plan.js'
import { LARGE, SequentialWriter } from './sequential-writer.js'

export interface WriteOptions {
  readonly onProgress?: OnProgress
  readonly signal?: AbortSignal
}

// Bytes that are gone through, or written, at once: two or three milliseconds.
const PIECE = 8 * 1024 * 1024

/**
 * Writes gaps and segments and returns the segments' checksums. When it returns or throws, no write is
 * under way. The end of the file is not reported as progress: it is none before the commit.
 */
export async function writeSegments(
  sink: Sink,
  contents: Contents,
  metadata: UnsealedMetadata,
  { signal, onProgress }: WriteOptions,
): Promise<number[]> {
  const total = metadata.layout.fileLength
  const writer = new SequentialWriter(sink, metadata.length, (done) => {
    if (done < total) onProgress?.({ done, total })
  })
  const turns = new Turns(signal)
  try {
    const checksums = await appendSegments(writer, contents, metadata, turns)
    await checkUnchanged(writer, contents, metadata, checksums, turns)
    await writer.written()
    signal?.throwIfAborted()
    return checksums
  } finally {
    await writer.stop()
  }
}

/** Gives others their turns while bytes are gone through, and notices an abort. */
class Turns {
  readonly #signal: AbortSignal | undefined
  #bytes = 0

  constructor(signal: AbortSignal | undefined) {
    this.#signal = signal
  }

  /** To be awaited where it is a promise. */
  after(bytes: number): Promise<void> | undefined {
    this.#bytes += bytes
    if (this.#bytes < PIECE) return undefined
    this.#bytes = 0
    return nextTurn().then(() => this.#signal?.throwIfAborted())
  }

  throwIfAborted(): void {
    this.#signal?.throwIfAborted()
  }
}

async function appendSegments(
  writer: SequentialWriter,
  { sources }: Contents,
  { length, layout, plain }: UnsealedMetadata,
  turns: Turns,
): Promise<number[]> {
  const checksums: number[] = []
  let end = length
  for (const [i, source] of sources.entries()) {
    const offset = layout.offsets[i]!
    const { byteLength } = source.tensor
    const waiting = writer.append(gapBytes(offset - end, byteLength, plain))
    if (waiting !== undefined) await waiting
    end = offset + byteLength
    const { bytes } = source.tensor
    checksums.push(
      bytes === undefined
        ? await appendFetched(writer, source, end, turns)
        : await appendBytes(writer, source, bytes, turns),
    )
  }
  writer.flush()
  return checksums
}

/** Appends a segment's bytes and returns their checksum. */
async function appendBytes(
  writer: SequentialWriter,
  source: SegmentSource,
  bytes: Uint8Array,
  turns: Turns,
): Promise<number> {
  const lost = () => changed(source)
  let crc = 0
  for (const piece of pieces(source, bytes)) {
    crc = crc32(piece, crc)
    const waiting = writer.append(piece, lost)
    if (waiting !== undefined) await waiting
    const turn = turns.after(piece.byteLength)
    if (turn !== undefined) await turn
  }
  return crc
}

/**
 * Appends a segment whose bytes a function brings, and lets go of them when they have been written. A
 * function of its own, so that they can be collected before the next ones are brought: a loop would
 * hold on to them for a turn too long.
 */
async function appendFetched(
  writer: SequentialWriter,
  source: SegmentSource,
  end: number,
  turns: Turns,
): Promise<number> {
  const { name, dtype, byteLength, fetch } = source.tensor
  const what = `the tensor ${quote(name)} of ${source.state}`
  const bytes = tensorBytes(await fetch!(), dtype, byteLength, what)
  const crc = await appendBytes(writer, source, bytes, turns)
  if (byteLength >= LARGE) {
    writer.flush()
    await writer.written(end)
    turns.throwIfAborted()
    // They should be nobody else's; but a function may bring the trainer's own memory all the same.
    if ((await checksumOf(source, bytes, turns)) !== crc) throw changed(source)
  }
  return crc
}

/** Goes through the trainer's memory again. (What was fetched has been looked at already.) */
async function checkUnchanged(
  writer: SequentialWriter,
  { sources }: Contents,
  { layout }: UnsealedMetadata,
  checksums: readonly number[],
  turns: Turns,
): Promise<void> {
  for (const [i, source] of sources.entries()) {
    const { bytes, byteLength } = source.tensor
    if (bytes === undefined) continue
    const writing = writer.written(layout.offsets[i]! + byteLength)
    if (writing !== undefined) await writing
    turns.throwIfAborted()
    if ((await checksumOf(source, bytes, turns)) !== checksums[i]) throw changed(source)
  }
}

async function checksumOf(source: SegmentSource, bytes: Uint8Array, turns: Turns): Promise<number> {
  let crc = 0
  for (const piece of pieces(source, bytes)) {
    crc = crc32(piece, crc)
    const turn = turns.after(piece.byteLength)
    if (turn !== undefined) await turn
  }
  return crc
}

/** A segment's bytes in pieces; throws where there are not as many any more. */
function* pieces(source: SegmentSource, bytes: Uint8Array): Generator<Uint8Array> {
  const { byteLength } = source.tensor
  for (let done = 0; ; done += PIECE) {
    if (bytes.byteLength !== byteLength) throw changed(source)
    if (done >= byteLength) return
    yield bytes.subarray(done, done + PIECE)
  }
}

function changed({ state, tensor: { name } }: SegmentSource): CheckpointError {
  return new CheckpointError(
    'CKPT_TENSOR_CHANGED',
    `nothing was saved: ${quote(name)} (${state}) was changed, or its memory taken away, while ` +
      'the save was running; await the save before the next training step',
    { state, tensor: name },
  )
}
