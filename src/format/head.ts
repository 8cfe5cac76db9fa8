/**
 * The head of a file: whether it is a checkpoint, in a known version, and as long as it says. Reading it needs only the
 * first few kilobytes and trusts none of them. It comes before everything else, because a newer version may give other
 * fields another meaning. (Builders write the root last, which puts it first in the file. It takes about a hundred
 * bytes.)
 */

import {
  FLATBUFFER_LIMIT,
  FORMAT_VERSION,
  HEAD_LENGTH,
  MIN_BUFFER_LENGTH,
} from '../../generated/limits.js'
import { CheckpointError } from '../errors.js'
import { quote } from '../printable.js'
import { crc32 } from './checksum.js'
import { fieldOf, schema } from './schema.js'

export { FORMAT_VERSION, HEAD_LENGTH }

const VERSION = fieldOf('Checkpoint', 'version').slot
const METADATA_LENGTH = fieldOf('Checkpoint', 'metadata_length').slot
const METADATA_CRC32 = fieldOf('Checkpoint', 'metadata_crc32').slot
const FILE_LENGTH = fieldOf('Checkpoint', 'file_length').slot

/** What the start of a file says about the whole file, before the rest of the metadata is read. */
export interface Head {
  readonly version: number
  /** In bytes. */
  readonly metadataLength: number
  /** CRC-32 of the metadata, with the checksum's own four bytes taken as zero. */
  readonly metadataCrc32: number
  /** Position of the checksum, in bytes. */
  readonly crcOffset: number
  /** In bytes. */
  readonly fileLength: number
}

/**
 * Reads the head of a file of `fileLength` bytes. `start` holds its first HEAD_LENGTH bytes, or all of them if it is
 * shorter. Throws CKPT_NOT_A_CHECKPOINT, CKPT_VERSION, CKPT_FILE_LENGTH or CKPT_FORMAT.
 */
export function readHead(start: Uint8Array, fileLength: number): Head {
  checkIdentifier(start, fileLength)
  if (fileLength < MIN_BUFFER_LENGTH) {
    throw new CheckpointError(
      'CKPT_FILE_LENGTH',
      `the file was cut short: it begins like a checkpoint, but ends after ${fileLength} bytes`,
      { actual: fileLength },
    )
  }
  const head = start.subarray(0, HEAD_LENGTH)
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  const within = (at: number, length: number): boolean => at + length <= head.length

  // An inconsistent head means a file that was cut short, if the file is short; otherwise a damaged one.
  const bad = (what: string, offset: number): CheckpointError =>
    fileLength < HEAD_LENGTH
      ? new CheckpointError(
          'CKPT_FILE_LENGTH',
          `the file was cut short or is damaged: ${what} does not lie within its ${fileLength} bytes`,
          { rule: 'head', offset, actual: fileLength },
        )
      : new CheckpointError(
          'CKPT_FORMAT',
          `${what} does not lie within the first ${HEAD_LENGTH} bytes of the file`,
          { rule: 'head', offset },
        )

  const root = view.getUint32(0, true)
  if (root < 8 || root % 4 !== 0 || !within(root, 4)) throw bad('the root table', 0)
  const vtable = root - view.getInt32(root, true)
  if (vtable < 8 || vtable % 2 !== 0 || !within(vtable, 4)) throw bad('its vtable', root)
  const vtableLength = view.getUint16(vtable, true)
  if (!within(vtable, vtableLength)) throw bad('its vtable', vtable)

  /** Position of a field of the root table. */
  const position = (slot: number, size: number, name: string): number => {
    const entry = slot + 2 <= vtableLength ? view.getUint16(vtable + slot, true) : 0
    const at = root + entry
    if (entry < 4 || at % size !== 0) {
      throw new CheckpointError('CKPT_FORMAT', `the root table has no ${name}`, {
        rule: 'head',
        offset: root,
      })
    }
    if (!within(at, size)) throw bad(name, vtable + slot)
    return at
  }

  const version = view.getUint32(position(VERSION, 4, 'version'), true)
  if (version > FORMAT_VERSION) {
    throw new CheckpointError(
      'CKPT_VERSION',
      `the file has format version ${version}, and this library reads up to version ` +
        `${FORMAT_VERSION}: update lightwatch-checkpoint`,
      { expected: FORMAT_VERSION, actual: version },
    )
  }
  if (version === 0) {
    throw new CheckpointError(
      'CKPT_FORMAT',
      'the file has format version 0, which does not exist',
      {
        rule: 'version',
        actual: version,
      },
    )
  }

  const declared = view.getBigUint64(position(FILE_LENGTH, 8, 'file_length'), true)
  if (declared !== BigInt(fileLength)) {
    const how = declared > BigInt(fileLength) ? 'was cut short' : 'has something appended to it'
    throw new CheckpointError(
      'CKPT_FILE_LENGTH',
      `the file ${how}: expected ${declared} bytes, as it says itself, found ${fileLength}`,
      { expected: Number(declared), actual: fileLength },
    )
  }

  const metadataLength = view.getUint32(position(METADATA_LENGTH, 4, 'metadata_length'), true)
  // The verifier would refuse longer metadata too, but only after all of it had been read.
  const longest = Math.min(fileLength, FLATBUFFER_LIMIT - 1)
  if (metadataLength < MIN_BUFFER_LENGTH || metadataLength > longest) {
    throw new CheckpointError(
      'CKPT_FORMAT',
      `the metadata claims ${metadataLength} bytes, in a file of ${fileLength} bytes`,
      { rule: 'metadata_length', expected: longest, actual: metadataLength },
    )
  }
  const crcOffset = position(METADATA_CRC32, 4, 'metadata_crc32')
  const metadataCrc32 = view.getUint32(crcOffset, true)
  if (crcOffset + 4 > metadataLength) {
    throw new CheckpointError(
      'CKPT_FORMAT',
      'the checksum of the metadata lies outside the metadata',
      {
        rule: 'metadata_length',
        offset: crcOffset,
      },
    )
  }
  return { version, metadataLength, metadataCrc32, crcOffset, fileLength }
}

