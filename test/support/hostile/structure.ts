/** Metadata that is no sound FlatBuffer, with checksums that fit: it was made so. */

import type { TablePatch } from '../format/patch.js'
import { type Fixture, refusedWith } from './fixture.js'
import { type Roomy, roomy } from './roomy.js'

/** Writes numbers of 16 bits into the room, and returns where. */
function vtable(patch: Roomy, ...numbers: number[]): number {
  for (const [i, number] of numbers.entries()) {
    patch.view.setUint16(patch.room + 2 * i, number, true)
  }
  return patch.room
}

function leadToVtable(patch: Roomy, table: TablePatch, at: number): void {
  patch.view.setInt32(table.at, table.at - at, true)
}

/** The entry of a field, as it is. */
function entryOf(patch: Roomy, table: TablePatch, field: string): number {
  return patch.view.getUint16(table.entry(field), true)
}

const offsets: readonly Fixture[] = [
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.offset', {
    'an offset of 0': roomy((p) => p.view.setUint32(p.root.position('model'), 0, true)),
    'an offset of 0 in a vector': roomy((p) =>
      p.view.setUint32(p.model.target('tensors') + 4, 0, true),
    ),
    'an offset of 2^31': roomy((p) => p.view.setUint32(p.root.position('model'), 2 ** 31, true)),
    'an offset backwards': roomy((p) => p.lead(p.root, 'model', p.root.at)),
    'an offset just beyond the metadata': roomy((p) => {
      const length = p.view.getUint32(p.root.position('metadata_length'), true)
      p.lead(p.root, 'model', length)
    }),
    'an offset into a segment': roomy((p) =>
      p.lead(p.root, 'model', Number(p.view.getBigUint64(p.tensor().position('offset'), true))),
    ),
    'a list that contains itself': roomy((p) => {
      const list = p.attribute('list')
      const first = list.target('list') + 4
      p.view.setUint32(first, list.at - first, true)
    }),
    'a map that contains itself': roomy((p) => {
      const value = p.attribute('map').tables('map')[0]!
      p.lead(value, 'value', p.attribute('map').at)
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.alignment', {
    'a table that is not aligned': roomy((p) => {
      const at = p.root.position('model')
      p.view.setUint32(at, p.view.getUint32(at, true) + 1, true)
    }),
    'a string that is not aligned': roomy((p) => p.lead(p.tensor(), 'name', p.room + 2)),
    'a vector that is not aligned': roomy((p) => p.lead(p.model, 'tensors', p.room + 1)),
    'a scalar that is not aligned': roomy((p) =>
      p.ownVtable(p.tensor(), { offset: entryOf(p, p.tensor(), 'offset') + 1 }),
    ),
    'a scalar of 8 bytes that is aligned to 4': roomy((p) =>
      p.ownVtable(p.tensor(), { byte_length: entryOf(p, p.tensor(), 'byte_length') + 4 }),
    ),
    'elements of 8 bytes behind a length that is aligned to 8': roomy((p) => {
      p.view.setUint32(p.room, 1, true)
      p.lead(p.tensor(), 'shape', p.room)
    }),
  }),
]

