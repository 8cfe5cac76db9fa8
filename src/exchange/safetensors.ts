/**
 * safetensors, in and out, where there are no paths: from bytes and Blobs, to sinks.
 *
 *   const file = await loadSafetensors(blob)
 *   const embedding = await file.model.get('wte.weight').read()
 *   await saveSafetensors(sink, file.model)
 */

import type { Sink } from '../io/sink.js'
import type { StoredCheckpoint } from '../io/store.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { SaveReport } from '../save/write.js'
import {
  type Contents,
  contentsOf,
  SAVE_FOREIGN_OPTIONS,
  type SaveForeignOptions,
} from './contents.js'
import { type Bytes, inputPlace, outputPlace, type SiblingFiles } from './places.js'
import { readSafetensorsAny, writeSafetensorsFile } from './safetensors-file.js'
import type { OutputPlace, Training } from './training.js'

export type { Contents, SaveForeignOptions } from './contents.js'
export type { Bytes, SiblingFiles } from './places.js'
export type { ForeignState, ForeignTensor, Training, TrainingProgress } from './training.js'

/** Options of a load. */
export interface LoadSafetensorsOptions {
  /** The places of an index's shards, by the names in the index. Default for a path: the files next to it. */
  readonly files?: SiblingFiles | undefined
}

/** Options of writing a file. */
export interface SaveSafetensorsOptions extends SaveForeignOptions {
  /** `__metadata__`: notes of the file, for contents that are only a model. Default: `{ format: 'pt' }`. */
  readonly metadata?: { readonly [name: string]: string } | undefined
}

/**
 * The names of the options of a load.
 * @internal
 */
export const LOAD_SAFETENSORS_OPTIONS: OptionNames<LoadSafetensorsOptions> = { files: true }
/**
 * The names of the options of a save.
 * @internal
 */
export const SAVE_SAFETENSORS_OPTIONS: OptionNames<SaveSafetensorsOptions> = {
  ...SAVE_FOREIGN_OPTIONS,
  metadata: true,
}

/**
 * Opens a safetensors file, or the index of shards. Reads and validates the header, but no tensor.
 * `file.model.get(name).read()` reads a tensor. A file that `saveSafetensors` wrote from a checkpoint also has
 * `optimizer`, `extras` and `progress`. `__metadata__` is in `model.attributes.safetensors`. The caller must close the
 * file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the broken `rule`, CKPT_READ
 */
export async function loadSafetensors(
  from: string | URL | StoredCheckpoint | Bytes,
  options: LoadSafetensorsOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadSafetensors', LOAD_SAFETENSORS_OPTIONS, options)
  return readSafetensorsAny(await inputPlace(from, files))
}

/**
 * Writes a safetensors file. A model's state dict keeps its own names. A checkpoint is written with all its states; see
 * the guide. With at most one note, the bytes are those that the Rust library writes.
 *
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that safetensors does not have (see `raw`),
 *   CKPT_NOT_COMMITTED
 */
export async function saveSafetensors(
  to: StoredCheckpoint | Sink,
  contents: Contents,
  options: SaveSafetensorsOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveSafetensors', SAVE_SAFETENSORS_OPTIONS, options)
  return writeSafetensors(outputPlace(to), contents, options)
}

/**
 * The same for any place, with validated options.
 *
 * @internal
 */
export async function writeSafetensors(
  to: OutputPlace,
  contents: Contents,
  { metadata, ...options }: SaveSafetensorsOptions,
): Promise<SaveReport> {
  const training = await contentsOf(contents, options.signal)
  return writeSafetensorsFile(to, training, options, metadata)
}
