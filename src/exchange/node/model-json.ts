/** Files of TensorFlow.js, in and out, where there are files: `lightwatch-checkpoint/model-json`. */

import type { Sink } from '../../io/sink.js'
import { givenOptions } from '../../options.js'
import type { SaveReport } from '../../save/write.js'
import type { Contents } from '../contents.js'
import {
  LOAD_MODEL_JSON_OPTIONS,
  type LoadModelJsonOptions,
  SAVE_MODEL_JSON_OPTIONS,
  type SaveModelJsonOptions,
  writeContents,
} from '../model-json.js'
import type { Bytes } from '../places.js'
import { readModelJson } from '../tensorflowjs/model-json-file.js'
import type { Training } from '../training.js'
import { namingPath, openInput, outputAt } from './places.js'

export type {
  Bytes,
  Contents,
  ForeignState,
  ForeignTensor,
  LoadModelJsonOptions,
  SaveModelJsonOptions,
  SiblingFiles,
  Training,
  TrainingProgress,
} from '../model-json.js'

/**
 * Opens a `model.json` of TensorFlow.js and the shards next to it; no weight is read. With `includeOptimizer` the file
 * has an optimizer too. Weights that were quantized are read as the numbers that TensorFlow.js makes of them. Layers
 * without a name of their own are called by their place, as `tensorflowModule` calls them. Close the file.
 *
 * @param from a path, a `file:` URL, bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks, CKPT_NOT_CONVERTIBLE for weights of
 *   text, CKPT_READ
 */
export async function loadModelJson(
  from: string | URL | Bytes,
  options: LoadModelJsonOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadModelJson', LOAD_MODEL_JSON_OPTIONS, options)
  const place = await openInput(from, files)
  return namingPath(from, () => readModelJson(place))
}

/**
 * Writes the weights of a model as `model.json` and shards next to it, for serving. Each file is written atomically
 * and so that it survives a power cut, the shards first. They have names of their own for each `model.json`.
 *
 * @param to a path, a `file:` URL or a sink
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that TensorFlow.js has not, and without a topology;
 *   CKPT_NOT_COMMITTED
 */
export async function saveModelJson(
  to: string | URL | Sink,
  contents: Contents,
  options: SaveModelJsonOptions = {},
): Promise<SaveReport> {
  const given = givenOptions('saveModelJson', SAVE_MODEL_JSON_OPTIONS, options)
  return namingPath(to, () => writeContents(outputAt(to), contents, given))
}
