// Generated from schema/checkpoint.fbs; do not edit: npm run gen
// @ts-nocheck

import * as flatbuffers from 'flatbuffers';

export class Metric {
  bb: flatbuffers.ByteBuffer|null = null;
  bb_pos = 0;
  __init(i:number, bb:flatbuffers.ByteBuffer):Metric {
  this.bb_pos = i;
  this.bb = bb;
  return this;
}

static getRootAsMetric(bb:flatbuffers.ByteBuffer, obj?:Metric):Metric {
  return (obj || new Metric()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

static getSizePrefixedRootAsMetric(bb:flatbuffers.ByteBuffer, obj?:Metric):Metric {
  bb.setPosition(bb.position() + flatbuffers.SIZE_PREFIX_LENGTH);
  return (obj || new Metric()).__init(bb.readInt32(bb.position()) + bb.position(), bb);
}

/**
 * Unique within the file.
 */
name():string|null
name(optionalEncoding:flatbuffers.Encoding):string|Uint8Array|null
name(optionalEncoding?:any):string|Uint8Array|null {
  const offset = this.bb!.__offset(this.bb_pos, 4);
  return offset ? this.bb!.__string(this.bb_pos + offset, optionalEncoding) : null;
}

/**
 * Always present.
 */
value():number|null {
  const offset = this.bb!.__offset(this.bb_pos, 6);
  return offset ? this.bb!.readFloat64(this.bb_pos + offset) : null;
}

static startMetric(builder:flatbuffers.Builder) {
  builder.startObject(2);
}

static addName(builder:flatbuffers.Builder, nameOffset:flatbuffers.Offset) {
  builder.addFieldOffset(0, nameOffset, 0);
}

static addValue(builder:flatbuffers.Builder, value:number) {
  builder.addFieldFloat64(1, value, null);
}

static endMetric(builder:flatbuffers.Builder):flatbuffers.Offset {
  const offset = builder.endObject();
  builder.requiredField(offset, 4) // name
  return offset;
}

static createMetric(builder:flatbuffers.Builder, nameOffset:flatbuffers.Offset, value:number|null):flatbuffers.Offset {
  Metric.startMetric(builder);
  Metric.addName(builder, nameOffset);
  if (value !== null)
    Metric.addValue(builder, value);
  return Metric.endMetric(builder);
}
}
