/** A reader that trusts nothing: it compares every tensor of a file with the expected one of its step. */

import { isCheckpointError } from '../../../src/errors.js'
import { loadCheckpoint } from '../../../src/load/load.js'
import type { TensorLike } from '../../../src/state.js'
import { type Training, trainingAt } from './training.js'

// The number of trainings in the cache; each is as large as its file.
const KEPT = 64

export interface Read {
  readonly step: number
  readonly saver: number
}

export class Reader {
  readonly #trainings = new Map<string, Training>()

  /** Loads and verifies the file, and returns what it is or its fault. */
  async read(path: string, { map }: { readonly map: boolean }): Promise<Read | string> {
    try {
      await using checkpoint = await loadCheckpoint(path, { map })
      await checkpoint.verify()
      const { step } = checkpoint
      const { saver } = checkpoint.config as { saver: number }
      const training = this.#training(step, saver)
      const states = [
        [checkpoint.model, training.model],
        [checkpoint.optimizer, training.optimizer],
      ] as const
      for (const [state, expected] of states) {
        const tensors = Object.entries(expected.stateDict().tensors as Record<string, TensorLike>)
        for (const [name, { data }] of tensors) {
          const found = await state?.get(name).read()
          if (found === undefined || !sameBytes(found, data as Int32Array)) {
            return `${name} of step ${step} is not what was saved`
          }
        }
      }
      return { step, saver }
    } catch (error) {
      if (!isCheckpointError(error)) throw error
      return error.message
    }
  }

  #training(step: number, saver: number): Training {
    const key = `${saver}/${step}`
    const training = this.#trainings.get(key) ?? trainingAt(step, saver)
    this.#trainings.set(key, training)
    // The one that was made first.
    const [first] = this.#trainings.keys()
    if (this.#trainings.size > KEPT) this.#trainings.delete(first!)
    return training
  }
}

function sameBytes(one: ArrayBufferView, other: ArrayBufferView): boolean {
  const bytes = ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
    Buffer.from(buffer, byteOffset, byteLength)
  return bytes(one).equals(bytes(other))
}
