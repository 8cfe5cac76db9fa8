/** The contents to write in another format: an open checkpoint, a file of another format, or named tensors. */

import { describe } from '../format/attributes.js'
import { MODEL } from '../format/metadata.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import { type CollectedTensor, collectState, tensorBytes } from '../save/collect.js'
import type { StateDict } from '../state.js'
import { trainingOf } from './checkpoint-file.js'
import { ForeignState, ForeignTensor, type Training } from './training.js'

/** A checkpoint, the result of a `load…` function of another format, or a model's state dict. */
export type Contents = Checkpoint | Training | StateDict

/** Options of writing contents. */
export interface SaveForeignOptions {
  /** Writes a dtype that the format does not have as its raw bytes, instead of throwing. */
  readonly raw?: boolean | undefined
  /**
   * Also keeps the order of the tensors and their ties, for contents that are only a model: in a note of its own, and
   * with tied tensors written once. By default other programs get each tensor under each of its names.
   */
  readonly exact?: boolean | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** The names of the options of a save in another format. */
export const SAVE_FOREIGN_OPTIONS: OptionNames<SaveForeignOptions> = {
  raw: true,
  exact: true,
  onProgress: true,
  signal: true,
}

/**
 * Converts contents to a Training. The caller still closes only what it passed in. Throws a TypeError or RangeError,
 * with the tensor's name, if the contents are not a valid state dict.
 */
export async function contentsOf(contents: Contents, signal?: AbortSignal): Promise<Training> {
  if (typeof contents !== 'object' || contents === null) {
    throw new TypeError(
      `expected a checkpoint, a file that was loaded, or named tensors, found ${describe(contents)}`,
    )
  }
  if (isTraining(contents)) return contents
  if (isCheckpoint(contents)) return trainingOf(contents)
  const { tensors, attributes, kind } = await collectState(
    { stateDict: () => contents },
    MODEL,
    signal,
  )
  const model = new ForeignState(Array.from(tensors.values(), readerOf), attributes, kind)
  return { format: '', model, optimizer: null, extras: new Map(), progress: {}, close: () => {} }
}

function isTraining(contents: object): contents is Training {
  const { format, model } = contents as Partial<Training>
  return typeof format === 'string' && typeof model === 'object'
}

/** Recognised by its fields, because it may be an object of another copy of this library. */
function isCheckpoint(contents: object): contents is Checkpoint {
  const { states, model, configText } = contents as Partial<Checkpoint>
  return Array.isArray(states) && typeof model === 'object' && configText !== undefined
}

/** Reads a trainer's tensor: from its memory, or by fetching it once, when it is written. */
function readerOf(tensor: CollectedTensor): ForeignTensor {
  const { name, dtype, shape, byteLength, bytes, fetch } = tensor
  let fetched: Uint8Array | undefined
  const read = async (target: Uint8Array, position: number): Promise<void> => {
    const what = `the tensor "${name}"`
    fetched ??= bytes ?? tensorBytes(await fetch!(), dtype, byteLength, what)
    target.set(fetched.subarray(position, position + target.byteLength))
    if (position + target.byteLength === byteLength) fetched = undefined
  }
  return new ForeignTensor(name, { dtype, shape, read })
}
