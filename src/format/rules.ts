/**
 * The format's own rules: what the values of decoded metadata must mean for each other. They explain every byte of a
 * file: each segment has one possible position, and the file ends with its last segment.
 */

import type { Rule } from '../../generated/errors.js'
import { CheckpointError, type CheckpointErrorFields } from '../errors.js'
import { quote } from '../printable.js'
import { isPlainFlatBuffer, LENGTH_BYTES, segmentStart } from './layout.js'
import { allStates, type Metadata, MODEL, OPTIMIZER } from './metadata.js'
import { SegmentTable } from './segment-table.js'
import type { TensorTable } from './tensor-table.js'
import { nameFault } from './text.js'

/** Validates the rules and returns the file's segments. Throws CKPT_FORMAT with the broken rule. */
export function checkRules(metadata: Metadata): SegmentTable {
  checkNames(metadata)
  const { metadataLength, fileLength } = metadata
  const plain = isPlainFlatBuffer(fileLength)
  const states = allStates(metadata)
  const segments = new SegmentTable(states.reduce((n, { tensors }) => n + tensors.length, 0))
  let end = metadataLength
  for (const { name: state, tensors } of states) {
    for (let i = 0; i < tensors.length; i++) {
      const fault = tensors.nameFault(i)
      if (fault !== undefined) {
        const name = quote(tensors.name(i))
        throw broken('tensor.name', `a tensor's name, ${name}, ${fault}`, at(state, tensors, i))
      }
      if (!tensors.index(i)) {
        const name = quote(tensors.name(i))
        throw broken('tensor.unique', `the tensor ${name} appears twice`, at(state, tensors, i))
      }
      const byteLength = tensors.byteLength(i)
      if (tensors.impliedByteLength(i) !== byteLength) throw wrongLength(state, tensors, i)
      const offset = tensors.offset(i)
      const crc32 = tensors.crc32(i)
      const expected = segmentStart(end)
      // A new segment starts after all segments before it; any other position must be a known one.
      if (offset === expected) {
        segments.add({ gapStart: end, offset, byteLength, crc32 })
        end = offset + byteLength
        if (end > fileLength) {
          const name = quote(tensors.name(i))
          throw broken('tensor.range', `${name} reaches beyond the end of the file`, {
            ...at(state, tensors, i),
            expected: fileLength,
            actual: end,
          })
        }
      } else {
        const known = segments.get(offset)
        if (known === undefined) {
          throw broken(
            'tensor.offset',
            `${quote(tensors.name(i))} is not at the position that the layout implies`,
            {
              ...at(state, tensors, i),
              expected,
              actual: offset,
            },
          )
        }
        if (known.byteLength !== byteLength || known.crc32 !== crc32) {
          throw broken(
            'tensor.alias',
            `${quote(tensors.name(i))} shares its place with a tensor of another length or checksum`,
            at(state, tensors, i),
          )
        }
      }
      const vector = tensors.vectorOffset(i)
      const expectedVector = plain ? offset - LENGTH_BYTES : null
      if (vector !== expectedVector) throw wrongData(state, tensors, i, expectedVector)
    }
  }
  if (end !== fileLength) {
    throw broken('file_length', `the file has ${fileLength - end} bytes after its last segment`, {
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
  }
  for (const name of Object.keys(progress.metrics)) {
    const fault = nameFault(name)
    if (fault !== undefined) {
      throw broken('metric.name', `a metric's name, ${quote(name)}, ${fault}`, { actual: name })
    }
  }
}

function wrongLength(state: string, tensors: TensorTable, i: number): CheckpointError {
  const { name, dtype, shape, byteLength } = tensors.at(i)
  return broken(
    'tensor.byte_length',
    `${quote(name)} has ${byteLength} bytes, which is not what ${dtype} [${shape.join(', ')}] takes`,
    { state, tensor: name, expected: tensors.impliedByteLength(i), actual: byteLength },
  )
}

function wrongData(
  state: string,
  tensors: TensorTable,
  i: number,
  expected: number | null,
): CheckpointError {
  const { name, vectorOffset } = tensors.at(i)
  return broken(
    'tensor.data',
    expected === null
      ? `${quote(name)} has data, which a file of 2 GiB or more cannot have`
      : `the data and the offset of ${quote(name)} disagree`,
    { state, tensor: name, expected, actual: vectorOffset },
  )
}

function at(state: string, tensors: TensorTable, i: number): CheckpointErrorFields {
  return { state, tensor: tensors.name(i) }
}

function broken(rule: Rule, message: string, fields: CheckpointErrorFields): CheckpointError {
  return new CheckpointError('CKPT_FORMAT', message, { ...fields, rule })
}
