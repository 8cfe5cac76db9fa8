/**
 * NumPy's `.npz` and `.npy`, in and out, where there are files.
 *
 *   import { loadNpz, saveNpz } from 'lightwatch-checkpoint/numpy'
 *
 *   const file = await loadNpz('weights.npz')
 *   await saveNpz('copy.npz', file.model)
 */

import type { Sink } from '../../io/sink.js'
import type { StoredCheckpoint } from '../../io/store.js'
import { givenOptions } from '../../options.js'
import type { SaveReport } from '../../save/write.js'
import type { TensorLike } from '../../state.js'
import { type Contents, SAVE_FOREIGN_OPTIONS, type SaveForeignOptions } from '../contents.js'
import { type NpyArray, readNpyArray, writeNpyArray, writeNpz } from '../numpy.js'
import { readNpzFile } from '../numpy-file.js'
import type { Bytes } from '../places.js'
import type { Training } from '../training.js'
import { namingPath, openInput, outputAt } from './places.js'

export type {
  Bytes,
  Contents,
  ForeignState,
  ForeignTensor,
  NpyArray,
  SaveForeignOptions,
  Training,
  TrainingProgress,
} from '../numpy.js'

/**
 * Opens a `.npz` archive: reads and checks its directory and the headers of its arrays, and no element. Read an array
 * by `file.model.get(name).read()`; what `saveNpz` wrote of a checkpoint has `optimizer`, `extras` and `progress`
 * as well. Close the file.
 *
 * @param from a path, a `file:` URL, an `https:` address (read by ranges), a location in a
 *   store (`{ store, name }`), bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks; CKPT_NOT_CONVERTIBLE for object
 *   arrays and other types that are not numbers; CKPT_READ
 */
export async function loadNpz(from: string | URL | StoredCheckpoint | Bytes): Promise<Training> {
  const place = await openInput(from)
  return namingPath(from, () => readNpzFile(place))
}

/**
 * Writes a `.npz` archive, atomically and so that it survives a power cut. A model's state dict is written under
 * its own names; a checkpoint with all that it has, see the guide.
 *
 * @param to a path, a `file:` URL, a location in a store (`{ store, name }`) or a sink
 * @throws CheckpointError CKPT_NOT_COMMITTED
 */
export async function saveNpz(
  to: string | URL | StoredCheckpoint | Sink,
  contents: Contents,
  options: SaveForeignOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveNpz', SAVE_FOREIGN_OPTIONS, options)
  return namingPath(to, () => writeNpz(outputAt(to), contents, options))
}

/** Reads the array of a `.npy` file. Throws like `loadNpz`. */
export async function loadNpy(from: string | URL | StoredCheckpoint | Bytes): Promise<NpyArray> {
  const place = await openInput(from)
  return namingPath(from, () => readNpyArray(place))
}

/** Writes an array to a `.npy` file. Throws like `saveNpz`. */
export async function saveNpy(
  to: string | URL | StoredCheckpoint | Sink,
  array: TensorLike,
): Promise<SaveReport> {
  return namingPath(to, () => writeNpyArray(outputAt(to), array))
}
