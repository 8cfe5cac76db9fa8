/**
 * The table of formats: how each is recognised, read and written. An input is recognised by its content, or by its
 * extension if the content does not decide. The format of an output is decided by its extension only.
 */

import { CheckpointError } from '../errors.js'
import type { SaveReport } from '../save/write.js'
import { readCheckpointFile, writeCheckpointFile } from './checkpoint-file.js'
import { isNpy } from './npy.js'
import { isNpz, readNpyFile, readNpzFile, writeNpyFile, writeNpzFile } from './numpy-file.js'
import { isPytorch, PYTORCH, readPytorchFile } from './pytorch/pytorch-file.js'
import type { PytorchOptions } from './pytorch/training-of.js'
import {
  isSafetensors,
  isSafetensorsIndex,
  readSafetensorsFile,
  readSafetensorsIndex,
  writeSafetensorsFile,
} from './safetensors-file.js'
import {
  isModelJson,
  readModelJson,
  TENSORFLOWJS,
  writeModelJson,
} from './tensorflowjs/model-json-file.js'
import type { InputPlace, OutputPlace, Training, WriteOptions } from './training.js'

/** Options of readers. A reader ignores those that are not of its format. */
export type ReadOptions = PytorchOptions

/** A file format. */
export interface Format {
  /** Its name in options: `safetensors`. */
  readonly name: string
  /** The extensions of its files, with the dot, in lower case. The first is the usual one. */
  readonly extensions: readonly string[]
  /**
   * Whether the content is of this format. `head` is the first bytes of the file, up to 4096. Never throws: a damaged
   * file that begins like the format counts as that format.
   */
  recognises(head: Uint8Array, place: InputPlace): boolean | Promise<boolean>
  /** Absent if the format cannot be read. Takes ownership of the place's source, and closes it on failure. */
  read?(place: InputPlace, options?: ReadOptions): Promise<Training>
  /** Absent if the format cannot be written. */
  write?(place: OutputPlace, training: Training, options: WriteOptions): Promise<SaveReport>
}

// The most bytes used to recognise a file.
const HEAD = 4096

/** The formats, in the order in which they are tried. */
export const FORMATS: readonly Format[] = [
  {
    name: 'ckpt',
    extensions: ['.ckpt'],
    // The FlatBuffer identifier of `.ckpt` files.
    recognises: (head) => String.fromCharCode(...head.subarray(4, 8)) === 'LWCK',
    read: readCheckpointFile,
    write: writeCheckpointFile,
  },
  {
    name: 'safetensors',
    extensions: ['.safetensors'],
    recognises: (head, { source }) => isSafetensors(head, source.size),
    read: readSafetensorsFile,
    write: writeSafetensorsFile,
  },
  {
    name: 'safetensors-index',
    extensions: ['.safetensors.index.json'],
    recognises: (head, { name }) => isSafetensorsIndex(head, name),
    read: readSafetensorsIndex,
  },
  {
    name: 'npz',
    extensions: ['.npz'],
    recognises: isNpz,
    read: readNpzFile,
    write: writeNpzFile,
  },
  {
    name: 'npy',
    extensions: ['.npy'],
    recognises: isNpy,
    read: readNpyFile,
    write: writeNpyFile,
  },
  {
    name: PYTORCH,
    extensions: ['.pt', '.pth', '.bin'],
    recognises: isPytorch,
    read: readPytorchFile,
  },
  {
    name: TENSORFLOWJS,
    extensions: ['model.json'],
    recognises: (head, { name }) => isModelJson(head, name),
    read: readModelJson,
    write: writeModelJson,
  },
]

/** The format of a file. Throws CKPT_FOREIGN_FILE, rule `format`, if no format of the table fits. */
export async function formatOf(
  place: InputPlace,
  formats: readonly Format[] = FORMATS,
): Promise<Format> {
  const head = new Uint8Array(Math.min(HEAD, place.source.size))
  await place.source.read(head, 0)
  for (const format of formats) if (await format.recognises(head, place)) return format
  const named = formatNamed(place.name, formats)
  if (named !== undefined) return named
  throw new CheckpointError(
    'CKPT_FOREIGN_FILE',
    `the file is of no format that is known here: expected ${extensionsOf(formats)}`,
    { rule: 'format' },
  )
}

/** The format of a file name's extension, or undefined. */
export function formatNamed(
  name: string,
  formats: readonly Format[] = FORMATS,
): Format | undefined {
  const lower = name.toLowerCase()
  return formats.find(({ extensions }) => extensions.some((extension) => lower.endsWith(extension)))
}

/** The extensions of formats, for messages. */
export function extensionsOf(formats: readonly Format[]): string {
  return formats.flatMap(({ extensions }) => extensions).join(', ')
}
