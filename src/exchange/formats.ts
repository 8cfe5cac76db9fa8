/**
 * The table of formats: how each is recognised, read and written. A file is recognised by its content first,
 * and by its extension where the content does not tell; what is to be written, by its extension alone.
 */

import { CheckpointError } from '../errors.js'
import type { SaveReport } from '../save/write.js'
import { readCheckpointFile, writeCheckpointFile } from './checkpoint-file.js'
import { isPytorch, PYTORCH, readPytorchFile } from './pytorch/pytorch-file.js'
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

/** A format of files. */
export interface Format {
  /** As options name it: `safetensors`. */
  readonly name: string
  /** What its files end with, the dot included, in lower case. The first is the usual one. */
  readonly extensions: readonly string[]
  /**
   * Whether the file is of this format, by its content. `head` is its first bytes, up to 4096. Throws nothing
   * for a damaged file: one that begins like the format is of it.
   */
  recognises(head: Uint8Array, place: InputPlace): boolean | Promise<boolean>
  /** Absent: it cannot be read here. Takes over the place's source, and closes it when it fails. */
  read?(place: InputPlace): Promise<Training>
  /** Absent: it cannot be written here. */
  write?(place: OutputPlace, training: Training, options: WriteOptions): Promise<SaveReport>
}

// Bytes by which a file is recognised, at most.
const HEAD = 4096

/** The formats, in the order in which a file is compared with them. */
export const FORMATS: readonly Format[] = [
  {
    name: 'ckpt',
    extensions: ['.ckpt'],
    // The identifier of a FlatBuffer of ours.
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

/** The format of a file. Throws CKPT_FOREIGN_FILE, rule `format`, where it is none of the table. */
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

/** The format that a file's name says by its extension, or undefined. */
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
