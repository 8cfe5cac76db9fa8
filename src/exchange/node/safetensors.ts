/**
 * safetensors, in and out, where there are files.
 *
 *   import { loadSafetensors, saveSafetensors } from 'lightwatch-checkpoint/safetensors'
 *
 *   const file = await loadSafetensors('model.safetensors.index.json')
 *   await saveSafetensors('copy.safetensors', file.model)
 */

import type { Sink } from '../../io/sink.js'
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
 * Opens a safetensors file, or the index of shards, which are looked for next to it: reads and checks its header,
 * and no tensor. Read a tensor by `file.model.get(name).read()`; what `saveSafetensors` wrote of a checkpoint has
 * `optimizer`, `extras` and `progress` as well. `__metadata__` is in `model.attributes.safetensors`. Close the file.
 *
 * @param from a path, a `file:` URL, bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks, CKPT_READ
 */
export async function loadSafetensors(
  from: string | URL | Bytes,
  options: LoadSafetensorsOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadSafetensors', LOAD_SAFETENSORS_OPTIONS, options)
  const place = await openInput(from, files)
  return namingPath(from, () => readSafetensorsAny(place))
}

/**
 * Writes a safetensors file, atomically and so that it survives a power cut. A model's state dict is written under
 * its own names; a checkpoint with all that it has, see the guide. The bytes are those that the Rust library
 * writes, with at most one note.
 *
 * @param to a path, a `file:` URL or a sink
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that safetensors has not (see `raw`), CKPT_NOT_COMMITTED
 */
export async function saveSafetensors(
  to: string | URL | Sink,
  contents: Contents,
  options: SaveSafetensorsOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveSafetensors', SAVE_SAFETENSORS_OPTIONS, options)
  return namingPath(to, () => writeSafetensors(outputAt(to), contents, options))
}
