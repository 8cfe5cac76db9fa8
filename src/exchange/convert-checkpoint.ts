/**
 * `ckpt convert` as a function, where there are no paths: from bytes, Blobs and addresses, to sinks.
 *
 *   await convertCheckpoint(blob, sink, { to: 'safetensors', only: 'model' })
 */

import type { Sink } from '../io/sink.js'
import type { StoredCheckpoint } from '../io/store.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { SaveReport } from '../save/write.js'
import { type ConvertOptions, planConversion } from './convert.js'
import { type Bytes, inputPlace, outputPlace, type SiblingFiles } from './places.js'

export type { ConvertOptions } from './convert.js'
export type { Bytes, SiblingFiles } from './places.js'
export type { WriteOptions } from './training.js'
export type { Transform } from './transform.js'

/** Options of a conversion. */
export interface ConvertCheckpointOptions extends ConvertOptions {
  /** Files next to the input, such as shards, by their names. Default for a path or an address: those next to it. */
  readonly files?: SiblingFiles | undefined
}

/**
 * The names of the options of a conversion.
 * @internal
 */
export const CONVERT_OPTIONS: OptionNames<ConvertCheckpointOptions> = {
  from: true,
  to: true,
  parameters: true,
  only: true,
  rename: true,
  dtype: true,
  raw: true,
  exact: true,
  files: true,
  onProgress: true,
  signal: true,
}

/**
 * Converts a file between `.ckpt`, safetensors, `.npz`, `.npy` and TensorFlow.js's `model.json`; PyTorch's files are read.
 * The input's format is recognised by its content. The output's is `options.to`, or the extension of the sink's path.
 * Tensors are read once, in pieces, and the sink is committed after all of them have been verified. A failure aborts it.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE, CKPT_NOT_CONVERTIBLE, CKPT_READ, the errors of a damaged checkpoint, and
 *   those of the sink
 */
export async function convertCheckpoint(
  from: string | URL | StoredCheckpoint | Bytes,
  to: StoredCheckpoint | Sink,
  options: ConvertCheckpointOptions = {},
): Promise<SaveReport> {
  const { files, ...rest } = givenOptions('convertCheckpoint', CONVERT_OPTIONS, options)
  const output = outputPlace(to)
  const conversion = await planConversion(await inputPlace(from, files), output, rest)
  try {
    return await conversion.write()
  } finally {
    conversion.training.close()
  }
}
