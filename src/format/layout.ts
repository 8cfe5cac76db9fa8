/**
 * Where everything lies in a file: the metadata first, then one segment per distinct tensor. The
 * positions follow from the lengths alone, so a writer and a reader come to the same ones.
 *
 * All arithmetic is on doubles: bit operators would wrap at 2 GiB.
 */

import { FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT } from '../../generated/limits.js'

export { FLATBUFFER_LIMIT, LENGTH_BYTES, SEGMENT_ALIGNMENT }

export interface Layout {
  /** Position of each segment, in bytes from the start of the file. */
  readonly offsets: readonly number[]
  /** Length of the file in bytes. */
  readonly fileLength: number
}

/** Where a segment starts when what stands before it ends at `end`. */
export function segmentStart(end: number): number {
  return Math.ceil((end + LENGTH_BYTES) / SEGMENT_ALIGNMENT) * SEGMENT_ALIGNMENT
}

/** Lays out segments of these lengths, in bytes, behind metadata of that length. */
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

/** Whether the tensors of a file of this length are FlatBuffers vectors as well. */
export function isPlainFlatBuffer(fileLength: number): boolean {
  return fileLength < FLATBUFFER_LIMIT
}

/**
 * The bytes between the end of what stands before a segment and its start: zeros, and in the last
 * four the segment's length where the file is a plain FlatBuffer.
 */
export function gapBytes(gapLength: number, segmentLength: number, plain: boolean): Uint8Array {
  const gap = new Uint8Array(gapLength)
  if (plain) new DataView(gap.buffer).setUint32(gapLength - LENGTH_BYTES, segmentLength, true)
  return gap
}
