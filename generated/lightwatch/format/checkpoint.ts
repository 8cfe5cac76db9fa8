// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

import * as flatbuffers from 'flatbuffers';

import { Metric } from '../../lightwatch/format/metric.js';
import { State } from '../../lightwatch/format/state.js';


export class Checkpoint {
  bb: flatbuffers.ByteBuffer|null = null;
  bb_pos = 0;
  __init(i:number, bb:flatbuffers.ByteBuffer):Checkpoint {
  this.bb_pos = i;
  this.bb = bb;
  return this;
}

static getRootAsCheckpoint(bb:flatbuffers.ByteBuffer, obj?:Checkpoint):Checkpoint {
  return (obj || new Checkpoint()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

static getSizePrefixedRootAsCheckpoint(bb:flatbuffers.ByteBuffer, obj?:Checkpoint):Checkpoint {
  bb.setPosition(bb.position() + flatbuffers.SIZE_PREFIX_LENGTH);
  return (obj || new Checkpoint()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

static bufferHasIdentifier(bb:flatbuffers.ByteBuffer):boolean {
  return bb.__has_identifier('LWCK');
}

/**
 * Version of the format. This schema describes version 1.
 */
version():number {
  const offset = this.bb!.__offset(this.bb_pos, 4);
  return offset ? this.bb!.readUint32(this.bb_pos + offset) : 0;
}

/**
 * Length of the metadata in bytes.
 */
metadataLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 6);
  return offset ? this.bb!.readUint32(this.bb_pos + offset) : 0;
}

/**
 * CRC-32 of the metadata, with the four bytes of this field taken as zero.
 */
metadataCrc32():number {
  const offset = this.bb!.__offset(this.bb_pos, 8);
  return offset ? this.bb!.readUint32(this.bb_pos + offset) : 0;
}

/**
 * Length of the whole file in bytes.
 */
fileLength():bigint {
  const offset = this.bb!.__offset(this.bb_pos, 10);
  return offset ? this.bb!.readUint64(this.bb_pos + offset) : BigInt('0');
}

epoch():bigint {
  const offset = this.bb!.__offset(this.bb_pos, 12);
  return offset ? this.bb!.readInt64(this.bb_pos + offset) : BigInt('0');
}

/**
 * Optimizer steps taken.
 */
step():bigint {
  const offset = this.bb!.__offset(this.bb_pos, 14);
  return offset ? this.bb!.readInt64(this.bb_pos + offset) : BigInt('0');
}

/**
 * Absent if there is none yet.
 */
loss():number|null {
  const offset = this.bb!.__offset(this.bb_pos, 16);
  return offset ? this.bb!.readFloat64(this.bb_pos + offset) : null;
}

metrics(index: number, obj?:Metric):Metric|null {
  const offset = this.bb!.__offset(this.bb_pos, 18);
  return offset ? (obj || new Metric()).__init(this.bb!.__indirect(this.bb!.__vector(this.bb_pos + offset) + index * 4), this.bb!) : null;
}

metricsLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 18);
  return offset ? this.bb!.__vector_len(this.bb_pos + offset) : 0;
}

/**
 * JSON text, as the trainer gave it.
 */
config():string|null
config(optionalEncoding:flatbuffers.Encoding):string|Uint8Array|null
config(optionalEncoding?:any):string|Uint8Array|null {
  const offset = this.bb!.__offset(this.bb_pos, 20);
  return offset ? this.bb!.__string(this.bb_pos + offset, optionalEncoding) : null;
}

model(obj?:State):State|null {
  const offset = this.bb!.__offset(this.bb_pos, 22);
  return offset ? (obj || new State()).__init(this.bb!.__indirect(this.bb_pos + offset), this.bb!) : null;
}

optimizer(obj?:State):State|null {
  const offset = this.bb!.__offset(this.bb_pos, 24);
  return offset ? (obj || new State()).__init(this.bb!.__indirect(this.bb_pos + offset), this.bb!) : null;
}

extras(index: number, obj?:State):State|null {
  const offset = this.bb!.__offset(this.bb_pos, 26);
  return offset ? (obj || new State()).__init(this.bb!.__indirect(this.bb!.__vector(this.bb_pos + offset) + index * 4), this.bb!) : null;
}

extrasLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 26);
  return offset ? this.bb!.__vector_len(this.bb_pos + offset) : 0;
}

