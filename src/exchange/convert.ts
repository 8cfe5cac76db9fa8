/** Converts a file of one format to another, in any place: `ckpt convert` without its arguments. */

import { CheckpointError } from '../errors.js'
import { quote } from '../printable.js'
import type { SaveReport } from '../save/write.js'
import { extensionsOf, FORMATS, type Format, formatNamed, formatOf } from './formats.js'
import { PYTORCH } from './pytorch/pytorch-file.js'
import {
  type InputPlace,
  notConvertible,
  type OutputPlace,
  type Training,
  type WriteOptions,
} from './training.js'
import { type Transform, transformed } from './transform.js'

/** The files and options of a conversion. */
export interface ConvertOptions extends Transform, WriteOptions {
  /** The format of the input, if neither content nor extension decides. */
  readonly from?: string | undefined
  /** The format of the output, if its extension does not decide. */
  readonly to?: string | undefined
  /**
   * For a file of PyTorch: the names of the optimizer's parameters, in its order. See `PytorchOptions.parameters`.
   */
  readonly parameters?: readonly string[] | undefined
}

/** A conversion that is ready to be written. */
export interface Conversion {
  readonly input: Format
  readonly output: Format
  /** The changed training. */
  readonly training: Training
  /** Writes the output. The caller must close the training in any case. */
  write(): Promise<SaveReport>
}

/**
 * Opens the input and prepares the output, but writes nothing. The caller must close the training. Throws a TypeError
 * for an unknown format, CKPT_FOREIGN_FILE and CKPT_NOT_CONVERTIBLE.
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
    const { parameters } = options
    if (parameters !== undefined && input.name !== PYTORCH) {
      throw notConvertible(
        `names of parameters are for files of PyTorch, and the input is ${input.name}: leave them out`,
        { actual: input.name },
      )
    }
    training = await input.read(from, { parameters })
    const changed = transformed(training, options)
    const { raw, exact, onProgress, signal } = options
    const write = (): Promise<SaveReport> =>
      output.write(to, changed, { raw, exact, onProgress, signal })
    return { input, output, training: changed, write }
  } catch (error) {
    training?.close()
    from.source.close()
    throw error
  }
}

/** A format with a writer. */
type WritableFormat = Format & Required<Pick<Format, 'write'>>

function outputFormat(name: string, given: string | undefined): WritableFormat {
  const format = given === undefined ? formatNamed(name) : knownFormat(given)
  const writable = FORMATS.filter(({ write }) => write !== undefined)
  if (format === undefined) {
    throw new CheckpointError(
      'CKPT_NOT_CONVERTIBLE',
      `the name of the output does not say its format: expected ${extensionsOf(writable)}, found ${quote(name)}`,
      // The output's: the input is not at fault.
      { path: name, actual: name },
    )
  }
  if (format.write === undefined) {
    throw notConvertible(
      `${format.name} cannot be written here: expected ${extensionsOf(writable)}`,
      { path: name },
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