const tables: readonly Fixture[] = [
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.range', {
    'a vtable before the start': roomy((p) => leadToVtable(p, p.tensor(), -64)),
    'a vtable behind the end': roomy((p) => leadToVtable(p, p.tensor(), 2 ** 30)),
    'a vtable in the segments': roomy((p) => leadToVtable(p, p.tensor(), p.bytes.length - 8)),
    'a vtable that reaches beyond the end': roomy((p) =>
      leadToVtable(p, p.tensor(), vtable(p, 0x7ffe, 48)),
    ),
    'a table that reaches beyond the end': roomy((p) => {
      p.view.setUint16(p.ownVtable(p.tensor()) + 2, 0xfffc, true)
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.alignment', {
    'a vtable at an odd place': roomy((p) => leadToVtable(p, p.tensor(), p.room + 1)),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.vtable', {
    'a vtable without a length': roomy((p) => leadToVtable(p, p.tensor(), p.room)),
    'a vtable that is shorter than its head': roomy((p) =>
      leadToVtable(p, p.tensor(), vtable(p, 2, 48)),
    ),
    'a vtable of an odd length': roomy((p) => leadToVtable(p, p.tensor(), vtable(p, 17, 48))),
    'a vtable whose length is negative to the runtime': roomy((p) =>
      leadToVtable(p, p.tensor(), vtable(p, 0x8000, 48)),
    ),
    'a table that is its own vtable': roomy((p) => leadToVtable(p, p.tensor(), p.tensor().at)),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.table', {
    'a table that is shorter than its own head': roomy((p) => {
      p.view.setUint16(p.ownVtable(p.tensor()) + 2, 3, true)
    }),
    'a table without a length': roomy((p) => {
      p.view.setUint16(p.ownVtable(p.tensor()) + 2, 0, true)
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.field', {
    'a field beyond its table': roomy((p) => p.ownVtable(p.tensor(), { offset: 48 })),
    'a field that is cut by the end of its table': roomy((p) => {
      const own = p.ownVtable(p.tensor())
      const last = Math.max(
        ...Array.from({ length: 7 }, (_, i) => p.view.getUint16(own + 4 + 2 * i, true)),
      )
      p.view.setUint16(own + 2, last + 1, true)
    }),
    'a field over the offset of the vtable': roomy((p) => p.ownVtable(p.tensor(), { crc32: 2 })),
    'a field in front of its table, to the runtime': roomy((p) =>
      p.ownVtable(p.tensor(), { crc32: 0xfffc }),
    ),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.required', {
    'a file without a model': roomy((p) => p.root.drop('model')),
    'a state without a name': roomy((p) => p.ownVtable(p.model, { name: 0 })),
    'a state without tensors': roomy((p) => p.ownVtable(p.model, { tensors: 0 })),
    'a tensor without a name': roomy((p) => p.ownVtable(p.tensor(), { name: 0 })),
    'a tensor without a shape': roomy((p) => p.ownVtable(p.tensor(1), { shape: 0 })),
    'an attribute without a key': roomy((p) =>
      p.ownVtable(p.model.tables('attributes')[0]!, { key: 0 }),
    ),
    'an attribute without a value': roomy((p) =>
      p.ownVtable(p.model.tables('attributes')[0]!, { value: 0 }),
    ),
  }),
]

/** Writes the length of a vector. */
function lengthOf(table: (p: Roomy) => TablePatch, field: string, length: number) {
  return roomy((p) => p.view.setUint32(table(p).target(field), length, true))
}

const vectors: readonly Fixture[] = [
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.length', {
    '2^32 - 1 tensors': lengthOf((p) => p.model, 'tensors', 2 ** 32 - 1),
    '2^31 tensors': lengthOf((p) => p.model, 'tensors', 2 ** 31),
    '2^30 tensors, whose offsets take 2^32 bytes': lengthOf((p) => p.model, 'tensors', 2 ** 30),
    '2^29 dimensions, which take 2^32 bytes': lengthOf((p) => p.tensor(), 'shape', 2 ** 29),
    '2^32 - 1 dimensions': lengthOf((p) => p.tensor(), 'shape', 2 ** 32 - 1),
    'a name of 2^32 - 1 bytes': lengthOf((p) => p.tensor(), 'name', 2 ** 32 - 1),
    'a text of 2^31 bytes': lengthOf((p) => p.attribute('text'), 'text', 2 ** 31),
    '2^32 - 1 items of a list': lengthOf((p) => p.attribute('list'), 'list', 2 ** 32 - 1),
    '2^32 - 1 entries of a map': lengthOf((p) => p.attribute('map'), 'map', 2 ** 32 - 1),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.range', {
    '2^28 tensors in a file of 2 KiB': lengthOf((p) => p.model, 'tensors', 2 ** 28),
    'a name of a gigabyte in a file of 2 KiB': lengthOf((p) => p.tensor(), 'name', 2 ** 30),
    '2^27 dimensions in a file of 2 KiB': lengthOf((p) => p.tensor(), 'shape', 2 ** 27),
    'a string that ends with the metadata, without its zero': roomy((p) => {
      const end = p.view.getUint32(p.root.position('metadata_length'), true)
      const at = end - 8
      p.view.setUint32(at, 4, true)
      p.lead(p.tensor(), 'name', at)
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.string', {
    'a name that does not end with a zero': roomy((p) => {
      const at = p.tensor().target('name')
      p.bytes[at + 4 + p.view.getUint32(at, true)] = 0x21
    }),
    'a name that is a byte longer than it was': roomy((p) => {
      const at = p.attribute('text').target('text')
      p.view.setUint32(at, 3, true)
    }),
  }),
  ...refusedWith('CKPT_FLATBUFFER', 'flatbuffer.bool', {
    'a boolean of 2': roomy((p) => p.attribute('flag').set('boolean', 2)),
    'a boolean of 255': roomy((p) => p.attribute('flag').set('boolean', 255)),
  }),
]

export const structure: readonly Fixture[] = [...offsets, ...tables, ...vectors]
