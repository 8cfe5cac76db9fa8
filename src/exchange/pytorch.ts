/** PyTorch, in, where there are no paths: from bytes and Blobs. `lightwatch-checkpoint/pytorch`. */

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
 * Opens a file of `torch.save()`, of any version since 0.2, and runs nothing of it: reads what it describes, and no
 * tensor. A state dict alone is the model; of a dict with one, of Lightning's too, the optimizer, the progress and
 * whatever else there is have their places. Close the file.
 *
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks (`pytorch.global` if it holds more
 *   than tensors and plain values), CKPT_NOT_CONVERTIBLE with the name of what a checkpoint cannot hold
 */
export async function loadPytorch(from: Bytes, options: PytorchOptions = {}): Promise<Training> {
  const given = givenOptions('loadPytorch', PYTORCH_OPTIONS, options)
  return readPytorchFile(inputPlace(from), given)
}
