/** The reader and writer of `.ckpt` files for conversions. */

import { nameFault } from '../format/text.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { openCheckpoint } from '../load/open.js'
import type { CheckpointState, CheckpointTensor } from '../load/state.js'
import { quote } from '../printable.js'
import { type SaveReport, writeCheckpoint } from '../save/write.js'
import type { Stateful, TensorLike } from '../state.js'
import {
  ForeignState,
  ForeignTensor,
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type Training,
  type WriteOptions,
} from './training.js'

/** Opens a `.ckpt` file. Every tensor is verified when it is first read. */
export async function readCheckpointFile({ source }: InputPlace): Promise<Training> {
  return trainingOf(await openCheckpoint(source))
}

/** A checkpoint as a Training, which closes it. Holds one tensor at a time in memory. */
export function trainingOf(checkpoint: Checkpoint): Training {
  const buffer = new TensorBuffer()
  const state = (saved: CheckpointState): ForeignState =>
    new ForeignState(
      Array.from(saved, ([name, tensor]) => {
        const { dtype, shape } = tensor
        const read = (target: Uint8Array, position: number): Promise<void> =>
          buffer.copy(tensor, target, position)
        return new ForeignTensor(name, { dtype, shape, origin: tensor.segment(), read })
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

/** The verified bytes of the last tensor read. The next tensor reuses the memory. */
class TensorBuffer {
  #memory = new Uint8Array(0)
  #tensor: CheckpointTensor | undefined

  async copy(tensor: CheckpointTensor, target: Uint8Array, position: number): Promise<void> {
    const { byteLength } = tensor
    if (target.byteLength === byteLength) return tensor.readInto(target)
    if (this.#tensor !== tensor) {
      this.#tensor = undefined
      if (this.#memory.byteLength < byteLength) this.#memory = new Uint8Array(byteLength)
      await tensor.readInto(this.#memory.subarray(0, byteLength))
      this.#tensor = tensor
    }
    target.set(this.#memory.subarray(position, position + target.byteLength))
  }
}

/** Writes a `.ckpt` file. Holds one tensor at a time in memory. */
export async function writeCheckpointFile(
  { sink }: OutputPlace,
  training: Training,
  { onProgress, signal }: WriteOptions,
): Promise<SaveReport> {
  const { model, optimizer, extras, progress } = training
  const offer = new TensorOffer()
  const stateful = (name: string, state: ForeignState): Stateful => {
    const tensors = Array.from(state, ([tensor, reader]): [string, TensorLike] => {
      const fault = nameFault(tensor)
      if (fault !== undefined) {
        throw notConvertible(
          `the name of a tensor, ${quote(tensor)}, ${fault}, which a checkpoint cannot hold: rename it`,
          { state: name, tensor },
        )
      }
      return [tensor, offer.of(reader)]
    })
    const { attributes, kind } = state
    return { stateDict: () => ({ tensors, attributes, ...(kind === null ? {} : { kind }) }) }
  }
  const others: { [name: string]: Stateful } = Object.create(null)
  for (const [name, state] of extras) others[name] = stateful(name, state)
  const { config, ...rest } = progress
  return writeCheckpoint(
    sink,
    stateful('model', model),
    optimizer === null ? null : stateful('optimizer', optimizer),
    { ...rest, ...(config == null ? {} : { config }), extras: others, onProgress, signal },
  )
}

/** Passes tensors to a save, all through the same memory. Tied tensors are one object, which the save recognises. */
class TensorOffer {
  #memory = new Uint8Array(0)
  readonly #tied = new Map<object, ForeignTensor>()

  of(tensor: ForeignTensor): TensorLike {
    const { dtype, shape, byteLength } = tensor
    const origin = tensor.segment()
    const first = this.#tied.get(origin) ?? tensor
    this.#tied.set(origin, first)
    // A save gets the origin by these methods.
    const read = async (): Promise<Uint8Array> => {
      if (this.#memory.byteLength < byteLength) this.#memory = new Uint8Array(byteLength)
      const bytes = this.#memory.subarray(0, byteLength)
      await first.readInto(bytes)
      return bytes
    }
    return Object.assign(
      { dtype, shape, data: read },
      { read, readInto: () => tensor.readInto(new Uint8Array(byteLength)), segment: () => origin },
    )
  }
}
