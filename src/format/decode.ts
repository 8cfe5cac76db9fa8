/**
 * Decodes the bytes of the metadata into plain values, after the verifier has passed them. Only this file and encode
 * touch the generated classes. Here a bigint becomes a number, once, and text is decoded, once. (There can be very many
 * tensors; a table reads them without the generated classes.) The rules then validate what the values mean for each
 * other.
 */

import * as flatbuffers from 'flatbuffers'
import type { Rule } from '../../generated/errors.js'
import { Checkpoint } from '../../generated/lightwatch/format/checkpoint.js'
import type { Entry } from '../../generated/lightwatch/format/entry.js'
import type { State } from '../../generated/lightwatch/format/state.js'
import type { Value } from '../../generated/lightwatch/format/value.js'
import { ValueKind } from '../../generated/lightwatch/format/value-kind.js'
import { CheckpointError } from '../errors.js'
import { quote } from '../printable.js'
import { type Attribute, setKey } from './attributes.js'
import type { Metadata, Progress, StateRecord } from './metadata.js'
import { fieldOf } from './schema.js'
import { TensorTable } from './tensor-table.js'
import { decodeText } from './text.js'

const UTF8_BYTES = flatbuffers.Encoding.UTF8_BYTES
const TENSORS = fieldOf('State', 'tensors').slot

/**
 * Decodes metadata that the verifier has passed. Throws CKPT_FORMAT if a value has no meaning by itself: text that is
 * not UTF-8, an unknown dtype, an integer beyond 2^53 - 1, a duplicate key or state name.
 */
export function decode(bytes: Uint8Array): Metadata {
  const root = rootOf(bytes)
  const optimizer = root.optimizer()
  return {
    version: root.version(),
    metadataLength: root.metadataLength(),
    fileLength: safe(root.fileLength(), 'file_length'),
    progress: progressOf(root),
    model: decodeState(root.model()!),
    optimizer: optimizer === null ? null : decodeState(optimizer),
    extras: decodeExtras(root),
  }
}

/**
 * A few bytes in a file can repeat one state many million times. So a second state of the same name is refused before
 * it is decoded.
 */
function decodeExtras(root: Checkpoint): StateRecord[] {
  const extras = new Map<string, StateRecord>()
  for (let i = 0; i < root.extrasLength(); i++) {
    const state = root.extras(i)!
    const name = text(state.name(UTF8_BYTES), 'the name of a state')
    if (extras.has(name)) {
      throw broken('state.name', `an extra's name, ${quote(name)}, is taken`, { actual: name })
    }
    extras.set(name, decodeState(state))
  }
  return [...extras.values()]
}

/** Decodes the progress alone. Throws like `decode`. */
export function decodeProgress(bytes: Uint8Array): Progress {
  return progressOf(rootOf(bytes))
}

function rootOf(bytes: Uint8Array): Checkpoint {
  return Checkpoint.getRootAsCheckpoint(new flatbuffers.ByteBuffer(bytes))
}

function progressOf(root: Checkpoint): Progress {
  const metrics: { [name: string]: number } = {}
  for (let i = 0; i < root.metricsLength(); i++) {
    const metric = root.metrics(i)!
    const name = text(metric.name(UTF8_BYTES), 'the name of a metric')
    const value = metric.value()
    if (value === null) {
      throw broken('metric.value', `the metric ${quote(name)} has no value`)
    }
    unique(metrics, name, 'metric.unique', 'the metric')
    setKey(metrics, name, value)
  }
  const config = root.config(UTF8_BYTES)
  const sequence = root.sequence()
  const savedAt = root.savedAt()
  return {
    epoch: safe(root.epoch(), 'epoch'),
    step: safe(root.step(), 'step'),
    loss: root.loss(),
    metrics,
    config: config === null ? null : text(config, 'the config'),
    sequence: sequence === null ? null : safe(sequence, 'sequence'),
    savedAt: savedAt === null ? null : safe(savedAt, 'saved_at'),
  }
}

function decodeState(state: State): StateRecord {
  const kind = state.kind(UTF8_BYTES)
  const name = text(state.name(UTF8_BYTES), 'the name of a state')
  const attributes: { [key: string]: Attribute } = {}
  for (let i = 0; i < state.attributesLength(); i++) addEntry(attributes, state.attributes(i)!)
  const { bb, bb_pos } = state
  const at = bb_pos + bb!.__offset(bb_pos, TENSORS)
  const tensors = new TensorTable(bb!, bb!.__indirect(at), name)
  return {
    name,
    kind: kind === null ? null : text(kind, 'the kind of a state'),
    attributes,
    tensors,
  }
}

function addEntry(map: { [key: string]: Attribute }, entry: Entry): void {
  const key = text(entry.key(UTF8_BYTES), 'a key')
  unique(map, key, 'attribute.unique', 'the key')
  setKey(map, key, decodeValue(entry.value()!))
}

function decodeValue(value: Value): Attribute {
  const kind = value.kind()
  const boolean = value.boolean()
  const integer = value.integer()
  const uinteger = value.uinteger()
  const number = value.number()
  const string = value.text(UTF8_BYTES)
  const { bb, bb_pos } = value
  const list = bb!.__offset(bb_pos, LIST) !== 0
  const map = bb!.__offset(bb_pos, MAP) !== 0
  const present =
    +(boolean !== null) +
    +(integer !== null) +
    +(uinteger !== null) +
    +(number !== null) +
    +(string !== null) +
    +list +
    +map
  if (present === (kind === ValueKind.Null ? 0 : 1)) {
    switch (kind) {
      case ValueKind.Null:
        return null
      case ValueKind.Boolean:
        if (boolean !== null) return boolean
        break
      case ValueKind.Integer:
        if (integer !== null) return safe(integer, 'an integer among the attributes')
        break
      case ValueKind.Int64:
        if (integer !== null) return integer
        break
      case ValueKind.Uint64:
        if (uinteger !== null && uinteger >= 2n ** 63n) return uinteger
        break
      case ValueKind.Float64:
        if (number !== null) return number
        break
      case ValueKind.Text:
        if (string !== null) return text(string, 'a text among the attributes')
        break
      case ValueKind.List:
        if (list) {
          return Array.from({ length: value.listLength() }, (_, i) => decodeValue(value.list(i)!))
        }
        break
      case ValueKind.Map:
        if (map) {
          const entries: { [key: string]: Attribute } = {}
          for (let i = 0; i < value.mapLength(); i++) addEntry(entries, value.map(i)!)
          return entries
        }
    }
  }
  throw broken('value.kind', `an attribute of kind ${kind} does not hold what its kind says`, {
    actual: kind,
  })
}

const LIST = fieldOf('Value', 'list').slot
const MAP = fieldOf('Value', 'map').slot

function text(bytes: string | Uint8Array | null, what: string): string {
  return decodeText(bytes as Uint8Array, what)
}

function unique(object: object, key: string, rule: Rule, what: string): void {
  if (Object.hasOwn(object, key)) {
    throw broken(rule, `${what} ${quote(key)} appears twice`, { actual: key })
  }
}

function safe(value: bigint, what: string): number {
  const number = Number(value)
  if (Number.isSafeInteger(number)) return number
  throw broken('integer.safe', `${what} is ${value}, beyond 2^53 - 1`, { actual: value })
}

function broken(
  rule: Rule,
  message: string,
  fields: ConstructorParameters<typeof CheckpointError>[2] = {},
): CheckpointError {
  return new CheckpointError('CKPT_FORMAT', message, { ...fields, rule })
}
