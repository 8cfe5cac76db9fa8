/** The reader and writer of `.ckpt` files for conversions. */

import { encode } from '../format/encode.js'
import { gapBytes } from '../format/layout.js'
import { MODEL, OPTIMIZER } from '../format/metadata.js'
import { nameFault } from '../format/text.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { openCheckpoint } from '../load/open.js'
import type { SegmentCheck, SegmentReader } from '../load/segment.js'
import type { CheckpointState, CheckpointTensor } from '../load/state.js'
import { checkSegments } from '../load/verify.js'
import { quote } from '../printable.js'
import { beginSave, type SaveReport } from '../save/write.js'
import type { Stateful } from '../state.js'
import { type Part, writeFile } from './file-writer.js'
import {
  ForeignState,
  ForeignTensor,
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type Training,
  type WriteOptions,
} from './training.js'

/** Opens a `.ckpt` file. Every tensor is verified when it is read. */
export async function readCheckpointFile({ source }: InputPlace): Promise<Training> {
  return trainingOf(await openCheckpoint(source))
}

/** A checkpoint as a Training, which closes it. Tensors are read in the pieces that a writer asks for. */
export function trainingOf(checkpoint: Checkpoint): Training {
  const state = (saved: CheckpointState): ForeignState =>
    new ForeignState(
      Array.from(saved, ([name, tensor]) => {
        const { dtype, shape } = tensor
        const reader = new VerifiedReader(tensor)
        const read = (target: Uint8Array, position: number): Promise<void> =>
          reader.read(target, position)
        const segment = tensor.segment()
        const { crc32 } = segment
        const { readsAtOnce } = segment.source
        return new ForeignTensor(name, { dtype, shape, origin: segment, readsAtOnce, crc32, read })
      }),
      saved.attributes,
      saved.kind,
    )
  const { epoch, step, loss, metrics, configText, sequence, savedAt } = checkpoint
  return {
    format: 'ckpt',
    model: state(checkpoint.model),
    optimizer: checkpoint.optimizer === null ? null : state(checkpoint.optimizer),
    extras: new Map(Array.from(checkpoint.extras, ([name, saved]) => [name, state(saved)])),
    progress: { epoch, step, loss, metrics, config: configText, sequence, savedAt },
    close: () => checkpoint.close(),
  }
}

/**
 * Reads a tensor once, from start to end, and verifies it with the last byte. Another order of reads verifies the whole
 * tensor first. Reads may overlap; their bytes are summed in the order of the calls.
 */
class VerifiedReader {
  readonly #tensor: CheckpointTensor
  #check: SegmentCheck | undefined
  #next = 0
  /** Settles when the bytes of all reads before the next one have been summed. */
  #summed: Promise<void> = Promise.resolve()

  constructor(tensor: CheckpointTensor) {
    this.#tensor = tensor
  }

  read(target: Uint8Array, position: number): Promise<void> {
    const segment = this.#tensor.segment()
    const { source, offset } = segment
    if (position === 0) {
      this.#check = segment.beginCheck()
      this.#summed = this.#takeGap(this.#check)
    } else if (position !== this.#next) {
      this.#check = undefined
      this.#summed = verified(segment)
    }
    this.#next = position + target.byteLength
    const isLast = this.#next === segment.byteLength
    const reading = source.read(target, offset + position)
    const done = this.#take(target, reading, this.#summed, this.#check, isLast)
    this.#summed = done
    // Whoever made the call handles it.
    done.catch(() => {})
    return done
  }

  async #takeGap(check: SegmentCheck): Promise<void> {
    const { source, start, offset } = this.#tensor.segment()
    const gap = new Uint8Array(offset - start)
    await source.read(gap, start)
    check.take(gap)
  }

  async #take(
    target: Uint8Array,
    reading: Promise<void>,
    before: Promise<void>,
    check: SegmentCheck | undefined,
    isLast: boolean,
  ): Promise<void> {
    await Promise.all([reading, before])
    check?.take(target)
    if (!isLast) return
    const fault = check?.end()
    if (fault !== undefined) throw fault
    await this.#tensor.segment().checkUnchanged()
  }
}

/** Verifies a whole segment. Throws its fault. */
async function verified(segment: SegmentReader): Promise<void> {
  for await (const fault of checkSegments([segment])) throw fault
}

/** Writes a `.ckpt` file. Tensors are read and written in pieces, and the checksums of the metadata come last. */
export async function writeCheckpointFile(
  { sink }: OutputPlace,
  training: Training,
  { onProgress, signal }: WriteOptions,
): Promise<SaveReport> {
  const { model, optimizer, extras, progress } = training
  const states = new Map(extras)
  states.set(MODEL, model)
  if (optimizer !== null) states.set(OPTIMIZER, optimizer)
  const { config, ...rest } = progress
  const plan = await beginSave(
    stateful(MODEL, model),
    optimizer === null ? null : stateful(OPTIMIZER, optimizer),
    {
      ...rest,
      ...(config == null ? {} : { config }),
      extras: Object.fromEntries(Array.from(extras, ([name, s]) => [name, stateful(name, s)])),
      signal,
    },
  )
  const metadata = encode(plan.content)
  const { fileLength, offsets } = metadata.layout
  const checksums = plan.sources.map(() => 0)
  function* parts(): Generator<Part> {
    yield { hole: metadata.length }
    let end = metadata.length
    for (const [i, { state, tensor }] of plan.sources.entries()) {
      const { name, byteLength } = tensor
      const offset = offsets[i]!
      yield { bytes: gapBytes(offset - end, byteLength, metadata.plain) }
      yield {
        tensor: states.get(state)!.get(name),
        onChecksum: (checksum) => {
          checksums[i] = checksum
        },
      }
      end = offset + byteLength
    }
  }
  const durability = await writeFile(
    sink,
    {
      length: fileLength,
      parts: parts(),
      patches: () => [{ position: 0, bytes: metadata.seal(checksums) }],
    },
    { onProgress, signal },
  )
  return { byteLength: fileLength, tensors: plan.tensors, durability }
}

/** A state as a save takes it. Throws CKPT_NOT_CONVERTIBLE for a name that a checkpoint cannot hold. */
function stateful(state: string, { attributes, kind, tensors }: ForeignState): Stateful {
  for (const [tensor] of tensors) {
    const fault = nameFault(tensor)
    if (fault === undefined) continue
    throw notConvertible(
      `the name of a tensor, ${quote(tensor)}, ${fault}, which a checkpoint cannot hold: rename it`,
      { state, tensor },
    )
  }
  return { stateDict: () => ({ tensors, attributes, ...(kind === null ? {} : { kind }) }) }
}
