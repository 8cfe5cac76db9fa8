/// <reference lib="esnext.disposable" preserve="true" />
/** An open checkpoint: its progress, its states, and the source that their tensors are read from. */

import { CheckpointError } from '../errors.js'
import { parseConfig } from '../format/config.js'
import { isPlainFlatBuffer } from '../format/layout.js'
import type { Metadata, StateRecord, TensorRecord } from '../format/metadata.js'
import type { Segment, SegmentTable } from '../format/segment-table.js'
import { orAborted } from '../io/concurrency.js'
import type { Source } from '../io/source.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import { asyncDispose, dispose } from '../realm.js'
import { type SegmentOptions, SegmentReader } from './segment.js'
import { CheckpointState, CheckpointTensor, LazyTensors } from './state.js'
import { checkSegments } from './verify.js'

/** What `verify` and `faults` can be told. */
export interface VerifyOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const VERIFY_OPTIONS: OptionNames<VerifyOptions> = { onProgress: true, signal: true }

/**
 * An open checkpoint. What it says of itself was verified when it was opened; tensors are verified when they are
 * first read. It keeps its file or memory open until `close`, or until the garbage collector takes it.
 */
export class Checkpoint implements Disposable, AsyncDisposable {
  /** Version of the file format. */
  readonly version: number
  readonly epoch: number
  /** Optimizer steps taken. */
  readonly step: number
  /** Null where there was none yet. */
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /**
   * Place in the order of the saves of its run, by which a run that went back to an earlier step is
   * resumed where it was saved last. A CheckpointManager writes it; null where none was given.
   */
  readonly sequence: number | null
  /**
   * When it was saved by the saver's clock, in milliseconds since 1970 (`new Date(savedAt)`). A
   * CheckpointManager writes it; null where none was given.
   */
  readonly savedAt: number | null
  /** The config's JSON text as it was given, or null where there is none. */
  readonly configText: string | null
  readonly model: CheckpointState
  /** Null where none was saved. */
  readonly optimizer: CheckpointState | null
  /** Whatever else was saved, by name, in the order in which it was given. */
  readonly extras: ReadonlyMap<string, CheckpointState>
  /** Length of the file in bytes. */
  readonly byteLength: number
  /** Length of the part that is not tensors, in bytes. */
  readonly metadataLength: number
  /** How the bytes are read: `map`, in place; `file`, by reads; `memory`; `blob`. */
  readonly source: Source['kind']

  readonly #source: Source
  readonly #readers = new Map<number, SegmentReader>()
  #closed = false

  /**
   * Takes over the source. `segments` are those of `checkRules`.
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

  /** The config, parsed anew each time; null where there is none. Throws where it is not JSON. */
  get config(): unknown {
    return this.configText === null ? null : parseConfig(this.configText)
  }

  /** The model's state, the optimizer's if there is one, then the extras'. */
  get states(): readonly CheckpointState[] {
    const { model, optimizer, extras } = this
    return [model, ...(optimizer === null ? [] : [optimizer]), ...extras.values()]
  }

  /**
   * Reads all of the file and checks every tensor's checksum and the bytes between them. Throws the
   * first fault (CKPT_TENSOR_CHECKSUM, CKPT_FORMAT), or the signal's reason.
   */
  async verify(options: VerifyOptions = {}): Promise<void> {
    options = givenOptions('verify', VERIFY_OPTIONS, options)
    for await (const fault of this.faults(options)) throw fault
  }

  /**
   * The same, going on after a fault: yields an error for every tensor that is damaged. A file that
   * could not be read on is thrown.
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
   * Lets go of the file. Arrays that were handed out stay good; the map behind them goes with the
   * last one. A checkpoint that is dropped without being closed is closed when it is collected.
   */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#readers.clear()
    this.#source.close()
  }

  /**
   * Throws CKPT_FILE_CHANGED where the file is not the one that was opened.
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
