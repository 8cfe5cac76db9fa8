/**
 * Writes a ZIP archive of stored entries. Every length is known before the first byte is written, and the
 * CRC-32 of an entry when its last one is; headers are then patched in place. Entries have no time of their
 * own, so that the same contents make the same bytes. Entries and archives beyond 4 GiB are ZIP64.
 */

import { crc32 } from '../../format/checksum.js'
import type { FileContents, Part } from '../file-writer.js'
import type { ForeignTensor } from '../training.js'

/** An entry that is to be written: bytes at hand, and those of a tensor behind them. */
export interface ZipContents {
  readonly name: string
  readonly bytes: Uint8Array
  readonly tensor?: ForeignTensor | undefined
}

// 1980-01-01, the first day that ZIP knows.
const DATE = 0x21

// Names are UTF-8.
const FLAGS = 0x800

const WIDE = 0xffffffff

interface Placed extends ZipContents {
  readonly key: Uint8Array
  readonly size: number
  readonly offset: number
  /** Length of the local header with the name. */
  readonly headLength: number
  crc: number
}

/** The archive of the entries, for `writeFile`. */
export function zipFile(entries: Iterable<ZipContents>): FileContents {
  const encoder = new TextEncoder()
  const placed: Placed[] = []
  let offset = 0
  for (const entry of entries) {
    const key = encoder.encode(entry.name)
    const size = entry.bytes.byteLength + (entry.tensor?.byteLength ?? 0)
    const headLength = 30 + key.byteLength + (size >= WIDE ? 20 : 0)
    placed.push({ ...entry, key, size, offset, headLength, crc: crc32(entry.bytes) })
    offset += headLength + size
  }
  const start = offset
  let directoryLength = 0
  for (const entry of placed)
    directoryLength += 46 + entry.key.byteLength + wideFields(entry).length
  const isWide = placed.length >= 0xffff || start >= WIDE || directoryLength >= WIDE
  const length = start + directoryLength + (isWide ? 76 : 0) + 22
  return {
    length,
    parts: partsOf(placed, start, directoryLength, isWide),
    // The headers stood there without their checksums.
    patches: function* () {
      for (const entry of placed) yield { position: entry.offset, bytes: localHeader(entry) }
    },
  }
}

function* partsOf(
  placed: readonly Placed[],
  start: number,
  directoryLength: number,
  isWide: boolean,
): Generator<Part> {
  for (const entry of placed) {
    const { bytes, tensor } = entry
    yield { bytes: localHeader(entry) }
    yield { bytes }
    if (tensor === undefined) continue
    const onBytes = (piece: Uint8Array): void => {
      entry.crc = crc32(piece, entry.crc)
    }
    yield { tensor, onBytes }
  }
  for (const entry of placed) yield { bytes: directoryEntry(entry) }
  yield { bytes: endOf(placed.length, start, directoryLength, isWide) }
}

function localHeader({ key, size, headLength, crc }: Placed): Uint8Array {
  const bytes = new Uint8Array(headLength)
  const data = new DataView(bytes.buffer)
  const isWide = size >= WIDE
  data.setUint32(0, 0x04034b50, true)
  data.setUint16(4, isWide ? 45 : 20, true)
  data.setUint16(6, FLAGS, true)
  data.setUint16(12, DATE, true)
  data.setUint32(14, crc, true)
  data.setUint32(18, Math.min(size, WIDE), true)
  data.setUint32(22, Math.min(size, WIDE), true)
  data.setUint16(26, key.byteLength, true)
  data.setUint16(28, isWide ? 20 : 0, true)
  bytes.set(key, 30)
  if (isWide) setWide(data, 30 + key.byteLength, [size, size])
  return bytes
}

/** What does not fit into 32 bits, in the order that ZIP64 asks for. */
function wideFields({ size, offset }: Placed): {
  readonly values: number[]
  readonly length: number
} {
  const values = [...(size >= WIDE ? [size, size] : []), ...(offset >= WIDE ? [offset] : [])]
  return { values, length: values.length === 0 ? 0 : 4 + 8 * values.length }
}

function setWide(data: DataView, at: number, values: readonly number[]): void {
  data.setUint16(at, 1, true)
  data.setUint16(at + 2, 8 * values.length, true)
  for (const [i, value] of values.entries()) data.setBigUint64(at + 4 + 8 * i, BigInt(value), true)
}

function directoryEntry(entry: Placed): Uint8Array {
  const { key, size, offset, crc } = entry
  const wide = wideFields(entry)
  const bytes = new Uint8Array(46 + key.byteLength + wide.length)
  const data = new DataView(bytes.buffer)
  const version = wide.length > 0 ? 45 : 20
  data.setUint32(0, 0x02014b50, true)
  data.setUint16(4, version, true)
  data.setUint16(6, version, true)
  data.setUint16(8, FLAGS, true)
  data.setUint16(14, DATE, true)
  data.setUint32(16, crc, true)
  data.setUint32(20, Math.min(size, WIDE), true)
  data.setUint32(24, Math.min(size, WIDE), true)
  data.setUint16(28, key.byteLength, true)
  data.setUint16(30, wide.length, true)
  data.setUint32(42, Math.min(offset, WIDE), true)
  bytes.set(key, 46)
  if (wide.length > 0) setWide(data, 46 + key.byteLength, wide.values)
  return bytes
}

function endOf(count: number, start: number, length: number, isWide: boolean): Uint8Array {
  const bytes = new Uint8Array((isWide ? 76 : 0) + 22)
  const data = new DataView(bytes.buffer)
  if (isWide) {
    data.setUint32(0, 0x06064b50, true)
    data.setBigUint64(4, 44n, true)
    data.setUint16(12, 45, true)
    data.setUint16(14, 45, true)
    for (const [i, value] of [count, count, length, start].entries()) {
      data.setBigUint64(24 + 8 * i, BigInt(value), true)
    }
    data.setUint32(56, 0x07064b50, true)
    data.setBigUint64(64, BigInt(start + length), true)
    data.setUint32(72, 1, true)
  }
  const at = isWide ? 76 : 0
  data.setUint32(at, 0x06054b50, true)
  data.setUint16(at + 8, Math.min(count, 0xffff), true)
  data.setUint16(at + 10, Math.min(count, 0xffff), true)
  data.setUint32(at + 12, Math.min(length, WIDE), true)
  data.setUint32(at + 16, Math.min(start, WIDE), true)
  return bytes
}
