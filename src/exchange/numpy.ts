/**
 * NumPy's `.npz` and `.npy`, in and out, where there are no paths: from bytes and Blobs, to sinks.
 *
 *   const file = await loadNpz(blob)
 *   const weight = await file.model.get('fc.weight').read()
 *   await saveNpz(sink, { weight: { shape: [2, 2], data: weight } })
 */

import type { DType } from '../format/dtype.js'
import type { Sink } from '../io/sink.js'
import type { StoredCheckpoint } from '../io/store.js'
import { givenOptions } from '../options.js'
import type { SaveReport } from '../save/write.js'
import type { TensorLike, TypedArray } from '../state.js'
import {
  type Contents,
  contentsOf,
  SAVE_FOREIGN_OPTIONS,
  type SaveForeignOptions,
} from './contents.js'
import { readNpyFile, readNpzFile, writeNpyFile, writeNpzFile } from './numpy-file.js'
import { type Bytes, inputPlace, outputPlace } from './places.js'
import type { InputPlace, OutputPlace, Training } from './training.js'

export type { Contents, SaveForeignOptions } from './contents.js'
export type { Bytes } from './places.js'
export type { ForeignState, ForeignTensor, Training, TrainingProgress } from './training.js'

/** An array of NumPy's, in memory. */
export interface NpyArray {
  readonly dtype: DType
  readonly shape: readonly number[]
  /** The elements, row-major; the caller's. */
  readonly data: TypedArray
}

/**
 * Opens a `.npz` archive: reads and checks its directory and the headers of its arrays, and no element. Read an array
 * by `file.model.get(name).read()`; what `saveNpz` wrote of a checkpoint has `optimizer`, `extras` and `progress`
 * as well. Close the file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks; CKPT_NOT_CONVERTIBLE for object
 *   arrays and other types that are not numbers; CKPT_READ
 */
export async function loadNpz(from: string | URL | StoredCheckpoint | Bytes): Promise<Training> {
  return readNpzFile(await inputPlace(from))
}

/**
 * Writes a `.npz` archive. A model's state dict is written under its own names; a checkpoint with all that it has,
 * see the guide.
 *
 * @throws CheckpointError CKPT_NOT_COMMITTED
 */
export async function saveNpz(
  to: StoredCheckpoint | Sink,
  contents: Contents,
  options: SaveForeignOptions = {},
): Promise<SaveReport> {
  return writeNpz(outputPlace(to), contents, givenOptions('saveNpz', SAVE_FOREIGN_OPTIONS, options))
}

/** Reads the array of a `.npy` file. Throws like `loadNpz`. */
export async function loadNpy(from: string | URL | StoredCheckpoint | Bytes): Promise<NpyArray> {
  return readNpyArray(await inputPlace(from))
}

/** Writes an array to a `.npy` file. Throws like `saveNpz`. */
export async function saveNpy(to: StoredCheckpoint | Sink, array: TensorLike): Promise<SaveReport> {
  return writeNpyArray(outputPlace(to), array)
}

/** @internal */
export async function writeNpz(
  to: OutputPlace,
  contents: Contents,
  options: SaveForeignOptions,
): Promise<SaveReport> {
  return writeNpzFile(to, await contentsOf(contents, options.signal), options)
}

/** @internal */
export async function readNpyArray(from: InputPlace): Promise<NpyArray> {
  const file = await readNpyFile(from)
  try {
    const [tensor] = file.model.values()
    const { dtype, shape } = tensor!
    return { dtype, shape, data: await tensor!.read() }
  } finally {
    file.close()
  }
}

/** @internal */
export async function writeNpyArray(to: OutputPlace, array: TensorLike): Promise<SaveReport> {
  return writeNpyFile(to, await contentsOf({ array }), {})
}
