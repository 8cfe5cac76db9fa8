/** Files of TensorFlow.js, in and out, where there are no paths: `lightwatch-checkpoint/model-json`. */

import { describe } from '../format/attributes.js'
import type { Sink } from '../io/sink.js'
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

/** What a load can be told. */
export interface LoadModelJsonOptions {
  /** Where the shards are, by their names. Of a path: the files next to it. */
  readonly files?: SiblingFiles | undefined
}

/** How a `model.json` is written. */
export interface SaveModelJsonOptions extends Omit<ModelJsonOptions, 'raw'> {
  /** Where each shard goes, by its name. Of a path: next to it. */
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
 * Opens a `model.json` of TensorFlow.js and its shards; no weight is read. With `includeOptimizer` the file has an
 * optimizer too. Weights that were quantized are read as the numbers that TensorFlow.js makes of them. Layers without
 * a name of their own are called by their place, as `tensorflowModule` calls them. Close the file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks, CKPT_NOT_CONVERTIBLE for weights of text
 */
export async function loadModelJson(
  from: Bytes,
  options: LoadModelJsonOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadModelJson', LOAD_MODEL_JSON_OPTIONS, options)
  return readModelJson(inputPlace(from, files))
}

/**
 * Writes the weights of a model as `model.json` and shards, for serving. The shards are committed first.
 *
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that TensorFlow.js has not, and without a topology
 */
export async function saveModelJson(
  to: Sink,
  contents: Contents,
  options: SaveModelJsonOptions = {},
): Promise<SaveReport> {
  const given = givenOptions('saveModelJson', SAVE_MODEL_JSON_OPTIONS, options)
  return writeContents(outputPlace(to), contents, given)
}

/**
 * The same to any place, with options that were looked through.
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
