/** PyTorch, in, where there are files. `lightwatch-checkpoint/pytorch`. */

import { givenOptions } from '../../options.js'
import type { Bytes } from '../places.js'
import { readPytorchFile } from '../pytorch/pytorch-file.js'
import { PYTORCH_OPTIONS, type PytorchOptions } from '../pytorch.js'
import type { Training } from '../training.js'
import { namingPath, openInput } from './places.js'

export type {
  Bytes,
  ForeignState,
  ForeignTensor,
  PytorchOptions,
  Training,
  TrainingProgress,
} from '../pytorch.js'

/**
 * Opens a file of `torch.save()`, of any version since 0.2, and runs nothing of it: reads what it describes, and no
 * tensor. A state dict alone is the model; of a dict with one, of Lightning's too, the optimizer, the progress and
 * whatever else there is have their places. An `optimizer.pt` next to a `trainer_state.json` is a checkpoint of the
 * Trainer of Hugging Face, and is read with what stands next to it. Close the file.
 *
 * @param from a path, a `file:` URL, bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the `rule` that the file breaks (`pytorch.global` if it holds more
 *   than tensors and plain values), CKPT_NOT_CONVERTIBLE with the name of what a checkpoint cannot hold, CKPT_READ
 */
export async function loadPytorch(
  from: string | URL | Bytes,
  options: PytorchOptions = {},
): Promise<Training> {
  const given = givenOptions('loadPytorch', PYTORCH_OPTIONS, options)
  const place = await openInput(from)
  return namingPath(from, () => readPytorchFile(place, given))
}