/** CRC-32 of metadata, with the four bytes at `crcOffset` taken as zero. */
export function metadataChecksum(metadata: Uint8Array, crcOffset: number): number {
  let crc = crc32(metadata.subarray(0, crcOffset))
  crc = crc32(new Uint8Array(4), crc)
  return crc32(metadata.subarray(crcOffset + 4), crc)
}

function checkIdentifier(start: Uint8Array, fileLength: number): void {
  const identifier = String.fromCharCode(...start.subarray(4, 8))
  if (identifier === schema.identifier) return
  throw new CheckpointError(
    'CKPT_NOT_A_CHECKPOINT',
    `not a .ckpt file: ${looksLike(start, fileLength)}`,
    {
      offset: 4,
      expected: schema.identifier,
      actual: identifier,
    },
  )
}

/** Guesses from its first bytes what a file is that is not a checkpoint. */
function looksLike(start: Uint8Array, fileLength: number): string {
  if (fileLength === 0) return 'the file is empty'
  // Safetensors comes first: the length of its header can begin like any other format, but its upper bytes are 0.
  if (start[8] === 0x7b && start[6] === 0 && start[7] === 0) {
    return 'it looks like a safetensors file'
  }
  if (start[0] === 0x50 && start[1] === 0x4b) {
    return 'it is a zip archive (PyTorch and NumPy save these)'
  }
  if (start[0] === 0x80 && start[1]! >= 2 && start[1]! <= 5) return 'it looks like a Python pickle'
  if (start[0] === 0x89 && start[1] === 0x48 && start[4] === 0x0d && start[5] === 0x0a) {
    return 'it looks like an HDF5 file'
  }
  if (start[0] === 0x7b || start[0] === 0x5b) return 'it looks like JSON'
  if (start[0] === 0x1f && start[1] === 0x8b) return 'it is compressed by gzip: decompress it first'
  const text = String.fromCharCode(...start.subarray(0, 64))
    .trimStart()
    .toLowerCase()
  if (text.startsWith('version https://git-lfs')) {
    return 'it is a Git LFS pointer, not the file itself: fetch that by `git lfs pull`'
  }
  if (text.startsWith('<!doctype html') || text.startsWith('<html')) {
    return 'it is an HTML page: most likely what a server answered in place of the file'
  }
  return `expected ${schema.identifier} at byte 4, found ${quote(String.fromCharCode(...start.subarray(4, 8)))}`
}
