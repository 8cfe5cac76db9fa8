/**
 * Carries out a save, wherever it goes: copies what is to be saved, and writes it from there, the segments
 * first; the metadata, which holds their checksums, last; then the commit. Saves in the foreground and in
 * the background differ in the sink and in how much may be staged, and in nothing else.
 */

import { CheckpointError } from '../errors.js'
import { type Content, encode } from '../format/encode.js'
import type { Durability, Sink } from '../io/sink.js'
import { assertLittleEndian } from '../load/metadata.js'
import type { OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import type { Module, Optimizer } from '../state.js'
import { isThenable } from './collect.js'
import { type CheckpointProgress, checkMoment, type Plan, planSave } from './plan.js'
import { SegmentWriter, type SegmentWriterOptions } from './segment-writer.js'
import { copySegments } from './segments.js'
import { ringFor, type StagingArea } from './staging-area.js'

/** What is saved beside the states, and how. */
export interface SaveOptions extends CheckpointProgress {
  /**
   * Whether the save waits until the checkpoint survives a power cut (default true). False: it is
   * replaced in one step all the same, so that a kill at any time leaves the old one or the new one,
   * but nothing is synced. A power cut soon after may then leave neither, an empty file or a part of
   * one, which its checksums tell; keep a durable one beside it. Of files alone.
   */
  readonly durable?: boolean | undefined
  readonly onProgress?: OnProgress | undefined
  /**
   * Ends the save: it rejects with the signal's reason, and what was there before is untouched. Also while
   * a state dict or a tensor is waited for.
   */
  readonly signal?: AbortSignal | undefined
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

/** What a save has written. */
export interface SaveReport {
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Number of tensors. */
  readonly tensors: number
  /** What the commit reached. */
  readonly durability: Durability
}

/** Where a save goes, and what it stages. */
export interface SaveTarget {
  readonly sink: Sink
  readonly staging: StagingArea
  /** See SegmentWriter. */
  readonly copyTogether?: SegmentWriterOptions['copyTogether']
  /** Called when everything has been copied: the trainer may change its memory again. */
  readonly onStaged: () => void
  /**
   * The `sequence` of the checkpoint, in the place of that of the plan, which is a number as well: a manager
   * learns it later than it has to take the state.
   */
  readonly sequence?: Promise<number> | undefined
}

/** Whether a value is a sink, by its methods. */
export function isSink(value: unknown): value is Sink {
  return typeof (value as Partial<Sink> | null)?.commit === 'function'
}

/** Collects the states, writes them to the sink and commits. Rejects like `saveCheckpoint`. */
export async function writeCheckpoint(
  sink: Sink,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: SaveOptions,
): Promise<SaveReport> {
  const planned = beginSave(model, optimizer, options)
  // An `await` would be a turn for others, which a state that is at hand does not need.
  const plan = isThenable(planned) ? await planned : planned
  return carryOut({ sink, staging: ringFor(sink), onStaged: () => {} }, plan, options)
}

/** Plans a save that may be carried out here and now. Throws, and rejects, like `planSave`. */
export function beginSave(
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: SaveOptions,
): Plan | Promise<Plan> {
  assertLittleEndian()
  options.signal?.throwIfAborted()
  return planSave(model, optimizer, options, options.signal)
}

/** A sink has one draft: a second save to it would write into the first one's. */
const underWay = new WeakSet<Sink>()

/**
 * Carries out a save. If anything fails before the commit, aborts the sink, so that what was there before
 * is there still.
 *
 * @throws CheckpointError CKPT_BUSY if another save to the same sink is under way, which goes on
 */
export async function carryOut(
  { sink, staging, copyTogether, onStaged, sequence }: SaveTarget,
  plan: Plan,
  { signal, onProgress }: SaveOptions,
): Promise<SaveReport> {
  if (underWay.has(sink)) {
    throw new CheckpointError(
      'CKPT_BUSY',
      'nothing was saved: another save to this sink is under way; await it, or use a sink for each',
    )
  }
  const metadata = encode(plan.content)
  const total = metadata.layout.fileLength
  const writer = new SegmentWriter(sink, staging, metadata.length, {
    onWritten: (done) => {
      // The end is reported when all of it has been synced.
      if (done < total) onProgress?.({ done, total })
    },
    copyTogether,
  })
  underWay.add(sink)
  try {
    const begun = sink.begin(total)
    // Without waiting for the sink: at the moment of the save.
    const copying = copySegments(writer, plan, metadata, signal)
    copying.catch(() => {})
    await begun
    signal?.throwIfAborted()
    writer.open()
    const isOfMoment = await copying
    if (isOfMoment) onStaged()
    await writer.written()
    checkMoment(plan, writer.checksums)
    if (!isOfMoment) onStaged()
    signal?.throwIfAborted()
    const checksums = plan.sources.map((_, i) => writer.checksums[i] ?? 0)
    const numbered =
      sequence === undefined ? metadata : encode(withSequence(plan.content, await sequence))
    await sink.write(numbered.seal(checksums), 0)
    signal?.throwIfAborted()
    await sink.sync()
    // Before the commit: what it throws ends the save, which nothing can do afterwards.
    onProgress?.({ done: total, total })
    signal?.throwIfAborted()
    const durability = await sink.commit()
    underWay.delete(sink)
    return { byteLength: total, tensors: plan.tensors, durability }
  } catch (error) {
    await writer.stop()
    await sink.abort()
    underWay.delete(sink)
    throw error
  }
}

/** The same content with another number, and so of the same length. */
function withSequence(content: Content, sequence: number): Content {
  return { ...content, progress: { ...content.progress, sequence } }
}
