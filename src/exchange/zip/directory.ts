/** The directory at the end of a ZIP archive: found, read and validated before any entry is. */

import type { Source } from '../../io/source.js'
import { quote } from '../../printable.js'
import { foreignFault } from '../training.js'

// Longest directory, in bytes: 100 bytes for each of a million tensors.
const MAX_DIRECTORY = 128 * 1024 * 1024

// The longest comment after the end record, and the record itself.
const MAX_TAIL = 22 + 65535

// Deflate makes at most 258 bytes from 2 bits, so 1032 from one byte.
const MAX_RATIO = 1032

/** The first bytes of the end record, as a number. */
export const END = 0x06054b50
const END_64 = 0x06064b50
const LOCATOR_64 = 0x07064b50
const ENTRY = 0x02014b50
/** The first bytes of a local header, as a number. */
export const LOCAL = 0x04034b50

const STORED = 0
const DEFLATED = 8

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** An entry of the directory. */
export interface ZipEntry {
  readonly name: string
  /** Length of the contents, in bytes. */
  readonly size: number
  /** Length in the file, in bytes; the same for a stored entry. */
  readonly compressedSize: number
  readonly isStored: boolean
  readonly crc32: number
  /** Position of its local header, from the start of the file. */
  readonly headerOffset: number
}

/** A validated directory. */
export interface ZipDirectory {
  /** By name, in the order of the directory. */
  readonly entries: ReadonlyMap<string, ZipEntry>
  /** For each entry, the start of the next one, or of the directory. */
  readonly limits: ReadonlyMap<ZipEntry, number>
}

/** Reads the directory of an archive and validates it. Throws CKPT_FOREIGN_FILE, `zip.*`. */
export async function openDirectory(source: Source): Promise<ZipDirectory> {
  const { start, length, count } = await findDirectory(source)
  if (length > MAX_DIRECTORY) {
    throw foreignFault('zip.directory', `the archive's directory has ${length} bytes`, {
      expected: MAX_DIRECTORY,
      actual: length,
    })
  }
  const directory = new Uint8Array(length)
  await source.read(directory, start)
  const entries = readDirectory(directory, count)
  return { entries, limits: limitsOf(entries, start) }
}

/** Reads the local header of an entry and returns the position of its bytes. Throws CKPT_FOREIGN_FILE, `zip.*`. */
export async function locate(source: Source, entry: ZipEntry, limit: number): Promise<number> {
  const { headerOffset, compressedSize, name } = entry
  const header = new Uint8Array(30)
  await source.read(header, headerOffset)
  const data = view(header)
  const nameLength = data.getUint16(26, true)
  const start = headerOffset + 30 + nameLength + data.getUint16(28, true)
  if (data.getUint32(0, true) !== LOCAL) {
    throw foreignFault('zip.local', `${quote(name)} does not begin where the directory says`, {
      offset: headerOffset,
    })
  }
  if (start + compressedSize > limit) throw overlaps(entry, limit)
  const local = new Uint8Array(nameLength)
  await source.read(local, headerOffset + 30)
  if (nameOf(local) !== name || data.getUint16(8, true) !== (entry.isStored ? STORED : DEFLATED)) {
    throw foreignFault('zip.local', `${quote(name)} is another entry by its own header`, {
      offset: headerOffset,
    })
  }
  return start
}

/** The bytes as numbers. */
export function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** A uint64 of the file. A number that is not a safe integer cannot be a length in it. */
function uint64(data: DataView, at: number): number {
  return Number(data.getBigUint64(at, true))
}

async function findDirectory(
  source: Source,
): Promise<{ start: number; length: number; count: number }> {
  const tail = new Uint8Array(Math.min(MAX_TAIL, source.size))
  const tailStart = source.size - tail.byteLength
  await source.read(tail, tailStart)
  const data = view(tail)
  let at = tail.byteLength - 22
  // The comment must end at the end of the file, so that the end record is unambiguous.
  for (; at >= 0; at--) {
    if (data.getUint32(at, true) === END && at + 22 + data.getUint16(at + 20, true) === tail.length)
      break
  }
  if (at < 0)
    throw foreignFault('zip.end', 'the archive has no end: it was cut off, or is not a ZIP file')
  if (data.getUint16(at + 4, true) !== data.getUint16(at + 6, true)) {
    throw foreignFault('zip.volumes', 'the archive is in several volumes')
  }
  let count = data.getUint16(at + 10, true)
  let length = data.getUint32(at + 12, true)
  let start = data.getUint32(at + 16, true)
  let end = tailStart + at
  // PyTorch always writes the 64-bit records, between the directory and the end.
  const is64 =
    count === 0xffff || length === 0xffffffff || start === 0xffffffff || start + length !== end
  if (is64 && end >= 20) {
    const locator = new Uint8Array(20)
    await source.read(locator, end - 20)
    if (view(locator).getUint32(0, true) === LOCATOR_64) {
      const at64 = uint64(view(locator), 8)
      const record = new Uint8Array(56)
      if (!Number.isSafeInteger(at64) || at64 + 56 > end - 20) throw badDirectory(at64, end)
      await source.read(record, at64)
      const data64 = view(record)
      if (data64.getUint32(0, true) !== END_64) throw badDirectory(at64, end)
      count = uint64(data64, 32)
      length = uint64(data64, 40)
      start = uint64(data64, 48)
      end = at64
    }
  }
  // Bytes before the first entry would shift every offset, and no entry owns them.
  if (!Number.isSafeInteger(start + length) || start + length !== end)
    throw badDirectory(start + length, end)
  if (count * 46 > length) {
    throw foreignFault(
      'zip.directory',
      `expected a directory that holds its ${count} entries, found ${length} bytes`,
    )
  }
  return { start, length, count }
}

