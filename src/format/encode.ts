/**
 * Encodes plain values into the bytes of the metadata. No byte of a tensor passes through here. The metadata is built
 * with open fields where a value depends on its own length. Then the layout is planned, and the open fields are patched
 * in place. The checksums come last, after the segments have been written.
 */

import * as flatbuffers from 'flatbuffers'
import { Checkpoint } from '../../generated/lightwatch/format/checkpoint.js'
import { Entry } from '../../generated/lightwatch/format/entry.js'
import { Metric } from '../../generated/lightwatch/format/metric.js'
import { State } from '../../generated/lightwatch/format/state.js'
import { Tensor } from '../../generated/lightwatch/format/tensor.js'
import { Value } from '../../generated/lightwatch/format/value.js'
import { ValueKind } from '../../generated/lightwatch/format/value-kind.js'
import { type Attribute, type Attributes, INT64_MAX } from './attributes.js'
import { type DType, dtypeCode } from './dtype.js'
import { FORMAT_VERSION, metadataChecksum } from './head.js'
import { isPlainFlatBuffer, type Layout, LENGTH_BYTES, planLayout } from './layout.js'
import type { Progress } from './metadata.js'
import { fieldOf } from './schema.js'

/** A tensor to be written; `segment` is the index of its segment. */
export interface TensorContent {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  readonly segment: number
}

/** A state as encode takes it. */
export interface StateContent {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  readonly tensors: readonly TensorContent[]
}

/** What a file will hold. The code that collects it has validated it. */
export interface Content {
  readonly progress: Progress
  readonly model: StateContent
  readonly optimizer: StateContent | null
  readonly extras: readonly StateContent[]
  /** Length of each segment in bytes, in the order in which tensors first name them. */
  readonly segmentLengths: readonly number[]
}

/** Metadata that is complete except for its checksums. */
export interface UnsealedMetadata {
  readonly length: number
  readonly layout: Layout
  /** Whether tensors have `data`, so that the whole file is one plain FlatBuffer. */
  readonly plain: boolean
  /** Writes the checksum of each segment and of the metadata, and returns the finished bytes. */
  seal(checksums: readonly number[]): Uint8Array
}

const OFFSET = fieldOf('Tensor', 'offset').slot
const BYTE_LENGTH = fieldOf('Tensor', 'byte_length').slot
const CRC32 = fieldOf('Tensor', 'crc32').slot
const DATA = fieldOf('Tensor', 'data').slot
const METADATA_LENGTH = fieldOf('Checkpoint', 'metadata_length').slot
const METADATA_CRC32 = fieldOf('Checkpoint', 'metadata_crc32').slot
const FILE_LENGTH = fieldOf('Checkpoint', 'file_length').slot

// Roughly the bytes of a tensor's table, name and shape. If it is too little, the builder doubles its buffer.
const BYTES_PER_TENSOR = 128

/** Builds the metadata of a file and plans its layout. `seal` fills in the checksums later. */
export function encode(content: Content): UnsealedMetadata {
  const { model, optimizer, extras } = content
  const count = [model, optimizer, ...extras].reduce((n, s) => n + (s?.tensors.length ?? 0), 0)
  const builder = new flatbuffers.Builder(1024 + BYTES_PER_TENSOR * count)
  // Stores every field, even with its default value, because open fields are patched later.
  builder.forceDefaults(true)
  const placed: PlacedTensor[] = []
  const root = buildRoot(builder, content, placed)
  Checkpoint.finishCheckpointBuffer(builder, root)

  // The builder fills its buffer from the end to the front; its offsets count from the end.
  const bytes = builder.asUint8Array()
  const { length } = bytes
  const view = new DataView(bytes.buffer, bytes.byteOffset, length)
  const position = (table: number, slot: number): number => {
    const at = length - table
    return at + view.getUint16(at - view.getInt32(at, true) + slot, true)
  }

  const layout = planLayout(length, content.segmentLengths)
  const plain = isPlainFlatBuffer(layout.fileLength)
  for (const { table, segment } of placed) {
    const offset = layout.offsets[segment]!
    view.setBigUint64(position(table, OFFSET), BigInt(offset), true)
    view.setBigUint64(position(table, BYTE_LENGTH), BigInt(content.segmentLengths[segment]!), true)
    const data = position(table, DATA)
    view.setUint32(data, plain ? offset - LENGTH_BYTES - data : 0, true)
  }
  if (!plain) removeData(view, length, placed)
  view.setUint32(position(root, METADATA_LENGTH), length, true)
  view.setBigUint64(position(root, FILE_LENGTH), BigInt(layout.fileLength), true)

  return {
    length,
    layout,
    plain,
    seal(checksums) {
      for (const { table, segment } of placed) {
        view.setUint32(position(table, CRC32), checksums[segment]!, true)
      }
      const at = position(root, METADATA_CRC32)
      view.setUint32(at, metadataChecksum(bytes, at), true)
      return bytes
    },
  }
}

interface PlacedTensor {
  /** The builder's offset of the table. */
  readonly table: number
  readonly segment: number
}

/**
 * Removes `data` from every tensor by clearing its entry in the vtable. The metadata keeps its length, so the planned
 * layout stays valid. (Only tensors have a vtable with all of these fields, so no other table shares it.)
 */
function removeData(view: DataView, length: number, placed: readonly PlacedTensor[]): void {
  for (const { table } of placed) {
    const at = length - table
    view.setUint16(at - view.getInt32(at, true) + DATA, 0, true)
  }
}

