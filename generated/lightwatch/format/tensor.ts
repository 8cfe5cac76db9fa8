// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

import * as flatbuffers from 'flatbuffers';

import { DType } from '../../lightwatch/format/dtype.js';


export class Tensor {
  bb: flatbuffers.ByteBuffer|null = null;
  bb_pos = 0;
  __init(i:number, bb:flatbuffers.ByteBuffer):Tensor {
  this.bb_pos = i;
  this.bb = bb;
  return this;
}

static getRootAsTensor(bb:flatbuffers.ByteBuffer, obj?:Tensor):Tensor {
  return (obj || new Tensor()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

static getSizePrefixedRootAsTensor(bb:flatbuffers.ByteBuffer, obj?:Tensor):Tensor {
  bb.setPosition(bb.position() + flatbuffers.SIZE_PREFIX_LENGTH);
  return (obj || new Tensor()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

/**
 * The key in the state dict: unique within its state, at least one character, without U+0000.
 */
name():string|null
name(optionalEncoding:flatbuffers.Encoding):string|Uint8Array|null
name(optionalEncoding?:any):string|Uint8Array|null {
  const offset = this.bb!.__offset(this.bb_pos, 4);
  return offset ? this.bb!.__string(this.bb_pos + offset, optionalEncoding) : null;
}

dtype():DType {
  const offset = this.bb!.__offset(this.bb_pos, 6);
  return offset ? this.bb!.readUint8(this.bb_pos + offset) : DType.unknown;
}

/**
 * Length of each dimension in elements, outermost first. Empty for a scalar.
 */
shape(index: number):bigint|null {
  const offset = this.bb!.__offset(this.bb_pos, 8);
  return offset ? this.bb!.readUint64(this.bb!.__vector(this.bb_pos + offset) + index * 8) : BigInt(0);
}

shapeLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 8);
  return offset ? this.bb!.__vector_len(this.bb_pos + offset) : 0;
}

/**
 * Position of the segment, in bytes from the start of the file; a multiple of 64.
 */
offset():bigint {
  const offset = this.bb!.__offset(this.bb_pos, 10);
  return offset ? this.bb!.readUint64(this.bb_pos + offset) : BigInt('0');
}

/**
 * Length of the segment in bytes: the product of `shape` times the size of an element.
 */
byteLength():bigint {
  const offset = this.bb!.__offset(this.bb_pos, 12);
  return offset ? this.bb!.readUint64(this.bb_pos + offset) : BigInt('0');
}

/**
 * CRC-32 of the segment (0 for an empty one).
 */
crc32():number {
  const offset = this.bb!.__offset(this.bb_pos, 14);
  return offset ? this.bb!.readUint32(this.bb_pos + offset) : 0;
}

/**
 * The bytes of `offset` and `byte_length` as an ordinary vector. Present in all tensors of a file of
 * less than 2^31 - 1 bytes, and in none of a longer one.
 */
data(index: number):number|null {
  const offset = this.bb!.__offset(this.bb_pos, 16);
  return offset ? this.bb!.readUint8(this.bb!.__vector(this.bb_pos + offset) + index) : 0;
}

dataLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 16);
  return offset ? this.bb!.__vector_len(this.bb_pos + offset) : 0;
}

dataArray():Uint8Array|null {
  const offset = this.bb!.__offset(this.bb_pos, 16);
  return offset ? new Uint8Array(this.bb!.bytes().buffer, this.bb!.bytes().byteOffset + this.bb!.__vector(this.bb_pos + offset), this.bb!.__vector_len(this.bb_pos + offset)) : null;
}

static startTensor(builder:flatbuffers.Builder) {
  builder.startObject(7);
}

static addName(builder:flatbuffers.Builder, nameOffset:flatbuffers.Offset) {
  builder.addFieldOffset(0, nameOffset, 0);
}

static addDtype(builder:flatbuffers.Builder, dtype:DType) {
  builder.addFieldInt8(1, dtype, DType.unknown);
}

static addShape(builder:flatbuffers.Builder, shapeOffset:flatbuffers.Offset) {
  builder.addFieldOffset(2, shapeOffset, 0);
}

static createShapeVector(builder:flatbuffers.Builder, data:bigint[]):flatbuffers.Offset {
  builder.startVector(8, data.length, 8);
  for (let i = data.length - 1; i >= 0; i--) {
    builder.addInt64(data[i]!);
  }
  return builder.endVector();
}

static startShapeVector(builder:flatbuffers.Builder, numElems:number) {
  builder.startVector(8, numElems, 8);
}

static addOffset(builder:flatbuffers.Builder, offset:bigint) {
  builder.addFieldInt64(3, offset, BigInt('0'));
}

static addByteLength(builder:flatbuffers.Builder, byteLength:bigint) {
  builder.addFieldInt64(4, byteLength, BigInt('0'));
}

static addCrc32(builder:flatbuffers.Builder, crc32:number) {
  builder.addFieldInt32(5, crc32, 0);
}

static addData(builder:flatbuffers.Builder, dataOffset:flatbuffers.Offset) {
  builder.addFieldOffset(6, dataOffset, 0);
}

static createDataVector(builder:flatbuffers.Builder, data:number[]|Uint8Array):flatbuffers.Offset {
  builder.startVector(1, data.length, 1);
  for (let i = data.length - 1; i >= 0; i--) {
    builder.addInt8(data[i]!);
  }
  return builder.endVector();
}

static startDataVector(builder:flatbuffers.Builder, numElems:number) {
  builder.startVector(1, numElems, 1);
}

static endTensor(builder:flatbuffers.Builder):flatbuffers.Offset {
  const offset = builder.endObject();
  builder.requiredField(offset, 4) // name
  builder.requiredField(offset, 8) // shape
  return offset;
}

static createTensor(builder:flatbuffers.Builder, nameOffset:flatbuffers.Offset, dtype:DType, shapeOffset:flatbuffers.Offset, offset:bigint, byteLength:bigint, crc32:number, dataOffset:flatbuffers.Offset):flatbuffers.Offset {
  Tensor.startTensor(builder);
  Tensor.addName(builder, nameOffset);
  Tensor.addDtype(builder, dtype);
  Tensor.addShape(builder, shapeOffset);
  Tensor.addOffset(builder, offset);
  Tensor.addByteLength(builder, byteLength);
  Tensor.addCrc32(builder, crc32);
  Tensor.addData(builder, dataOffset);
  return Tensor.endTensor(builder);
}
}
