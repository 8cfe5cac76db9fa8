/**
 * `ckpt convert` as a function, where there are files.
 *
 *   import { convertCheckpoint } from 'lightwatch-checkpoint/convert'
 *
 *   await convertCheckpoint('run.ckpt', 'weights.safetensors', { only: 'model', dtype: 'bfloat16' })
 */

import type { Sink } from '../../io/sink.js'
import type { StoredCheckpoint } from '../../io/store.js'
import { givenOptions } from '../../options.js'
import type { SaveReport } from '../../save/write.js'
import { planConversion } from '../convert.js'
import { CONVERT_OPTIONS, type ConvertCheckpointOptions } from '../convert-checkpoint.js'
import type { Bytes } from '../places.js'
import { namingPath, openInput, outputAt } from './places.js'

export type {
  Bytes,
  ConvertCheckpointOptions,
  ConvertOptions,
  SiblingFiles,
  Transform,
  WriteOptions,
} from '../convert-checkpoint.js'

/**
 * Converts a file between `.ckpt`, safetensors, `.npz`, `.npy` and TensorFlow.js's `model.json`; PyTorch's files are read.
 * The input's format is recognised by its content. The output's is `options.to`, or its extension. The write is atomic
 * and survives a power cut. If the conversion fails, the file that was there is unchanged.
 *
 * @param from a path, a `file:` URL, an `https:` address (read by ranges), a location in a
 *   store (`{ store, name }`), bytes (read in place) or a Blob
 * @param to a path, a `file:` URL, a location in a store (`{ store, name }`) or a sink
 * @throws CheckpointError CKPT_FOREIGN_FILE, CKPT_NOT_CONVERTIBLE, CKPT_READ, CKPT_NOT_COMMITTED, and the errors of a
 *   damaged checkpoint
 */
export async function convertCheckpoint(
  from: string | URL | StoredCheckpoint | Bytes,
  to: string | URL | StoredCheckpoint | Sink,
  options: ConvertCheckpointOptions = {},
): Promise<SaveReport> {
  const { files, ...rest } = givenOptions('convertCheckpoint', CONVERT_OPTIONS, options)
  const output = outputAt(to)
  const input = await openInput(from, files)
  const conversion = await namingPath(from, () => planConversion(input, output, rest))
  try {
    return await namingPath(to, () => conversion.write())
  } finally {
    conversion.training.close()
  }
}