function buildRoot(
  builder: flatbuffers.Builder,
  content: Content,
  placed: PlacedTensor[],
): flatbuffers.Offset {
  const { progress, model, optimizer, extras } = content
  const modelAt = buildState(builder, model, placed)
  const optimizerAt = optimizer === null ? 0 : buildState(builder, optimizer, placed)
  const extrasAt = extras.map((state) => buildState(builder, state, placed))
  const extrasVector = extras.length === 0 ? 0 : Checkpoint.createExtrasVector(builder, extrasAt)
  const metricsAt = Object.entries(progress.metrics).map(([name, value]) => {
    const nameAt = builder.createString(name)
    Metric.startMetric(builder)
    Metric.addName(builder, nameAt)
    Metric.addValue(builder, value)
    return Metric.endMetric(builder)
  })
  const metricsVector =
    metricsAt.length === 0 ? 0 : Checkpoint.createMetricsVector(builder, metricsAt)
  const config = progress.config === null ? 0 : builder.createString(progress.config)

  Checkpoint.startCheckpoint(builder)
  Checkpoint.addVersion(builder, FORMAT_VERSION)
  Checkpoint.addMetadataLength(builder, 0)
  Checkpoint.addMetadataCrc32(builder, 0)
  Checkpoint.addFileLength(builder, 0n)
  Checkpoint.addEpoch(builder, BigInt(progress.epoch))
  Checkpoint.addStep(builder, BigInt(progress.step))
  if (progress.loss !== null) Checkpoint.addLoss(builder, progress.loss)
  if (metricsVector !== 0) Checkpoint.addMetrics(builder, metricsVector)
  if (config !== 0) Checkpoint.addConfig(builder, config)
  Checkpoint.addModel(builder, modelAt)
  if (optimizerAt !== 0) Checkpoint.addOptimizer(builder, optimizerAt)
  if (extrasVector !== 0) Checkpoint.addExtras(builder, extrasVector)
  // If they are absent, the bytes are those of a file without these fields.
  const { sequence, savedAt } = progress
  if (sequence !== null) Checkpoint.addSequence(builder, BigInt(sequence))
  if (savedAt !== null) Checkpoint.addSavedAt(builder, BigInt(savedAt))
  return Checkpoint.endCheckpoint(builder)
}

function buildState(
  builder: flatbuffers.Builder,
  state: StateContent,
  placed: PlacedTensor[],
): flatbuffers.Offset {
  const tensorsAt = state.tensors.map((tensor) => {
    const name = builder.createString(tensor.name)
    const shape = Tensor.createShapeVector(builder, tensor.shape.map(BigInt))
    Tensor.startTensor(builder)
    Tensor.addName(builder, name)
    Tensor.addDtype(builder, dtypeCode(tensor.dtype))
    Tensor.addShape(builder, shape)
    Tensor.addOffset(builder, 0n)
    Tensor.addByteLength(builder, 0n)
    Tensor.addCrc32(builder, 0)
    Tensor.addData(builder, 0)
    const table = Tensor.endTensor(builder)
    placed.push({ table, segment: tensor.segment })
    return table
  })
  const tensors = State.createTensorsVector(builder, tensorsAt)
  const entries = buildEntries(builder, state.attributes)
  const attributes = entries.length === 0 ? 0 : State.createAttributesVector(builder, entries)
  const name = builder.createString(state.name)
  const kind = state.kind === null ? 0 : builder.createString(state.kind)
  State.startState(builder)
  State.addName(builder, name)
  if (kind !== 0) State.addKind(builder, kind)
  if (attributes !== 0) State.addAttributes(builder, attributes)
  State.addTensors(builder, tensors)
  return State.endState(builder)
}

function buildEntries(builder: flatbuffers.Builder, map: Attributes): flatbuffers.Offset[] {
  return Object.keys(map).map((key) => {
    const keyAt = builder.createString(key)
    const value = buildValue(builder, map[key]!)
    Entry.startEntry(builder)
    Entry.addKey(builder, keyAt)
    Entry.addValue(builder, value)
    return Entry.endEntry(builder)
  })
}

function buildValue(builder: flatbuffers.Builder, value: Attribute): flatbuffers.Offset {
  /** A Value with one field; what the field refers to has been built before. */
  const table = (kind: ValueKind, addField?: () => void): flatbuffers.Offset => {
    Value.startValue(builder)
    Value.addKind(builder, kind)
    addField?.()
    return Value.endValue(builder)
  }
  if (value === null) return table(ValueKind.Null)
  switch (typeof value) {
    case 'boolean':
      return table(ValueKind.Boolean, () => Value.addBoolean(builder, value))
    case 'bigint':
      return value > INT64_MAX
        ? table(ValueKind.Uint64, () => Value.addUinteger(builder, value))
        : table(ValueKind.Int64, () => Value.addInteger(builder, value))
    case 'number':
      // An integer stays one in other languages (`range(state["step"])`). -0 is not an integer.
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? table(ValueKind.Integer, () => Value.addInteger(builder, BigInt(value)))
        : table(ValueKind.Float64, () => Value.addNumber(builder, value))
    case 'string': {
      const text = builder.createString(value)
      return table(ValueKind.Text, () => Value.addText(builder, text))
    }
  }
  if (Array.isArray(value)) {
    const items = (value as readonly Attribute[]).map((item) => buildValue(builder, item))
    const list = Value.createListVector(builder, items)
    return table(ValueKind.List, () => Value.addList(builder, list))
  }
  const entries = buildEntries(builder, value as Attributes)
  const map = Value.createMapVector(builder, entries)
  return table(ValueKind.Map, () => Value.addMap(builder, map))
}
