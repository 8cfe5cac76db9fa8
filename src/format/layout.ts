/**
 * The layout of a file: the metadata first, then one segment for each distinct tensor. The positions follow from the
 * lengths alone, so a writer and a reader compute the same ones.
 *
 * All arithmetic is on doubles, because bit operators would wrap at 2 GiB.
 */

import { FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT } from '../../generated/limits.js'

export { FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT }

/** Where the segments of a file lie, and how long the file is. */
export interface Layout {
  /** Position of each segment, in bytes from the start of the file. */
  readonly offsets: readonly number[]
  /** Length of the file in bytes. */
  readonly fileLength: number
}

/** The position of a segment, in bytes, if what precedes it ends at `end`. */
export function segmentStart(end: number): number {
  return Math.ceil((end + LENGTH_BYTES) / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT
}

/** Lays out segments of these lengths, in bytes, after metadata of `metadataLength` bytes. */
export function planLayout(metadataLength: number, segmentLengths: readonly number[]): Layout {
  const offsets: number[] = []
  let end = metadataLength
  for (const length of segmentLengths) {
    const offset = segmentStart(end)
    offsets.push(offset)
    end = offset + length
  }
  return { offsets, fileLength: end }
}

/** Whether a file of this length is one plain FlatBuffer, in which tensors are FlatBuffers vectors as well. */
export function isPlainFlatBuffer(fileLength: number): boolean {
  return fileLength < FLATBUFFER_LIMIT
}

/**
 * The bytes of the gap before a segment. They are zeros, except that the last four hold the segment's length if the
 * file is a plain FlatBuffer.
 */
export function gapBytes(gapLength: number, segmentLength: number, plain: boolean): Uint8Array {
  const gap = new Uint8Array(gapLength)
  if (plain) new DataView(gap.buffer).setUint32(gapLength - LENGTH_BYTES, segmentLength, true)
  return gap
}
