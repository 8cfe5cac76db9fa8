/** Opens a file of any format that the viewer reads, for its facts and for the bytes of its tensors. */

import type { ReadableTensor } from '../../../src/diff/tensors.js'
import { CheckpointError } from '../../../src/errors.js'
import { isNpz, readNpzFile } from '../../../src/exchange/numpy-file.js'
import { inputPlace } from '../../../src/exchange/places.js'
import { isPytorch, readPytorchFile } from '../../../src/exchange/pytorch/pytorch-file.js'
import {
  isSafetensors,
  isSafetensorsIndex,
  readSafetensorsFile,
  readSafetensorsIndex,
} from '../../../src/exchange/safetensors-file.js'
import type { ForeignState, InputPlace, Training } from '../../../src/exchange/training.js'
import { elementCount } from '../../../src/format/dtype.js'
import { allStates, type Metadata, MODEL, OPTIMIZER } from '../../../src/format/metadata.js'
import type { Source } from '../../../src/io/source.js'
import type { Checkpoint } from '../../../src/load/checkpoint.js'
import { readMetadata } from '../../../src/load/metadata.js'
import { openCheckpoint } from '../../../src/load/open.js'
import { SegmentReader } from '../../../src/load/segment.js'
import type { OnProgress } from '../../../src/progress.js'
import type { FileFacts, StateFacts, TensorFacts, ViewedFile } from './facts.js'
import { WindowSource } from './window-source.js'

/** An open file. It is of use until it is closed. */
export interface OpenFile {
  facts(): Promise<FileFacts>
  /** The tensor for reading. Reads of a `.ckpt` need no metadata: the facts say where the bytes are. */
  tensor(facts: TensorFacts): Promise<ReadableTensor>
  /** Announces which tensors will be read. `now`: the first of them are read already. */
  plan(tensors: readonly TensorFacts[], now?: boolean): void
  /** Reads all bytes, and finds those that their checksums deny. Finds nothing in a format without checksums. */
  faults(onProgress: OnProgress, signal: AbortSignal): AsyncIterable<CheckpointError>
  close(): void
}

/** Opens a file of the page: a Blob, or an address. Throws what `openPlace` throws. */
export async function openFile({ from, siblings }: ViewedFile): Promise<OpenFile> {
  return openPlace(await inputPlace(from, siblings))
}

/**
 * Opens the file of a place, whose source it closes. Reads its first bytes at most. Throws CKPT_READ, and
 * CKPT_FOREIGN_FILE for a format that is unknown.
 */
export async function openPlace(place: InputPlace): Promise<OpenFile> {
  const head = new Uint8Array(Math.min(4096, place.source.size))
  try {
    await place.source.read(head, 0)
    // What is no file of another format is refused as a checkpoint that is damaged.
    const read = await foreignReader(head, place)
    if (read === undefined) return new CheckpointFile(place.source)
    return new ForeignFile(place.source.size, await read(place))
  } catch (error) {
    place.source.close()
    throw error
  }
}

type Read = (place: InputPlace) => Promise<Training>

async function foreignReader(head: Uint8Array, place: InputPlace): Promise<Read | undefined> {
  if (String.fromCharCode(...head.subarray(4, 8)) === 'LWCK') return undefined
  if (isSafetensors(head, place.source.size)) return readSafetensorsFile
  if (isSafetensorsIndex(head, place.name)) return readSafetensorsIndex
  if (await isPytorch(head, place)) return readPytorchFile
  if (await isNpz(head, place)) return readNpzFile
  const name = place.name.toLowerCase()
  if (name.endsWith('.safetensors')) return readSafetensorsFile
  return /\.(pt|pth|bin)$/.test(name) ? readPytorchFile : undefined
}

class CheckpointFile implements OpenFile {
  readonly #source: WindowSource

  constructor(source: Source) {
    this.#source = new WindowSource(source)
  }

