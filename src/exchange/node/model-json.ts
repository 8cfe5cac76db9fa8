/** Reads and writes TensorFlow.js files in Node: `lightwatch-checkpoint/model-json`. */

import type { Sink } from '../../io/sink.js'
import type { StoredCheckpoint } from '../../io/store.js'
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
 * Opens a `model.json` of TensorFlow.js and the shards next to it. Reads no weight. A file saved with
 * `includeOptimizer` also has an optimizer. Quantized weights are read as the numbers that TensorFlow.js would compute.
 * Layers without a name of their own are named by their position, as in `tensorflowModule`. The caller must close the
 * file.
 *
 * @param from a path, a `file:` URL, an `https:` address (read by ranges), a location in a
 *   store (`{ store, name }`), bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the broken `rule`, CKPT_NOT_CONVERTIBLE for weights of text, CKPT_READ
 */
export async function loadModelJson(
  from: string | URL | StoredCheckpoint | Bytes,
  options: LoadModelJsonOptions = {},
): Promise<Training> {
  const { files } = givenOptions('loadModelJson', LOAD_MODEL_JSON_OPTIONS, options)
  const place = await openInput(from, files)
  return namingPath(from, () => readModelJson(place))
}

/**
 * Writes the weights of a model as `model.json` and shards next to it, for serving. Each file is written atomically and
 * survives a power cut; the shards come first. Their names differ for each `model.json`.
 *
 * @param to a path, a `file:` URL, a location in a store (`{ store, name }`) or a sink
 * @throws CheckpointError CKPT_NOT_CONVERTIBLE for a dtype that TensorFlow.js does not have, or without a topology;
 *   CKPT_NOT_COMMITTED
 */
export async function saveModelJson(
  to: string | URL | StoredCheckpoint | Sink,
  contents: Contents,
  options: SaveModelJsonOptions = {},
): Promise<SaveReport> {
  const given = givenOptions('saveModelJson', SAVE_MODEL_JSON_OPTIONS, options)
  return namingPath(to, () => writeContents(outputAt(to), contents, given))
}