function badDirectory(actual: number, expected: number): Error {
  return foreignFault('zip.directory', 'the directory does not lie before the end of the archive', {
    expected,
    actual,
  })
}

function readDirectory(directory: Uint8Array, count: number): ReadonlyMap<string, ZipEntry> {
  const data = view(directory)
  const entries = new Map<string, ZipEntry>()
  let at = 0
  for (let i = 0; i < count; i++) {
    if (at + 46 > directory.length || data.getUint32(at, true) !== ENTRY) throw cutShort(at)
    const nameLength = data.getUint16(at + 28, true)
    const extraLength = data.getUint16(at + 30, true)
    const next = at + 46 + nameLength + extraLength + data.getUint16(at + 32, true)
    if (next > directory.length) throw cutShort(at)
    const name = nameOf(directory.subarray(at + 46, at + 46 + nameLength))
    if (entries.has(name)) throw foreignFault('zip.unique', `the archive has ${quote(name)} twice`)
    entries.set(name, entryAt(data, at, name, at + 46 + nameLength, extraLength))
    at = next
  }
  if (at !== directory.length) throw cutShort(at)
  return entries
}

function cutShort(offset: number): Error {
  return foreignFault('zip.directory', 'an entry of the directory does not lie within it', {
    offset,
  })
}

function nameOf(bytes: Uint8Array): string {
  try {
    const name = decoder.decode(bytes)
    if (name !== '' && !name.includes('\0')) return name
  } catch {
    // Reported below.
  }
  throw foreignFault('zip.name', 'the name of an entry is empty, contains U+0000, or is not UTF-8')
}

function entryAt(
  data: DataView,
  at: number,
  name: string,
  extraAt: number,
  extraLength: number,
): ZipEntry {
  const flags = data.getUint16(at + 8, true)
  const method = data.getUint16(at + 10, true)
  if ((flags & 0x2041) !== 0) throw foreignFault('zip.encrypted', `${quote(name)} is encrypted`)
  if (method !== STORED && method !== DEFLATED) {
    throw foreignFault(
      'zip.method',
      `${quote(name)} is compressed by method ${method}: expected stored or deflated`,
      {
        actual: method,
      },
    )
  }
  const wide = extra64(data, extraAt, extraLength)
  // In this order; each is present only if its field in the entry is all ones.
  const take = (value: number): number => {
    if (value !== 0xffffffff || wide === undefined) return value
    if (wide.at + 8 > wide.end) throw foreignFault('zip.size', `${quote(name)} has no 64-bit size`)
    wide.at += 8
    return uint64(data, wide.at - 8)
  }
  const size = take(data.getUint32(at + 24, true))
  const compressedSize = take(data.getUint32(at + 20, true))
  const headerOffset = take(data.getUint32(at + 42, true))
  const isStored = method === STORED
  for (const value of [size, compressedSize, headerOffset]) {
    if (!Number.isSafeInteger(value))
      throw foreignFault('zip.size', `${quote(name)} has no possible size or place`)
  }
  if (isStored ? size !== compressedSize : size > compressedSize * MAX_RATIO) {
    throw foreignFault(
      'zip.size',
      `${quote(name)} cannot have ${size} bytes: its ${compressedSize} do not make as many`,
      {
        expected: isStored ? compressedSize : compressedSize * MAX_RATIO,
        actual: size,
      },
    )
  }
  return {
    name,
    size,
    compressedSize,
    isStored,
    crc32: data.getUint32(at + 16, true),
    headerOffset,
  }
}

/** Position of the 64-bit lengths of an entry, if it has them. */
function extra64(
  data: DataView,
  start: number,
  length: number,
): { at: number; end: number } | undefined {
  for (let at = start; at + 4 <= start + length; ) {
    const end = at + 4 + data.getUint16(at + 2, true)
    if (end > start + length) return undefined
    if (data.getUint16(at, true) === 1) return { at: at + 4, end }
    at = end
  }
  return undefined
}

/** The limit of each entry: the next entry, or the directory. Entries that overlap are refused. */
function limitsOf(
  entries: ReadonlyMap<string, ZipEntry>,
  directoryStart: number,
): ReadonlyMap<ZipEntry, number> {
  const sorted = [...entries.values()].sort((a, b) => a.headerOffset - b.headerOffset)
  const limits = new Map<ZipEntry, number>()
  for (const [i, entry] of sorted.entries()) {
    const limit = sorted[i + 1]?.headerOffset ?? directoryStart
    if (entry.headerOffset + 30 + entry.compressedSize > limit) throw overlaps(entry, limit)
    limits.set(entry, limit)
  }
  return limits
}

function overlaps({ name, headerOffset }: ZipEntry, limit: number): Error {
  return foreignFault(
    'zip.overlap',
    `${quote(name)} reaches beyond byte ${limit}, where something else begins`,
    {
      offset: headerOffset,
      expected: limit,
    },
  )
}
