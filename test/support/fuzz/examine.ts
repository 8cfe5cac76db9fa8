/**
 * What has to hold for every file that there can be: it is refused with a CheckpointError of ours, or
 * it is read, and then everything that is handed out lies inside of the file, in segments that do not
 * overlap, and is what its type says.
 */

import { CheckpointError, type CheckpointErrorCode } from '../../../src/errors.js'
import type { Attribute } from '../../../src/format/attributes.js'
import { isDType } from '../../../src/format/dtype.js'
import { allStates, type Metadata } from '../../../src/format/metadata.js'
import type { SegmentTable } from '../../../src/format/segment-table.js'
import type { Checkpoint } from '../../../src/load/checkpoint.js'
import type { CheckpointState } from '../../../src/load/state.js'
import type { TypedArray } from '../../../src/state.js'
import { FileSays } from './file-says.js'
import { demand, Violation } from './guards.js'

/** The codes with which a file may be refused as a whole. */
const REFUSED: ReadonlySet<CheckpointErrorCode> = new Set<CheckpointErrorCode>([
  'CKPT_NOT_A_CHECKPOINT',
  'CKPT_VERSION',
  'CKPT_FILE_LENGTH',
  'CKPT_METADATA_CHECKSUM',
  'CKPT_FLATBUFFER',
  'CKPT_FORMAT',
])

/** The codes with which the bytes of a tensor may be refused. */
const DAMAGED: ReadonlySet<CheckpointErrorCode> = new Set<CheckpointErrorCode>([
  'CKPT_TENSOR_CHECKSUM',
  'CKPT_FORMAT',
])

// What steers a terminal, turns the direction of text, or is not seen.
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u
const UNSAFE_LINES = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u

// Longest message about one fault, in UTF-16 units: two names and a line around them.
const LONGEST_MESSAGE = 2_000

// Tensors in sparse files that are longer are not read.
const LONGEST_READ = 65_536

/** Why it was refused, for the tally. Throws a Violation for what is no error of ours. */
export function refusal(error: unknown, codes = REFUSED): string {
  if (!(error instanceof CheckpointError)) throw new Violation('a foreign error', { cause: error })
  if (!codes.has(error.code)) throw new Violation(`an unexpected ${error.code}`, { cause: error })
  checkMessage(error)
  return error.rule === undefined ? error.code : `${error.code} ${error.rule}`
}

/** Nothing in a message can steer a terminal; a list of keys may have lines. */
export function checkMessage(error: CheckpointError): void {
  const { message, code, cause } = error
  const list = code === 'CKPT_STATE_MISMATCH'
  if ((list ? UNSAFE_LINES : UNSAFE).test(message)) {
    throw new Violation(`an unprintable message: ${JSON.stringify(message)}`)
  }
  if (!list && message.length > LONGEST_MESSAGE) {
    throw new Violation(`a message of ${message.length} characters`)
  }
  // Node prints an error with its cause.
  if (cause instanceof Error && UNSAFE.test(cause.message)) {
    throw new Violation(`an unprintable cause: ${JSON.stringify(cause.message)}`)
  }
}

/** How a file was loaded. */
export interface Loaded {
  /** All of its bytes, where there are not too many. */
  readonly file?: Uint8Array
  /** The memory that it was loaded from, where it is read in place. */
  readonly memory?: Uint8Array
  /** Whether tensors can be had asynchronously alone. */
  readonly asynchronous?: boolean
  /** Whether checksums are checked (the default). */
  readonly verify?: boolean
}

/**
 * Reads everything that a loaded checkpoint offers, and says what became of it, for the tally.
 * Throws a Violation where an oracle is violated.
 */
