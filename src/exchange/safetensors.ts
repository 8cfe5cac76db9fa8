/**
 * safetensors, in and out, where there are no paths: from bytes and Blobs, to sinks.
 *
 *   import { loadSafetensors, saveSafetensors } from 'lightwatch-checkpoint/safetensors'
 *
 *   const file = await loadSafetensors(blob)
 *   const embedding = await file.model.get('wte.weight').read()
 *   await saveSafetensors(sink, file.model)
 */

import type { Sink } from '../io/sink.js'
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

/** What a load can be told. */
export interface LoadSafetensorsOptions {
  /** Where the shards of an index are, by the names that it has for them. Of a path: the files next to it. */
  readonly files?: SiblingFiles | undefined
}

/** How a file is written. */
export interface SaveSafetensorsOptions extends SaveForeignOptions {
  /** `__metadata__`: notes of the file, for contents that are nothing but a model. Default: `{ format: 'pt' }`. */
  readonly metadata?: { readonly [name: string]: string } | undefined
}

/** The names of the options of a load. */
export const LOAD_SAFETENSORS_OPTIONS: OptionNames<LoadSafetensorsOptions> = { files: true }
/** The names of the options of a save. */
export const SAVE_SAFETENSORS_OPTIONS: OptionNames<SaveSafetensorsOptions> = {
  ...SAVE_FOREIGN_OPTIONS,
  metadata: true,
}

/**
 * Opens a safetensors file, or the index of shards: reads and checks its header, and no tensor. Read a tensor by
 * `file.model.get(name).read()`; what `saveSafetensors` wrote of a checkpoint has `optimizer`, `extras` and
 * `progress` as well. `__metadata__` is in `model.attributes.safetensors`. Close the file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks, CKPT_READ
 */
export async function loadSafetensors(
  from: Bytes,
  options: LoadSafetensorsOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadSafetensors', LOAD_SAFETENSORS_OPTIONS, options)
  return readSafetensorsAny(inputPlace(from, files))
}

/**
 * Writes a safetensors file. A model's state dict is written under its own names; a checkpoint with all that it
 * has, see the guide. The bytes are those that the Rust library writes, with at most one note.
 *
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that safetensors has not (see `raw`), CKPT_NOT_COMMITTED
 */
export async function saveSafetensors(
  to: Sink,
  contents: Contents,
  options: SaveSafetensorsOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveSafetensors', SAVE_SAFETENSORS_OPTIONS, options)
  return writeSafetensors(outputPlace(to), contents, options)
}

/**
 * The same to any place, with options that were looked through.
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
