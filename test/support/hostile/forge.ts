/**
 * Makes metadata that our own writer never would: with the builder of FlatBuffers, which lets tables
 * and strings be shared, and takes any number.
 */

import * as flatbuffers from 'flatbuffers'
import { Checkpoint } from '../../../generated/lightwatch/format/checkpoint.js'
import { Entry } from '../../../generated/lightwatch/format/entry.js'
import { State } from '../../../generated/lightwatch/format/state.js'
import { Tensor } from '../../../generated/lightwatch/format/tensor.js'
import { Value } from '../../../generated/lightwatch/format/value.js'
import { ValueKind } from '../../../generated/lightwatch/format/value-kind.js'
import { Patch } from '../format/patch.js'

export type Builder = flatbuffers.Builder
export type Offset = flatbuffers.Offset

export interface ForgedTensor {
  readonly name: string
  readonly dtype: number
  readonly shape: readonly (number | bigint)[]
  readonly offset: number | bigint
  readonly byteLength: number | bigint
  readonly crc32?: number
}

/** A tensor's table. It has `data` (left at 0) unless it is of a file of the large form. */
export function tensor(b: Builder, forged: ForgedTensor, data = true): Offset {
  const name = b.createString(forged.name)
  const shape = Tensor.createShapeVector(b, forged.shape.map(BigInt))
  Tensor.startTensor(b)
  Tensor.addName(b, name)
  Tensor.addDtype(b, forged.dtype)
  Tensor.addShape(b, shape)
  Tensor.addOffset(b, BigInt(forged.offset))
  Tensor.addByteLength(b, BigInt(forged.byteLength))
  Tensor.addCrc32(b, forged.crc32 ?? 0)
  if (data) Tensor.addData(b, 0)
  return Tensor.endTensor(b)
}

export function state(
  b: Builder,
  name: string,
  tensors: readonly Offset[],
  attributes: readonly Offset[] = [],
): Offset {
  const tensorsAt = State.createTensorsVector(b, tensors as Offset[])
  const attributesAt = State.createAttributesVector(b, attributes as Offset[])
  const nameAt = b.createString(name)
  State.startState(b)
  State.addName(b, nameAt)
  State.addAttributes(b, attributesAt)
  State.addTensors(b, tensorsAt)
  return State.endState(b)
}

export function entry(b: Builder, key: string, value: Offset): Offset {
  const keyAt = b.createString(key)
  Entry.startEntry(b)
  Entry.addKey(b, keyAt)
  Entry.addValue(b, value)
  return Entry.endEntry(b)
}

export function nullValue(b: Builder): Offset {
  Value.startValue(b)
  Value.addKind(b, ValueKind.Null)
  return Value.endValue(b)
}

/** A text, over a string that others may share. */
export function textValue(b: Builder, string: Offset): Offset {
  Value.startValue(b)
  Value.addKind(b, ValueKind.Text)
  Value.addText(b, string)
  return Value.endValue(b)
}

export function listValue(b: Builder, items: readonly Offset[]): Offset {
  const list = Value.createListVector(b, items as Offset[])
  Value.startValue(b)
  Value.addKind(b, ValueKind.List)
  Value.addList(b, list)
  return Value.endValue(b)
}

/**
 * Finishes a file of metadata alone: version 1, the lengths its own (unless `fileLength` says
 * otherwise), the checksum fitting.
 */
export function forge(
  build: (b: Builder) => { model: Offset; extras?: readonly Offset[]; metrics?: Offset },
  fileLength?: number | bigint,
): Uint8Array {
  const b = new flatbuffers.Builder(1024)
  b.forceDefaults(true)
  const { model, extras = [], metrics } = build(b)
  const extrasAt = Checkpoint.createExtrasVector(b, extras as Offset[])
  Checkpoint.startCheckpoint(b)
  Checkpoint.addVersion(b, 1)
  Checkpoint.addMetadataLength(b, 0)
  Checkpoint.addMetadataCrc32(b, 0)
  Checkpoint.addFileLength(b, 0n)
  Checkpoint.addEpoch(b, 0n)
  Checkpoint.addStep(b, 0n)
  if (metrics !== undefined) Checkpoint.addMetrics(b, metrics)
  Checkpoint.addModel(b, model)
  Checkpoint.addExtras(b, extrasAt)
  Checkpoint.finishCheckpointBuffer(b, Checkpoint.endCheckpoint(b))
  const patch = new Patch(b.asUint8Array())
  const { length } = patch.bytes
  patch.root.set('metadata_length', length)
  patch.root.set('file_length', fileLength ?? length)
  return patch.seal()
}

/** A file whose model has these attributes and no tensor. */
export function forgeAttributes(build: (b: Builder) => Offset[]): Uint8Array {
  return forge((b) => ({ model: state(b, 'model', [], build(b)) }))
}