export async function examine(checkpoint: Checkpoint, loaded: Loaded = {}): Promise<string> {
  const { byteLength, metadataLength, epoch, step, loss, metrics } = checkpoint
  demand(metadataLength >= 12 && metadataLength <= byteLength, 'the length of the metadata')
  demand(Number.isSafeInteger(epoch) && Number.isSafeInteger(step), 'the progress')
  demand(loss === null || typeof loss === 'number', 'the loss')
  checkObject(metrics)
  for (const key of Object.keys(metrics)) demand(typeof metrics[key] === 'number', 'a metric')
  checkConfig(checkpoint)

  let damaged = 0
  const said = loaded.file === undefined ? undefined : new FileSays(loaded.file, metadataLength)
  for (const state of checkpoint.states) {
    checkTree(state.attributes, 0)
    for (const name of state.keys()) {
      if (!(await checkTensor(checkpoint, state, name, loaded, said))) damaged++
    }
  }

  let faults = 0
  // A sparse file of a terabyte would take its time.
  const short = byteLength <= LONGEST_READ
  if (short) {
    for await (const fault of checkpoint.faults()) {
      refusal(fault, DAMAGED)
      faults++
    }
    demand(faults > 0 || damaged === 0, 'verify() has found nothing, and data has')
  }
  return faults + damaged > 0 ? 'read, with damaged tensors' : 'read'
}

/** The same for decoded metadata by itself: what it says of tensors lies in the file, in order. */
export function examineMetadata(metadata: Metadata, segments: SegmentTable): void {
  const { fileLength, progress } = metadata
  let end = metadata.metadataLength
  for (const segment of segments.values()) {
    demand(segment.gapStart === end && segment.offset % 64 === 0, 'the place of a segment')
    demand(segment.offset - end >= 4 && segment.offset - end < 68, 'the gap before a segment')
    end = segment.offset + segment.byteLength
  }
  demand(end === fileLength, 'the end of the last segment')
  checkObject(progress.metrics)
  for (const state of allStates(metadata)) {
    checkTree(state.attributes, 0)
    const names = new Set<string>()
    for (const { name, dtype, shape, offset, byteLength } of state.tensors) {
      demand(name !== '' && isDType(dtype) && shape.length <= 64, 'a tensor')
      demand(segments.get(offset)?.byteLength === byteLength, 'the segment of a tensor')
      names.add(name)
    }
    demand(names.size === state.tensors.length, 'the names of the tensors')
  }
}

function checkConfig(checkpoint: Checkpoint): void {
  try {
    void checkpoint.config
  } catch (error) {
    demand(refusal(error) === 'CKPT_FORMAT config.json', 'the error of a config')
  }
}

/** False where the tensor's bytes were refused. */
async function checkTensor(
  checkpoint: Checkpoint,
  state: CheckpointState,
  name: string,
  { memory, asynchronous = false, verify = true }: Loaded,
  said: FileSays | undefined,
): Promise<boolean> {
  const tensor = state.get(name)
  demand(tensor.name === name && name !== '', 'the name of a tensor')
  demand(isDType(tensor.dtype), 'the dtype of a tensor')
  demand(tensor.shape.length <= 64, 'the rank of a tensor')
  for (const length of tensor.shape) {
    demand(Number.isSafeInteger(length) && length >= 0, 'a dimension')
  }
  demand(tensor.byteLength <= checkpoint.byteLength, 'the length of a tensor')
  if (tensor.byteLength > LONGEST_READ) return true
  let data: TypedArray
  try {
    data = asynchronous ? await tensor.read() : tensor.data
  } catch (error) {
    refusal(error, DAMAGED)
    return false
  }
  demand(data.byteLength === tensor.byteLength, 'the length of data')
  said?.check(state.name, name, data, verify)
  if (memory === undefined || data.buffer !== memory.buffer) {
    demand(data.buffer.byteLength === tensor.byteLength, 'memory beyond a tensor')
  }
  return true
}

function checkTree(value: Attribute, depth: number): void {
  demand(depth <= 64, 'the depth of attributes')
  switch (typeof value) {
    case 'boolean':
    case 'number':
      return
    case 'bigint':
      demand(BigInt.asIntN(64, value) === value || BigInt.asUintN(64, value) === value, 'a bigint')
      return
    case 'string':
      demand(value.isWellFormed(), 'a text')
      return
    case 'object':
      if (value === null) return
      if (Array.isArray(value)) {
        demand(Object.getPrototypeOf(value) === Array.prototype, 'the prototype of a list')
        for (const item of value) checkTree(item, depth + 1)
        return
      }
      checkObject(value)
      for (const key of Object.keys(value)) {
        checkTree((value as { [key: string]: Attribute })[key]!, depth + 1)
      }
      return
  }
  throw new Violation(`an attribute is a ${typeof value}`)
}

function checkObject(value: object): void {
  demand(Object.getPrototypeOf(value) === Object.prototype, 'the prototype of a map')
}
