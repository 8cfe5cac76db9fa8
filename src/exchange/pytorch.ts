/** Reads PyTorch files without paths, from bytes and Blobs: `lightwatch-checkpoint/pytorch`. */

import type { StoredCheckpoint } from '../io/store.js'
import { givenOptions, type OptionNames } from '../options.js'
import { type Bytes, inputPlace } from './places.js'
import { readPytorchFile } from './pytorch/pytorch-file.js'
import type { PytorchOptions } from './pytorch/training-of.js'
import type { Training } from './training.js'

export type { Bytes } from './places.js'
export type { PytorchOptions } from './pytorch/training-of.js'
export type { ForeignState, ForeignTensor, Training, TrainingProgress } from './training.js'

/** The names of the options of a load. */
export const PYTORCH_OPTIONS: OptionNames<PytorchOptions> = { parameters: true }

/**
 * Opens a file of `torch.save()`, of any version since 0.2. Runs no code of the file, and reads only the description of
 * its tensors. A plain state dict becomes the model. A dict that contains one, such as Lightning's, also gives the
 * optimizer, the progress and the rest. The caller must close the file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the broken `rule` (`pytorch.global` if the file holds more than
 *   tensors and plain values), CKPT_NOT_CONVERTIBLE with the name of a value that a checkpoint cannot hold
 */
export async function loadPytorch(
  from: string | URL | StoredCheckpoint | Bytes,
  options: PytorchOptions = {},
): Promise<Training> {
  const given = givenOptions('loadPytorch', PYTORCH_OPTIONS, options)
  return readPytorchFile(await inputPlace(from), given)
}
