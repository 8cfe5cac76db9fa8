/** Reads a file of PyTorch as a training: `.pt`, `.pth`, `.bin`, and Lightning's `.ckpt`. It is never written. */

import { foreignFault, type InputPlace, type Training } from '../training.js'
import { ZipArchive } from '../zip/archive.js'
import { isLegacy, openArchive, openLegacy, pickleEntry } from './archive.js'
import { TRAINER_OPTIMIZER, withTrainerFolder } from './trainer-folder.js'
import { type PytorchOptions, trainingOf } from './training-of.js'

/** The name of the format. */
export const PYTORCH = 'pytorch'

/** Whether a file is PyTorch's: an archive with a pickle, or the magic number of old files. */
export async function isPytorch(head: Uint8Array, { source }: InputPlace): Promise<boolean> {
  if (isLegacy(head)) return true
  if (!ZipArchive.isZip(head)) return false
  // The format of a damaged archive is that of its extension.
  const archive = await ZipArchive.open(source).catch(() => undefined)
  return archive !== undefined && pickleEntry(archive) !== undefined
}

/**
 * Reads the description of a file, but no tensor. Takes ownership of the source. Throws CKPT_FOREIGN_FILE for a file
 * that is damaged or holds more than tensors and plain values. Throws CKPT_NOT_CONVERTIBLE, with the tensor's name, for
 * content that a checkpoint cannot hold.
 */
export async function readPytorchFile(
  place: InputPlace,
  options: PytorchOptions = {},
): Promise<Training> {
  const training = await readAlone(place, options)
  return place.name === TRAINER_OPTIMIZER && training.optimizer !== null
    ? withTrainerFolder(training, place, (next) => readAlone(next, {}))
    : training
}

async function readAlone({ source }: InputPlace, options: PytorchOptions): Promise<Training> {
  try {
    const head = new Uint8Array(Math.min(512, source.size))
    await source.read(head, 0)
    const isZip = ZipArchive.isZip(head)
    if (!isZip && !isLegacy(head)) throw notPytorch(head)
    const file = isZip ? await openArchive(source) : await openLegacy(source)
    return { format: PYTORCH, ...trainingOf(file, options), close: () => source.close() }
  } catch (error) {
    source.close()
    throw error
  }
}

function notPytorch(head: Uint8Array): Error {
  const isTar = String.fromCharCode(...head.subarray(257, 262)) === 'ustar'
  return foreignFault(
    'pytorch.magic',
    isTar
      ? 'the file is a tar archive of PyTorch 0.1: load it in Python, and save it again'
      : 'not a file of torch.save(): expected a ZIP archive or the magic number 0x1950a86a20f9469cfc6c',
  )
}
