/**
 * Writes a ZIP archive of stored entries. Every length is known before the first byte is written. The CRC-32 of a long
 * entry is known when its last byte has been read, unless its reader knows it; its header is then written last. Entries
 * have no time of their own, so that the same contents make the same bytes. Entries and archives beyond 4 GiB are ZIP64.
 */

import { crc32 } from '../../format/checksum.js'
import { combineCrc32 } from '../../format/checksum-combine.js'
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

// Bytes from which a tensor is not read before its header is written: the header is then a write of its own.
const LONG = 256 * 1024

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
    patches: function* () {
      for (const entry of placed) {
        if (isSummedLater(entry)) yield { position: entry.offset, bytes: localHeader(entry) }
      }
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
    if (tensor !== undefined && !isSummedLater(entry) && tensor.crc32 === undefined) {
      yield { bytes: () => wholeEntry(entry, tensor) }
      continue
    }
    if (tensor?.crc32 !== undefined) {
      entry.crc = combineCrc32(entry.crc, tensor.crc32, tensor.byteLength)
    }
    yield isSummedLater(entry) ? { hole: entry.headLength } : { bytes: localHeader(entry) }
    yield { bytes }
    if (tensor === undefined) continue
    if (!isSummedLater(entry)) {
      yield { tensor }
      continue
    }
    const onChecksum = (checksum: number): void => {
      entry.crc = combineCrc32(entry.crc, checksum, tensor.byteLength)
    }
    yield { tensor, onChecksum }
  }
  for (const entry of placed) yield { bytes: () => directoryEntry(entry) }
  yield { bytes: endOf(placed.length, start, directoryLength, isWide) }
}

/** Whether the checksum, which stands before the contents, is only known when they have been read. */
function isSummedLater({ tensor }: Placed): boolean {
  return tensor !== undefined && tensor.crc32 === undefined && tensor.byteLength >= LONG
}

/** A short entry, with its header. */
async function wholeEntry(entry: Placed, tensor: ForeignTensor): Promise<Uint8Array> {
  const { headLength, bytes, size } = entry
  const whole = new Uint8Array(headLength + size)
  whole.set(bytes, headLength)
  await tensor.readInto(whole.subarray(headLength + bytes.byteLength))
  entry.crc = crc32(whole.subarray(headLength))
  whole.set(localHeader(entry))
  return whole
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
