/** From a file of one format to a file of another, wherever they are: the whole of `ckpt convert` but its arguments. */

import { CheckpointError } from '../errors.js'
import { quote } from '../printable.js'
import type { SaveReport } from '../save/write.js'
import { extensionsOf, FORMATS, type Format, formatNamed, formatOf } from './formats.js'
import {
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type Training,
  type WriteOptions,
} from './training.js'
import { type Transform, transformed } from './transform.js'

/** What is converted, and how. */
export interface ConvertOptions extends Transform, WriteOptions {
  /** The format of the input, where neither content nor extension tell. */
  readonly from?: string | undefined
  /** The format of the output, where its extension does not tell. */
  readonly to?: string | undefined
}

/** What a conversion is going to write. */
export interface Conversion {
  readonly input: Format
  readonly output: Format
  /** As it is going to be written. */
  readonly training: Training
  /** Writes it. The training is to be closed in any case. */
  write(): Promise<SaveReport>
}

/**
 * Opens the input and says what is going to be written; nothing is written yet. Close its training. Throws a
 * TypeError for a format that there is not, CKPT_FOREIGN_FILE and CKPT_NOT_CONVERTIBLE.
 */
export async function planConversion(
  from: InputPlace,
  to: OutputPlace,
  options: ConvertOptions = {},
): Promise<Conversion> {
  let training: Training | undefined
  try {
    const output = outputFormat(to.name, options.to)
    const input = options.from === undefined ? await formatOf(from) : knownFormat(options.from)
    if (input.read === undefined) throw notConvertible(`${input.name} cannot be read here`)
    training = await input.read(from)
    const changed = transformed(training, options)
    const { raw, onProgress, signal } = options
    const write = (): Promise<SaveReport> => output.write(to, changed, { raw, onProgress, signal })
    return { input, output, training: changed, write }
  } catch (error) {
    training?.close()
    from.source.close()
    throw error
  }
}

/** A format that can be written. */
type WritableFormat = Format & Required<Pick<Format, 'write'>>

function outputFormat(name: string, given: string | undefined): WritableFormat {
  const format = given === undefined ? formatNamed(name) : knownFormat(given)
  const writable = FORMATS.filter(({ write }) => write !== undefined)
  if (format === undefined) {
    throw new CheckpointError(
      'CKPT_NOT_CONVERTIBLE',
      `the format to write is not known by the name ${quote(name)}: expected ${extensionsOf(writable)}`,
      { actual: name },
    )
  }
  if (format.write === undefined) {
    throw notConvertible(
      `${format.name} cannot be written here: expected ${extensionsOf(writable)}`,
    )
  }
  return format as WritableFormat
}

function knownFormat(name: string): Format {
  const format = FORMATS.find((each) => each.name === name)
  if (format === undefined) {
    const names = FORMATS.map((each) => each.name).join(', ')
    throw new TypeError(`there is no format ${quote(name)}: expected one of ${names}`)
  }
  return format
}