  async facts(): Promise<FileFacts> {
    const { metadata } = await readMetadata(this.#source)
    return factsOf(metadata)
  }

  #opened(): Promise<Checkpoint> {
    const source = this.#source
    const { kind, size } = source
    const read = (target: Uint8Array, position: number) => source.read(target, position)
    const checkUnchanged = () => source.checkUnchanged()
    // The file stays open after its facts were read.
    return openCheckpoint({ kind, size, read, checkUnchanged, close: () => {} })
  }

  async tensor({ state, name, dtype, shape, byteLength, segment }: TensorFacts) {
    const reader = new SegmentReader(
      this.#source,
      { gapStart: segment!.offset, byteLength, ...segment! },
      { plain: false, verify: true, state, tensor: name },
    )
    return { dtype, size: elementCount(shape)!, byteLength, segment: () => reader }
  }

  plan(tensors: readonly TensorFacts[], now = false): void {
    this.#source.plan(
      tensors
        .map(({ byteLength, segment }) => ({
          start: segment!.offset,
          end: segment!.offset + byteLength,
        }))
        .sort((a, b) => a.start - b.start),
    )
    if (now) this.#source.begin()
  }

  async *faults(onProgress: OnProgress, signal: AbortSignal): AsyncGenerator<CheckpointError> {
    yield* (await this.#opened()).faults({ onProgress, signal })
  }

  close(): void {
    this.#source.close()
  }
}

/** The facts of a checkpoint. */
function factsOf(metadata: Metadata): FileFacts {
  const { progress, fileLength, metadataLength } = metadata
  return {
    format: 'ckpt',
    ...progress,
    byteLength: fileLength,
    metadataLength,
    states: allStates(metadata).map(
      ({ name: state, kind, attributes, tensors }): StateFacts => ({
        ...{ name: state, kind, attributes },
        tensors: Array.from(tensors, ({ name, dtype, shape, byteLength, offset, crc32 }) => ({
          ...{ state, name, dtype, shape, byteLength },
          segment: { offset, crc32 },
        })),
      }),
    ),
  }
}

class ForeignFile implements OpenFile {
  readonly #size: number
  readonly #training: Training

  constructor(size: number, training: Training) {
    this.#size = size
    this.#training = training
  }

  async facts(): Promise<FileFacts> {
    const { format, progress } = this.#training
    return {
      format,
      epoch: progress.epoch ?? null,
      step: progress.step ?? null,
      loss: progress.loss ?? null,
      metrics: progress.metrics ?? {},
      config: progress.config ?? null,
      sequence: progress.sequence ?? null,
      savedAt: progress.savedAt ?? null,
      byteLength: this.#size,
      metadataLength: null,
      states: this.#states().map(
        ([state, saved]): StateFacts => ({
          name: state,
          kind: saved.kind,
          attributes: saved.attributes,
          tensors: Array.from(saved, ([name, { dtype, shape, byteLength }]) => ({
            ...{ state, name, dtype, shape, byteLength },
            segment: null,
          })),
        }),
      ),
    }
  }

  async tensor({ state, name }: TensorFacts): Promise<ReadableTensor> {
    const tensor = this.#state(state).get(name)
    const { dtype, size, byteLength } = tensor
    const source: Source = {
      kind: 'blob',
      size: byteLength,
      read: (target, position) => tensor.readBytes(target, position),
      checkUnchanged: async () => {},
      close: () => {},
    }
    const segment = { source, offset: 0, end: byteLength, checksumFault: () => undefined }
    return { dtype, size, byteLength, segment: () => segment }
  }

  plan(): void {}

  async *faults(): AsyncGenerator<CheckpointError> {}

  close(): void {
    this.#training.close()
  }

  #states(): [name: string, state: ForeignState][] {
    const { model, optimizer, extras } = this.#training
    return [
      [MODEL, model],
      ...(optimizer === null ? [] : [[OPTIMIZER, optimizer] as [string, ForeignState]]),
      ...extras,
    ]
  }

  #state(name: string): ForeignState {
    const found = this.#states().find(([state]) => state === name)
    if (found !== undefined) return found[1]
    throw new CheckpointError('CKPT_NO_SUCH_TENSOR', `the file has no state ${name}`, {
      state: name,
    })
  }
}
