/**
 * Writes a checkpoint to a sink: the segments first, each straight from the memory that the trainer
 * gave and with its checksum made on the way; the metadata, which holds the checksums, last; then the
 * commit. What a save holds of its own is the metadata and a buffer for small tensors.
 */

import { tensorBytes } from './collect.js'
import {
  type CheckpointProgress,
  type Contents,
  collectContents,
  type SegmentSource,
} from './contents.js'
import { CheckpointError, quote } from './error.js'
import { crc32 } from './format/checksum.js'
import { encode, type UnsealedMetadata } from './format/encode.js'
import { gapBytes } from './format/layout.js'
import { SequentialWriter } from './io/sequential-writer.js'
import type { Durability, Sink } from './io/sink.js'
import type { OnProgress } from './progress.js'
import { assertLittleEndian } from './read-metadata.js'
import { nextTurn } from './segment-reader.js'
import type { Module, Optimizer } from './state.js'

export interface SaveOptions extends CheckpointProgress {
  /**
   * Whether the save waits until the checkpoint survives a power cut (default true). False: it is
   * replaced in one step all the same, so that a kill at any time leaves the old one or the new one,
   * but nothing is synced. A power cut soon after may then leave neither, an empty file or a part of
   * one, which its checksums tell; keep a durable one beside it. Of files alone.
   */
  readonly durable?: boolean
  readonly onProgress?: OnProgress
  /** Ends the save: it rejects with the signal's reason, and what was there before is untouched. */
  readonly signal?: AbortSignal
}

export interface SaveReport {
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Number of tensors. */
  readonly tensors: number
  /** What the commit reached. */
  readonly durability: Durability
}

// Bytes that are checksummed and handed to the sink at once: while the sink writes one piece, the
// checksum of the same piece is made, and both are about as long in the processor's cache.
const PIECE = 8 * 1024 * 1024

/** Whether a value is a sink, by its methods. */
export function isSink(value: unknown): value is Sink {
  return typeof (value as Partial<Sink> | null)?.commit === 'function'
}

/** Collects the states, writes them and commits. Aborts the sink where anything fails. */
export async function writeCheckpoint(
  sink: Sink,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: SaveOptions,
): Promise<SaveReport> {
  const { signal } = options
  assertLittleEndian()
  signal?.throwIfAborted()
  const contents = await collectContents(model, optimizer, options)
  signal?.throwIfAborted()
  const metadata = encode(contents.content)
  const { fileLength } = metadata.layout
  try {
    await sink.begin(fileLength)
    const checksums = await writeSegments(sink, contents, metadata, options)
    await sink.write(metadata.seal(checksums), 0)
    signal?.throwIfAborted()
    // The disk is slow and the processor idle: a good time to look whether a tensor was changed.
    // Both are waited for: a sink must not be aborted under a sync that is still running.
    const outcomes = await Promise.allSettled([
      sink.sync(),
      checkUnchanged(contents, checksums, signal),
    ])
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason
    // Before the commit: what it throws ends the save, which nothing can do afterwards.
    options.onProgress?.({ done: fileLength, total: fileLength })
    signal?.throwIfAborted()
    const durability = await sink.commit()
    return { byteLength: fileLength, tensors: contents.tensors, durability }
  } catch (error) {
    await sink.abort()
    throw error
  }
}

/** Writes gaps and segments and returns the segments' checksums. */
async function writeSegments(
  sink: Sink,
  { sources }: Contents,
  metadata: UnsealedMetadata,
  { signal, onProgress }: SaveOptions,
): Promise<number[]> {
  const { layout, plain } = metadata
  const writer = new SequentialWriter(sink, metadata.length)
  const checksums: number[] = []
  let end = metadata.length
  for (const [i, source] of sources.entries()) {
    const offset = layout.offsets[i]!
    const { byteLength } = source.tensor
    await writer.append(gapBytes(offset - end, byteLength, plain))
    const crc = await writeSegment(writer, source, (written) => {
      signal?.throwIfAborted()
      const done = offset + written
      // The end is reported when all of it is on the disk.
      if (done < layout.fileLength) onProgress?.({ done, total: layout.fileLength })
    })
    checksums.push(crc)
    end = offset + byteLength
  }
  await writer.flush()
  signal?.throwIfAborted()
  return checksums
}

/**
 * Writes one segment and returns its checksum. A function of its own, so that a tensor that was
 * fetched can be collected before the next one is: a loop would hold on to it for a turn too long.
 */
async function writeSegment(
  writer: SequentialWriter,
  { state, tensor }: SegmentSource,
  onWritten: (written: number) => void,
): Promise<number> {
  const what = `the tensor ${quote(tensor.name)} of ${state}`
  const bytes =
    tensor.bytes ?? tensorBytes(await tensor.fetch!(), tensor.dtype, tensor.byteLength, what)
  if (bytes.byteLength !== tensor.byteLength) throw changed(state, tensor.name)
  let crc = 0
  let waited = false
  for (let done = 0; done < tensor.byteLength; done += PIECE) {
    const piece = bytes.subarray(done, done + PIECE)
    const writing = writer.append(piece)
    crc = crc32(piece, crc)
    if (writing !== undefined) {
      waited = true
      await writing
      if (bytes.byteLength !== tensor.byteLength) throw changed(state, tensor.name)
      onWritten(Math.min(done + PIECE, tensor.byteLength))
    }
  }
  // Memory of the trainer's is looked at again when all is written. What was fetched is gone by then,
  // and should be nobody else's; but a function may bring the trainer's own memory all the same.
  if (waited && tensor.bytes === undefined) {
    let again = 0
    for (let done = 0; done < bytes.byteLength; done += PIECE) {
      again = crc32(bytes.subarray(done, done + PIECE), again)
      await nextTurn()
    }
    if (again !== crc) throw changed(state, tensor.name)
  }
  return crc
}

/**
 * Checks that the trainer's memory still holds what was written. Training that goes on during a save
 * would else leave a file of some old and some new weights, with checksums that fit. (What was
 * fetched is gone by now; it was looked at when it was written.)
 */
async function checkUnchanged(
  { sources }: Contents,
  checksums: readonly number[],
  signal: AbortSignal | undefined,
): Promise<void> {
  let sinceTurn = 0
  for (const [i, { state, tensor }] of sources.entries()) {
    const { bytes } = tensor
    if (bytes === undefined) continue
    if (bytes.byteLength !== tensor.byteLength) throw changed(state, tensor.name)
    let crc = 0
    for (let done = 0; done < bytes.byteLength; done += PIECE) {
      const piece = bytes.subarray(done, done + PIECE)
      crc = crc32(piece, crc)
      sinceTurn += piece.byteLength
      if (sinceTurn >= PIECE) {
        await nextTurn()
        signal?.throwIfAborted()
        sinceTurn = 0
      }
    }
    if (crc !== checksums[i]) throw changed(state, tensor.name)
  }
}

function changed(state: string, tensor: string): CheckpointError {
  return new CheckpointError(
    'CKPT_TENSOR_CHANGED',
    `nothing was saved: ${quote(tensor)} (${state}) was changed, or its memory taken away, while ` +
      'the save was running; await the save before the next training step',
    { state, tensor },
  )
}
