/**
 * Carries out a save to any sink. It copies the states and writes the copies: first the segments, then the metadata,
 * which holds their checksums; then it commits. A sink that holds bytes itself gets the metadata sooner, if it is known.
 * Foreground and background saves differ only in their sink and in how much they may stage.
 */

import { CheckpointError, withPath } from '../errors.js'
import { type Content, encode } from '../format/encode.js'
import type { Checksums, Durability, Sink, Staging, StagingSink } from '../io/sink.js'
import type { StoredCheckpoint } from '../io/store.js'
import { assertLittleEndian } from '../load/metadata.js'
import type { OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import type { Module, Optimizer } from '../state.js'
import { type CheckpointProgress, checkMoment, type Plan, planSave } from './plan.js'
import { SegmentWriter, type SegmentWriterOptions } from './segment-writer.js'
import { copySegments } from './segments.js'
import { stagingFor } from './staging-area.js'
import { isThenable } from './steps.js'

/** What a file keeps besides the states, and how it is saved. */
export interface SaveOptions extends CheckpointProgress {
  /**
   * Whether the save waits until the checkpoint survives a power cut (default true). False: the replacement is still
   * atomic, so a kill at any time leaves the old file or the new one, but nothing is synced. A power cut soon after may
   * leave neither, but an empty or partial file, which its checksums reveal. Keep a durable checkpoint next to it. Has
   * an effect on files only.
   */
  readonly durable?: boolean | undefined
  readonly onProgress?: OnProgress | undefined
  /**
   * Ends the save, even while it waits for a state dict or a tensor. The save then rejects with the signal's reason,
   * and what was there before is untouched.
   */
  readonly signal?: AbortSignal | undefined
}

// Stryker disable BooleanLiteral: only the names count, and the compiler compares them.
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
// Stryker restore BooleanLiteral

/** The result of a save. */
export interface SaveReport {
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Number of tensors. */
  readonly tensors: number
  /** What survives a power cut. */
  readonly durability: Durability
  /** What the server has verified by checksums. Absent if there is no server. */
  readonly checksums?: Checksums | undefined
}

/** The destination of a save, and its staging memory. */
export interface SaveTarget {
  readonly sink: Sink
  readonly staging: Staging
  /** See SegmentWriter. */
  readonly copyTogether?: SegmentWriterOptions['copyTogether']
  /** Called when everything has been copied: the trainer may change its memory again. */
  readonly onStaged: () => void
  /**
   * The `sequence` of the checkpoint, for a manager that learns it after it has taken the state. It replaces that of
   * the plan, which must be a number too, so that the length stays the same.
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
  // Without an `await` if the state is there already, because other code would run during it.
  const plan = isThenable(planned) ? await planned : planned
  return carryOut({ sink, staging: stagingFor(sink), onStaged: () => {} }, plan, options)
}

/** The same into a store, with the location as the path of errors. */
export async function writeStored(
  { store, name, condition }: StoredCheckpoint,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: SaveOptions,
): Promise<SaveReport> {
  const sink = store.sink(name, { condition, durable: options.durable })
  try {
    return await writeCheckpoint(sink, model, optimizer, options)
  } catch (error) {
    throw withPath(error, store.locate(name))
  }
}

/** Plans a save that may be carried out here and now. Throws and rejects like `planSave`. */
export function beginSave(
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: SaveOptions,
): Plan | Promise<Plan> {
  assertLittleEndian()
  options.signal?.throwIfAborted()
  return planSave(model, optimizer, options, options.signal)
}

/** The sinks in use. A sink has one draft, so a second save would write into the first one's. */
const underWay = new WeakSet<Sink>()

/**
 * Carries out a save. If it fails before the commit, it aborts the sink, so that what was there before is still there.
 *
 * @throws CheckpointError CKPT_BUSY if another save to the same sink is under way; that one continues
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
  const writeMetadata = async (): Promise<void> => {
    const checksums = plan.sources.map(
      ({ tensor }, i) => tensor.checksum ?? writer.checksums[i] ?? 0,
    )
    const numbered =
      sequence === undefined ? metadata : encode(withSequence(plan.content, await sequence))
    await sink.write(numbered.seal(checksums), 0)
  }
  // Up to this position of the file only the writer knows the checksums. Once so much is written, the metadata can be.
  let unknownUntil = Number.POSITIVE_INFINITY
  let early: Promise<void> | undefined
  const writer = new SegmentWriter(sink, staging, metadata.length, {
    onWritten: (done) => {
      if (done >= unknownUntil && early === undefined) {
        early = writeMetadata()
        early.catch((error) => writer.fail(error))
      }
      // The end is reported after the sync.
      if (done < total) onProgress?.({ done, total })
    },
    copyTogether,
  })
  underWay.add(sink)
  const cancel = (): void => sink.cancel?.(signal?.reason)
  signal?.addEventListener('abort', cancel)
  try {
    const begun = sink.begin(total)
    // Does not wait for the sink, because copies must be of the moment of the save.
    const copying = copySegments(writer, plan, metadata, signal, (first) => {
      const isFetched = plan.sources.some(
        ({ tensor }, i) => i >= first && tensor.checksum === undefined,
      )
      if (isFetched || !holdsParts(sink, staging)) return
      const { offsets } = metadata.layout
      unknownUntil =
        first === 0 ? 0 : offsets[first - 1]! + plan.sources[first - 1]!.tensor.byteLength
    })
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
    await (early ?? writeMetadata())
    signal?.throwIfAborted()
    await sink.sync()
    // Before the commit: if it throws, the save can still be ended.
    onProgress?.({ done: total, total })
    signal?.throwIfAborted()
    const durability = await sink.commit()
    underWay.delete(sink)
    const verified = sink.checksums === undefined ? {} : { checksums: sink.checksums }
    return { byteLength: total, tensors: plan.tensors, durability, ...verified }
  } catch (error) {
    await writer.stop()
    await early?.catch(() => {})
    await sink.abort()
    underWay.delete(sink)
    throw error
  } finally {
    signal?.removeEventListener('abort', cancel)
  }
}

/**
 * Whether a sink holds the part of the file with the metadata until it is whole. It gets the metadata as soon as that is
 * known, or it would hold that memory until the end.
 */
function holdsParts(sink: Sink & Partial<StagingSink>, staging: Staging): boolean {
  return sink.staging === staging
}

/** The same content with another number, and therefore of the same length. */
function withSequence(content: Content, sequence: number): Content {
  return { ...content, progress: { ...content.progress, sequence } }
}
