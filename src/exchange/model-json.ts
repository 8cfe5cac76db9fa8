/** Reads and writes TensorFlow.js files without paths: `lightwatch-checkpoint/model-json`. */

import { describe } from '../format/attributes.js'
import type { Sink } from '../io/sink.js'
import type { StoredCheckpoint } from '../io/store.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { SaveReport } from '../save/write.js'
import { type Contents, contentsOf } from './contents.js'
import { type Bytes, inputPlace, outputPlace, type SiblingFiles } from './places.js'
import {
  type ModelJsonOptions,
  readModelJson,
  writeModelJson,
} from './tensorflowjs/model-json-file.js'
import type { OutputPlace, Training } from './training.js'

export type { Contents } from './contents.js'
export type { Bytes, SiblingFiles } from './places.js'
export type { ForeignState, ForeignTensor, Training, TrainingProgress } from './training.js'

/** Options of a load. */
export interface LoadModelJsonOptions {
  /** The places of the shards, by their names. Default for a path: the files next to it. */
  readonly files?: SiblingFiles | undefined
}

/** Options of writing a `model.json`. */
export interface SaveModelJsonOptions extends Omit<ModelJsonOptions, 'raw' | 'exact'> {
  /** The place of each shard, by its name. Default for a path: next to it. */
  readonly files?: ((name: string) => Sink) | undefined
}

/** The names of the options of a load. */
export const LOAD_MODEL_JSON_OPTIONS: OptionNames<LoadModelJsonOptions> = { files: true }
/** The names of the options of a save. */
export const SAVE_MODEL_JSON_OPTIONS: OptionNames<SaveModelJsonOptions> = {
  topology: true,
  files: true,
  onProgress: true,
  signal: true,
}

/**
 * Opens a `model.json` of TensorFlow.js and its shards. Reads no weight. A file saved with `includeOptimizer` also has
 * an optimizer. Quantized weights are read as the numbers that TensorFlow.js would compute. Layers without a name of
 * their own are named by their position, as in `tensorflowModule`. The caller must close the file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the broken `rule`, CKPT_NOT_CONVERTIBLE for weights of text
 */
export async function loadModelJson(
  from: string | URL | StoredCheckpoint | Bytes,
  options: LoadModelJsonOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadModelJson', LOAD_MODEL_JSON_OPTIONS, options)
  return readModelJson(await inputPlace(from, files))
}

/**
 * Writes the weights of a model as `model.json` and shards, for serving. The shards are committed first.
 *
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that TensorFlow.js does not have, or without a topology
 */
export async function saveModelJson(
  to: StoredCheckpoint | Sink,
  contents: Contents,
  options: SaveModelJsonOptions = {},
): Promise<SaveReport> {
  const given = givenOptions('saveModelJson', SAVE_MODEL_JSON_OPTIONS, options)
  return writeContents(outputPlace(to), contents, given)
}

/**
 * The same for any place, with validated options.
 *
 * @internal
 */
export async function writeContents(
  place: OutputPlace,
  contents: Contents,
  { files, ...options }: SaveModelJsonOptions,
): Promise<SaveReport> {
  if (files !== undefined && typeof files !== 'function') {
    throw new TypeError(
      `files must be a function that makes a sink of a name, not ${describe(files)}`,
    )
  }
  const training = await contentsOf(contents, options.signal)
  return writeModelJson({ ...place, sibling: files ?? place.sibling }, training, options)
}
