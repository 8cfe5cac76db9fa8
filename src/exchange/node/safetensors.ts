/**
 * safetensors, in and out, where there are files.
 *
 *   import { loadSafetensors, saveSafetensors } from 'lightwatch-checkpoint/safetensors'
 *
 *   const file = await loadSafetensors('model.safetensors.index.json')
 *   await saveSafetensors('copy.safetensors', file.model)
 */

import type { Sink } from '../../io/sink.js'
import type { StoredCheckpoint } from '../../io/store.js'
import { givenOptions } from '../../options.js'
import type { SaveReport } from '../../save/write.js'
import type { Contents } from '../contents.js'
import type { Bytes } from '../places.js'
import {
  LOAD_SAFETENSORS_OPTIONS,
  type LoadSafetensorsOptions,
  SAVE_SAFETENSORS_OPTIONS,
  type SaveSafetensorsOptions,
  writeSafetensors,
} from '../safetensors.js'
import { readSafetensorsAny } from '../safetensors-file.js'
import type { Training } from '../training.js'
import { namingPath, openInput, outputAt } from './places.js'

export type {
  Bytes,
  Contents,
  ForeignState,
  ForeignTensor,
  LoadSafetensorsOptions,
  SaveForeignOptions,
  SaveSafetensorsOptions,
  SiblingFiles,
  Training,
  TrainingProgress,
} from '../safetensors.js'

/**
 * Opens a safetensors file, or an index with the shards next to it. Reads and validates the header, but no tensor.
 * `file.model.get(name).read()` reads a tensor. A file that `saveSafetensors` wrote from a checkpoint also has
 * `optimizer`, `extras` and `progress`. `__metadata__` is in `model.attributes.safetensors`. The caller must close the
 * file.
 *
 * @param from a path, a `file:` URL, an `https:` address (read by ranges), a location in a
 *   store (`{ store, name }`), bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the broken `rule`, CKPT_READ
 */
export async function loadSafetensors(
  from: string | URL | StoredCheckpoint | Bytes,
  options: LoadSafetensorsOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadSafetensors', LOAD_SAFETENSORS_OPTIONS, options)
  const place = await openInput(from, files)
  return namingPath(from, () => readSafetensorsAny(place))
}

/**
 * Writes a safetensors file. The write is atomic and survives a power cut. A model's state dict keeps its own names. A
 * checkpoint is written with all its states; see the guide. With at most one note, the bytes are those that the Rust
 * library writes.
 *
 * @param to a path, a `file:` URL, a location in a store (`{ store, name }`) or a sink
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that safetensors does not have (see `raw`),
 *   CKPT_NOT_COMMITTED
 */
export async function saveSafetensors(
  to: string | URL | StoredCheckpoint | Sink,
  contents: Contents,
  options: SaveSafetensorsOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveSafetensors', SAVE_SAFETENSORS_OPTIONS, options)
  return namingPath(to, () => writeSafetensors(outputAt(to), contents, options))
}
