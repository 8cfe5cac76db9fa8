/** Reads PyTorch files in Node: `lightwatch-checkpoint/pytorch`. */

import type { StoredCheckpoint } from '../../io/store.js'
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
 * Opens a file of `torch.save()`, of any version since 0.2. Runs no code of the file, and reads only the description of
 * its tensors. A plain state dict becomes the model. A dict that contains one, such as Lightning's, also gives the
 * optimizer, the progress and the rest. An `optimizer.pt` next to a `trainer_state.json` is a checkpoint of Hugging
 * Face's Trainer; the files next to it are read too. The caller must close the file.
 *
 * @param from a path, a `file:` URL, an `https:` address (read by ranges), a location in a
 *   store (`{ store, name }`), bytes (read in place) or a Blob
 * @throws CheckpointError CKPT_FOREIGN_FILE with the broken `rule` (`pytorch.global` if the file holds more than
 *   tensors and plain values), CKPT_NOT_CONVERTIBLE with the name of a value that a checkpoint cannot hold, CKPT_READ
 */
export async function loadPytorch(
  from: string | URL | StoredCheckpoint | Bytes,
  options: PytorchOptions = {},
): Promise<Training> {
  const given = givenOptions('loadPytorch', PYTORCH_OPTIONS, options)
  const place = await openInput(from)
  return namingPath(from, () => readPytorchFile(place, given))
}
