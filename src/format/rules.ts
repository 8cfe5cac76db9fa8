/**
 * The format's own rules: what the values of decoded metadata have to mean for each other. They
 * leave no byte of a file unexplained: every segment has one possible position, and the file ends
 * where the last one does.
 */

import { CheckpointError, type CheckpointErrorFields, quote } from '../error.js'
import { tensorByteLength } from './dtype.js'
import { isPlainFlatBuffer, LENGTH_BYTES, segmentStart } from './layout.js'
import { allStates, type Metadata, MODEL, OPTIMIZER, type TensorRecord } from './metadata.js'
import { nameFault } from './text.js'

/** The bytes of one tensor, or of several over the same memory. Lengths and positions in bytes. */
export interface Segment {
  /** Where what stands before it ends; from there to `offset` is the gap. */
  readonly gapStart: number
  readonly offset: number
  readonly byteLength: number
  readonly crc32: number
}

/**
 * Checks the rules and returns the file's segments by their offsets, in the order of the file.
 * Throws CKPT_FORMAT with the rule that is broken.
 */
export function checkRules(metadata: Metadata): ReadonlyMap<number, Segment> {
  checkNames(metadata)
  const { metadataLength, fileLength } = metadata
  const plain = isPlainFlatBuffer(fileLength)
  const segments = new Map<number, Segment>()
  let end = metadataLength
  for (const state of allStates(metadata)) {
    const names = new Set<string>()
    for (const tensor of state.tensors) {
      const at = { state: state.name, tensor: tensor.name }
      const fault = nameFault(tensor.name)
      if (fault !== undefined) {
        throw broken('tensor.name', `a tensor's name, ${quote(tensor.name)}, ${fault}`, at)
      }
      if (names.has(tensor.name)) {
        throw broken('tensor.unique', `the tensor ${quote(tensor.name)} is there twice`, at)
      }
      names.add(tensor.name)
      checkLength(tensor, at)
      const known = segments.get(tensor.offset)
      if (known === undefined) {
        const expected = segmentStart(end)
        if (tensor.offset !== expected) {
          throw broken('tensor.offset', `${quote(tensor.name)} is not where it has to be`, {
            ...at,
            expected,
            actual: tensor.offset,
          })
        }
        const { offset, byteLength, crc32 } = tensor
        segments.set(offset, { gapStart: end, offset, byteLength, crc32 })
        end = offset + byteLength
        if (end > fileLength) {
          throw broken('tensor.range', `${quote(tensor.name)} reaches beyond the end of the file`, {
            ...at,
            expected: fileLength,
            actual: end,
          })
        }
      } else if (known.byteLength !== tensor.byteLength || known.crc32 !== tensor.crc32) {
        throw broken(
          'tensor.alias',
          `${quote(tensor.name)} shares its place with a tensor of another length or checksum`,
          at,
        )
      }
      checkVector(tensor, plain, at)
    }
  }
  if (end !== fileLength) {
    throw broken('file_length', `the file has ${fileLength - end} bytes that belong to nothing`, {
      expected: end,
      actual: fileLength,
    })
  }
  return segments
}

function checkNames(metadata: Metadata): void {
  const { model, optimizer, extras, progress } = metadata
  const state = (actual: string, expected: string): void => {
    if (actual !== expected) {
      throw broken('state.name', `the ${expected}'s state is called ${quote(actual)}`, {
        expected,
        actual,
      })
    }
  }
  state(model.name, MODEL)
  if (optimizer !== null) state(optimizer.name, OPTIMIZER)
  const taken = new Set([MODEL, OPTIMIZER])
  for (const { name } of extras) {
    const fault = taken.has(name) ? 'is taken' : nameFault(name)
    if (fault !== undefined) {
      throw broken('state.name', `an extra's name, ${quote(name)}, ${fault}`, { actual: name })
    }
    taken.add(name)
  }
  for (const name of Object.keys(progress.metrics)) {
    const fault = nameFault(name)
    if (fault !== undefined) {
      throw broken('metric.name', `a metric's name, ${quote(name)}, ${fault}`, { actual: name })
    }
  }
}

function checkLength(tensor: TensorRecord, at: CheckpointErrorFields): void {
  const expected = tensorByteLength(tensor.dtype, tensor.shape)
  if (expected === undefined || expected !== tensor.byteLength) {
    const shape = `${tensor.dtype} [${tensor.shape.join(', ')}]`
    throw broken(
      'tensor.byte_length',
      `${quote(tensor.name)} has ${tensor.byteLength} bytes, which is not what ${shape} takes`,
      { ...at, expected, actual: tensor.byteLength },
    )
  }
}

function checkVector(tensor: TensorRecord, plain: boolean, at: CheckpointErrorFields): void {
  const expected = plain ? tensor.offset - LENGTH_BYTES : null
  if (tensor.vectorOffset !== expected) {
    throw broken(
      'tensor.data',
      plain
        ? `the data of ${quote(tensor.name)} is not what its offset says`
        : `${quote(tensor.name)} has data, which a file of 2 GiB or more cannot have`,
      { ...at, expected, actual: tensor.vectorOffset },
    )
  }
}

function broken(rule: string, message: string, fields: CheckpointErrorFields): CheckpointError {
  return new CheckpointError('CKPT_FORMAT', message, { ...fields, rule })
}
