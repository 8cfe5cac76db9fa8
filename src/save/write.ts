/**
 * Writes a checkpoint to a sink: the segments first; the metadata, which holds their checksums, last;
 * then the commit. What a save holds of its own is the metadata and some buffers for small tensors.
 */

import { encode } from '../format/encode.js'
import type { Durability, Sink } from '../io/sink.js'
import { assertLittleEndian } from '../load/metadata.js'
import type { OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import type { Module, Optimizer } from '../state.js'
import { type CheckpointProgress, collectContents } from './plan.js'
import { writeSegments } from './segments.js'

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

/** The names of the options of a save. */
export const SAVE_OPTIONS: OptionNames<SaveOptions> = {
  epoch: true,
  step: true,
  loss: true,
  metrics: true,
  config: true,
  extras: true,
  sequence: true,
  savedAt: true,
  durable: true,
  onProgress: true,
  signal: true,
}

export interface SaveReport {
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Number of tensors. */
  readonly tensors: number
  /** What the commit reached. */
  readonly durability: Durability
}

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
    await sink.sync()
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
