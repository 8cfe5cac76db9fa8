/// <reference lib="esnext.disposable" preserve="true" />
/** An open checkpoint: its progress, its states, and the source that their tensors are read from. */

import { CheckpointError } from '../errors.js'
import { parseConfig } from '../format/config.js'
import { isPlainFlatBuffer } from '../format/layout.js'
import type { Metadata, StateRecord } from '../format/metadata.js'
import type { Segment, SegmentTable } from '../format/segment-table.js'
import type { TensorRecord } from '../format/tensor-table.js'
import { orAborted } from '../io/concurrency.js'
import type { Source } from '../io/source.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import { asyncDispose, dispose } from '../realm.js'
import { type SegmentOptions, SegmentReader } from './segment.js'
import { CheckpointState, CheckpointTensor, LazyTensors } from './state.js'
import { checkSegments } from './verify.js'

/** Options of `verify` and `faults`. */
export interface VerifyOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const VERIFY_OPTIONS: OptionNames<VerifyOptions> = { onProgress: true, signal: true }

/**
 * An open checkpoint. Its metadata was verified when it was opened; each tensor is verified when it is first read. It
 * keeps its file or memory open until `close`, or until the garbage collector takes it.
 */
export class Checkpoint implements Disposable, AsyncDisposable {
  /** Version of the file format. */
  readonly version: number
  readonly epoch: number
  /** Optimizer steps taken. */
  readonly step: number
  /** Null if there was none yet. */
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /**
   * Position in the order of its run's saves. With it, a run that went back to an earlier step resumes from its last
   * save. A CheckpointManager sets it; null if the file has none.
   */
  readonly sequence: number | null
  /**
   * Time of the save by the saver's clock, in milliseconds since 1970 (`new Date(savedAt)`). A CheckpointManager sets
   * it; null if the file has none.
   */
  readonly savedAt: number | null
  /** The config's JSON text as it was given, or null if the file has none. */
  readonly configText: string | null
  readonly model: CheckpointState
  /** Null if no optimizer was saved. */
  readonly optimizer: CheckpointState | null
  /** Every other saved state by name, in the order of the save. */
  readonly extras: ReadonlyMap<string, CheckpointState>
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Length of the metadata in bytes: everything before the tensors. */
  readonly metadataLength: number
  /** How the bytes are read: `map` (in place), `file` (by reads), `memory`, `blob` or `http`. */
  readonly source: Source['kind']

  readonly #source: Source
  readonly #readers = new Map<number, SegmentReader>()
  #closed = false

  /**
   * Takes ownership of the source. `segments` are those of `checkRules`.
   * @internal
   */
  constructor(source: Source, metadata: Metadata, segments: SegmentTable, verify: boolean) {
    const { progress } = metadata
    this.version = metadata.version
    this.epoch = progress.epoch
    this.step = progress.step
    this.loss = progress.loss
    this.metrics = progress.metrics
    this.sequence = progress.sequence
    this.savedAt = progress.savedAt
    this.configText = progress.config
    this.byteLength = metadata.fileLength
    this.metadataLength = metadata.metadataLength
    this.source = source.kind
    this.#source = source

    const plain = isPlainFlatBuffer(metadata.fileLength)
    const makeTensor = (state: string, tensor: TensorRecord): CheckpointTensor => {
      const segment = segments.get(tensor.offset) as Segment
      const at = { plain, verify, state, tensor: tensor.name }
      return new CheckpointTensor(tensor, () => this.#reader(segment, at))
    }
    const state = (record: StateRecord): CheckpointState =>
      new CheckpointState(record, new LazyTensors(record, makeTensor))
    this.model = state(metadata.model)
    this.optimizer = metadata.optimizer === null ? null : state(metadata.optimizer)
    this.extras = new Map(metadata.extras.map((record) => [record.name, state(record)]))
  }

  /** The config, parsed anew each time; null if the file has none. Throws CKPT_FORMAT if it is not JSON. */
  get config(): unknown {
    return this.configText === null ? null : parseConfig(this.configText)
  }

  /** The model's state, the optimizer's if there is one, then those of the extras. */
  get states(): readonly CheckpointState[] {
    const { model, optimizer, extras } = this
    return [model, ...(optimizer === null ? [] : [optimizer]), ...extras.values()]
  }

  /**
   * Reads the whole file, and verifies every tensor's checksum and the bytes between tensors. Throws the first fault
   * (CKPT_TENSOR_CHECKSUM, CKPT_FORMAT), an error of the read, or the signal's reason.
   */
  async verify(options: VerifyOptions = {}): Promise<void> {
    options = givenOptions('verify', VERIFY_OPTIONS, options)
    for await (const fault of this.faults(options)) throw fault
  }

  /**
   * Like `verify`, but continues after a fault: yields an error for every damaged tensor. Throws if the file cannot be
   * read any further.
   */
  async *faults(options: VerifyOptions = {}): AsyncGenerator<CheckpointError> {
    const { onProgress, signal } = givenOptions('faults', VERIFY_OPTIONS, options)
    const readers = new Set<SegmentReader>()
    for (const state of this.states) for (const [, tensor] of state) readers.add(tensor.segment())
    let total = 0
    for (const reader of readers) total += reader.byteLength
    let done = 0
    const tick = (bytes: number): void => {
      done += bytes
      if (done < total) onProgress?.({ done, total })
    }
    yield* checkSegments(readers, { tick, signal })
    await orAborted(this.checkUnchanged(), signal)
    onProgress?.({ done: total, total })
  }

  /**
   * Releases the file. Arrays that were handed out stay valid; the map is released with the last of them. A checkpoint
   * that is dropped without `close` is closed by the garbage collector.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#readers.clear()
    this.#source.close()
  }

  /**
   * Throws CKPT_FILE_CHANGED if the file has changed since it was opened.
   * @internal
   */
  checkUnchanged(): Promise<void> {
    return this.#source.checkUnchanged()
  }

  #reader(segment: Segment, at: SegmentOptions): SegmentReader {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the checkpoint is closed')
    let reader = this.#readers.get(segment.offset)
    if (reader === undefined) {
      reader = new SegmentReader(this.#source, segment, at)
      this.#readers.set(segment.offset, reader)
    }
    return reader
  }

  [dispose](): void {
    this.close()
  }

  async [asyncDispose](): Promise<void> {
    this.close()
  }
}
