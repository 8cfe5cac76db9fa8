/**
 * What an attacker does after changing a file: makes its lengths and checksums fit again. Takes
 * buffers that are broken in any way, and leaves alone what cannot be found in them.
 */

import { crc32 } from 'node:zlib'
import { fieldOf } from '../../../src/format/schema.js'
import type { Site } from './anatomy.js'
import type { Seed } from './mutator.js'

const METADATA_LENGTH = fieldOf('Checkpoint', 'metadata_length').slot
const METADATA_CRC32 = fieldOf('Checkpoint', 'metadata_crc32').slot
const FILE_LENGTH = fieldOf('Checkpoint', 'file_length').slot

/** Position of a scalar field of the root table, or -1. */
export function rootField(view: DataView, slot: number, size: number): number {
  const length = view.byteLength
  if (length < 12) return -1
  const root = view.getUint32(0, true)
  if (root > length - 4) return -1
  const vtable = root - view.getInt32(root, true)
  if (vtable < 0 || vtable > length - 4) return -1
  if (slot + 2 > view.getUint16(vtable, true) || vtable + slot + 2 > length) return -1
  const at = root + view.getUint16(vtable + slot, true)
  return at + size <= length ? at : -1
}

/** Makes `file_length` the length of the bytes. */
export function fixFileLength(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = rootField(view, FILE_LENGTH, 8)
  if (at !== -1) view.setBigUint64(at, BigInt(bytes.byteLength), true)
}

/** What the metadata says of the file's length; undefined where it says nothing. */
export function declaredLength(bytes: Uint8Array): bigint | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = rootField(view, FILE_LENGTH, 8)
  return at === -1 ? undefined : view.getBigUint64(at, true)
}

/** Makes `metadata_length` at most `limit`, and returns it; 0 where there is none. */
export function limitMetadataLength(bytes: Uint8Array, limit: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = rootField(view, METADATA_LENGTH, 4)
  if (at === -1) return 0
  const length = view.getUint32(at, true) % (limit + 1)
  view.setUint32(at, length, true)
  return length
}

/** Makes `metadata_crc32` fit the metadata. */
export function fixMetadataChecksum(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const at = rootField(view, METADATA_CRC32, 4)
  const lengthAt = rootField(view, METADATA_LENGTH, 4)
  if (at === -1 || lengthAt === -1) return
  const length = view.getUint32(lengthAt, true)
  if (length > bytes.byteLength || at + 4 > length) return
  view.setUint32(at, 0, true)
  view.setUint32(at, crc32(bytes.subarray(0, length)), true)
}

/** The tensors of a seed: where their tables are. One that leaves out its length or checksum is not listed. */
export function tensorsOf(seed: Seed): readonly TensorSites[] {
  const view = new DataView(seed.bytes.buffer, seed.bytes.byteOffset, seed.bytes.byteLength)
  const at = (table: number, name: string): number | undefined => {
    const vtable = table - view.getInt32(table, true)
    const { slot } = fieldOf('Tensor', name)
    const entry = slot < view.getUint16(vtable, true) ? view.getUint16(vtable + slot, true) : 0
    return entry === 0 ? undefined : table + entry
  }
  return (seed.anatomy.places.get('table Tensor') ?? []).flatMap((table) => {
    const [crc32, offset, byteLength] = ['crc32', 'offset', 'byte_length'].map((name) =>
      at(table, name),
    )
    if (crc32 === undefined || offset === undefined || byteLength === undefined) return []
    return {
      crc32,
      offset: Number(view.getBigUint64(offset, true)),
      byteLength: Number(view.getBigUint64(byteLength, true)),
    }
  })
}

export interface TensorSites {
  /** Position of the checksum. */
  readonly crc32: Site['at']
  /** Of the segment, where it was in the seed. */
  readonly offset: number
  readonly byteLength: number
}

/** Makes the checksums of the tensors fit their segments, at the places where these were. */
export function fixTensorChecksums(bytes: Uint8Array, tensors: readonly TensorSites[]): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (const { crc32: at, offset, byteLength } of tensors) {
    if (at + 4 > bytes.byteLength) continue
    view.setUint32(at, crc32(bytes.subarray(offset, offset + byteLength)), true)
  }
}