/**
 * The position of this save in the order of its run's saves: greater than that of each earlier
 * save, whatever their steps. Absent if the saver gave none.
 */
sequence():bigint|null {
  const offset = this.bb!.__offset(this.bb_pos, 28);
  return offset ? this.bb!.readUint64(this.bb_pos + offset) : null;
}

/**
 * Time of the save by the saver's clock, in milliseconds since 1970 (UTC). Absent if the saver gave
 * none: a save has no time of its own, so that the same state gives the same bytes.
 */
savedAt():bigint|null {
  const offset = this.bb!.__offset(this.bb_pos, 30);
  return offset ? this.bb!.readUint64(this.bb_pos + offset) : null;
}

static startCheckpoint(builder:flatbuffers.Builder) {
  builder.startObject(14);
}

static addVersion(builder:flatbuffers.Builder, version:number) {
  builder.addFieldInt32(0, version, 0);
}

static addMetadataLength(builder:flatbuffers.Builder, metadataLength:number) {
  builder.addFieldInt32(1, metadataLength, 0);
}

static addMetadataCrc32(builder:flatbuffers.Builder, metadataCrc32:number) {
  builder.addFieldInt32(2, metadataCrc32, 0);
}

static addFileLength(builder:flatbuffers.Builder, fileLength:bigint) {
  builder.addFieldInt64(3, fileLength, BigInt('0'));
}

static addEpoch(builder:flatbuffers.Builder, epoch:bigint) {
  builder.addFieldInt64(4, epoch, BigInt('0'));
}

static addStep(builder:flatbuffers.Builder, step:bigint) {
  builder.addFieldInt64(5, step, BigInt('0'));
}

static addLoss(builder:flatbuffers.Builder, loss:number) {
  builder.addFieldFloat64(6, loss, null);
}

static addMetrics(builder:flatbuffers.Builder, metricsOffset:flatbuffers.Offset) {
  builder.addFieldOffset(7, metricsOffset, 0);
}

static createMetricsVector(builder:flatbuffers.Builder, data:flatbuffers.Offset[]):flatbuffers.Offset {
  builder.startVector(4, data.length, 4);
  for (let i = data.length - 1; i >= 0; i--) {
    builder.addOffset(data[i]!);
  }
  return builder.endVector();
}

static startMetricsVector(builder:flatbuffers.Builder, numElems:number) {
  builder.startVector(4, numElems, 4);
}

static addConfig(builder:flatbuffers.Builder, configOffset:flatbuffers.Offset) {
  builder.addFieldOffset(8, configOffset, 0);
}

static addModel(builder:flatbuffers.Builder, modelOffset:flatbuffers.Offset) {
  builder.addFieldOffset(9, modelOffset, 0);
}

static addOptimizer(builder:flatbuffers.Builder, optimizerOffset:flatbuffers.Offset) {
  builder.addFieldOffset(10, optimizerOffset, 0);
}

static addExtras(builder:flatbuffers.Builder, extrasOffset:flatbuffers.Offset) {
  builder.addFieldOffset(11, extrasOffset, 0);
}

static createExtrasVector(builder:flatbuffers.Builder, data:flatbuffers.Offset[]):flatbuffers.Offset {
  builder.startVector(4, data.length, 4);
  for (let i = data.length - 1; i >= 0; i--) {
    builder.addOffset(data[i]!);
  }
  return builder.endVector();
}

static startExtrasVector(builder:flatbuffers.Builder, numElems:number) {
  builder.startVector(4, numElems, 4);
}

static addSequence(builder:flatbuffers.Builder, sequence:bigint) {
  builder.addFieldInt64(12, sequence, null);
}

static addSavedAt(builder:flatbuffers.Builder, savedAt:bigint) {
  builder.addFieldInt64(13, savedAt, null);
}

static endCheckpoint(builder:flatbuffers.Builder):flatbuffers.Offset {
  const offset = builder.endObject();
  builder.requiredField(offset, 22) // model
  return offset;
}

static finishCheckpointBuffer(builder:flatbuffers.Builder, offset:flatbuffers.Offset) {
  builder.finish(offset, 'LWCK');
}

static finishSizePrefixedCheckpointBuffer(builder:flatbuffers.Builder, offset:flatbuffers.Offset) {
  builder.finish(offset, 'LWCK', true);
}

}
