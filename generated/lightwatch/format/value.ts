// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

import * as flatbuffers from 'flatbuffers';

import { Entry } from '../../lightwatch/format/entry.js';
import { ValueKind } from '../../lightwatch/format/value-kind.js';


/**
 * A node of a tree of attributes. Exactly the field that its kind names is present.
 */
export class Value {
  bb: flatbuffers.ByteBuffer|null = null;
  bb_pos = 0;
  __init(i:number, bb:flatbuffers.ByteBuffer):Value {
  this.bb_pos = i;
  this.bb = bb;
  return this;
}

static getRootAsValue(bb:flatbuffers.ByteBuffer, obj?:Value):Value {
  return (obj || new Value()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

static getSizePrefixedRootAsValue(bb:flatbuffers.ByteBuffer, obj?:Value):Value {
  bb.setPosition(bb.position() + flatbuffers.SIZE_PREFIX_LENGTH);
  return (obj || new Value()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

kind():ValueKind {
  const offset = this.bb!.__offset(this.bb_pos, 4);
  return offset ? this.bb!.readUint8(this.bb_pos + offset) : ValueKind.Unknown;
}

boolean():boolean|null {
  const offset = this.bb!.__offset(this.bb_pos, 6);
  return offset ? !!this.bb!.readInt8(this.bb_pos + offset) : null;
}

integer():bigint|null {
  const offset = this.bb!.__offset(this.bb_pos, 8);
  return offset ? this.bb!.readInt64(this.bb_pos + offset) : null;
}

uinteger():bigint|null {
  const offset = this.bb!.__offset(this.bb_pos, 10);
  return offset ? this.bb!.readUint64(this.bb_pos + offset) : null;
}

/**
 * Any double, NaN, the infinities and -0 among them.
 */
number():number|null {
  const offset = this.bb!.__offset(this.bb_pos, 12);
  return offset ? this.bb!.readFloat64(this.bb_pos + offset) : null;
}

text():string|null
text(optionalEncoding:flatbuffers.Encoding):string|Uint8Array|null
text(optionalEncoding?:any):string|Uint8Array|null {
  const offset = this.bb!.__offset(this.bb_pos, 14);
  return offset ? this.bb!.__string(this.bb_pos + offset, optionalEncoding) : null;
}

list(index: number, obj?:Value):Value|null {
  const offset = this.bb!.__offset(this.bb_pos, 16);
  return offset ? (obj || new Value()).__init(this.bb!.__indirect(this.bb!.__vector(this.bb_pos + offset) + index * 4), this.bb!) : null;
}

listLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 16);
  return offset ? this.bb!.__vector_len(this.bb_pos + offset) : 0;
}

/**
 * Keys are unique; the order is the writer's.
 */
map(index: number, obj?:Entry):Entry|null {
  const offset = this.bb!.__offset(this.bb_pos, 18);
  return offset ? (obj || new Entry()).__init(this.bb!.__indirect(this.bb!.__vector(this.bb_pos + offset) + index * 4), this.bb!) : null;
}

mapLength():number {
  const offset = this.bb!.__offset(this.bb_pos, 18);
  return offset ? this.bb!.__vector_len(this.bb_pos + offset) : 0;
}

static startValue(builder:flatbuffers.Builder) {
  builder.startObject(8);
}

static addKind(builder:flatbuffers.Builder, kind:ValueKind) {
  builder.addFieldInt8(0, kind, ValueKind.Unknown);
}

static addBoolean(builder:flatbuffers.Builder, boolean:boolean) {
  builder.addFieldInt8(1, +boolean, null);
}

static addInteger(builder:flatbuffers.Builder, integer:bigint) {
  builder.addFieldInt64(2, integer, null);
}

static addUinteger(builder:flatbuffers.Builder, uinteger:bigint) {
  builder.addFieldInt64(3, uinteger, null);
}

static addNumber(builder:flatbuffers.Builder, number:number) {
  builder.addFieldFloat64(4, number, null);
}

static addText(builder:flatbuffers.Builder, textOffset:flatbuffers.Offset) {
  builder.addFieldOffset(5, textOffset, 0);
}

static addList(builder:flatbuffers.Builder, listOffset:flatbuffers.Offset) {
  builder.addFieldOffset(6, listOffset, 0);
}

static createListVector(builder:flatbuffers.Builder, data:flatbuffers.Offset[]):flatbuffers.Offset {
  builder.startVector(4, data.length, 4);
  for (let i = data.length - 1; i >= 0; i--) {
    builder.addOffset(data[i]!);
  }
  return builder.endVector();
}

static startListVector(builder:flatbuffers.Builder, numElems:number) {
  builder.startVector(4, numElems, 4);
}

static addMap(builder:flatbuffers.Builder, mapOffset:flatbuffers.Offset) {
  builder.addFieldOffset(7, mapOffset, 0);
}

static createMapVector(builder:flatbuffers.Builder, data:flatbuffers.Offset[]):flatbuffers.Offset {
  builder.startVector(4, data.length, 4);
  for (let i = data.length - 1; i >= 0; i--) {
    builder.addOffset(data[i]!);
  }
  return builder.endVector();
}

static startMapVector(builder:flatbuffers.Builder, numElems:number) {
  builder.startVector(4, numElems, 4);
}

static endValue(builder:flatbuffers.Builder):flatbuffers.Offset {
  const offset = builder.endObject();
  return offset;
}

static createValue(builder:flatbuffers.Builder, kind:ValueKind, boolean:boolean|null, integer:bigint|null, uinteger:bigint|null, number:number|null, textOffset:flatbuffers.Offset, listOffset:flatbuffers.Offset, mapOffset:flatbuffers.Offset):flatbuffers.Offset {
  Value.startValue(builder);
  Value.addKind(builder, kind);
  if (boolean !== null)
    Value.addBoolean(builder, boolean);
  if (integer !== null)
    Value.addInteger(builder, integer);
  if (uinteger !== null)
    Value.addUinteger(builder, uinteger);
  if (number !== null)
    Value.addNumber(builder, number);
  Value.addText(builder, textOffset);
  Value.addList(builder, listOffset);
  Value.addMap(builder, mapOffset);
  return Value.endValue(builder);
}
}
