/**
 * What every reader has to say of a valid file, worked out of what was to be saved in it: nothing here
 * reads the file, except for the length of its metadata, on which the positions of tensors depend.
 */

import { crc32 } from 'node:zlib'
import type { Golden, GoldenState } from '../golden/v1.js'
import {
  checksumText,
  doubleBits,
  type FileReport,
  hex,
  MAX_REPORTED_BYTES,
  type ReportedState,
  reportedAttributes,
  reportedMetrics,
} from './report.js'

/** The first multiple of 64 that leaves room for a length of four bytes behind `end`. */
export function segmentOffset(end: number): number {
  const behind = end + 4
  return behind + ((64 - (behind % 64)) % 64)
}

export function statesOf({ model, optimizer, extras }: Golden): readonly GoldenState[] {
  return optimizer === null ? [model, ...extras] : [model, optimizer, ...extras]
}

/** Where each memory's segment lies, and where the file ends, behind metadata of a length. */
export function placeSegments(
  golden: Golden,
  metadataLength: number,
): { offsets: ReadonlyMap<Uint8Array, number>; fileLength: number } {
  const offsets = new Map<Uint8Array, number>()
  let end = metadataLength
  for (const { tensors } of statesOf(golden)) {
    for (const { bytes } of tensors) {
      // The same array twice is one memory under two names.
      if (offsets.has(bytes)) continue
      const offset = segmentOffset(end)
      offsets.set(bytes, offset)
      end = offset + bytes.byteLength
    }
  }
  return { offsets, fileLength: end }
}

/** The report of a file that holds `golden` behind metadata of `metadataLength` bytes. */
export function expectedReport(golden: Golden, metadataLength: number): FileReport {
  const { offsets, fileLength } = placeSegments(golden, metadataLength)
  const { epoch, step, loss, metrics, config } = golden
  return {
    version: 1,
    metadata_length: metadataLength,
    file_length: fileLength,
    epoch,
    step,
    loss: loss === null ? null : doubleBits(loss),
    metrics: reportedMetrics(metrics),
    config,
    sequence: golden.sequence ?? null,
    saved_at: golden.savedAt ?? null,
    states: statesOf(golden).map(expectedState),
  }

  function expectedState({ name, kind, attributes, tensors }: GoldenState): ReportedState {
    return {
      name,
      kind,
      attributes: reportedAttributes(attributes),
      tensors: tensors.map(({ name, dtype, shape, bytes }) => ({
        name,
        dtype,
        shape: shape.map(String),
        offset: String(offsets.get(bytes)),
        byte_length: String(bytes.byteLength),
        crc32: checksumText(crc32(bytes)),
        bytes: bytes.byteLength <= MAX_REPORTED_BYTES ? hex(bytes) : null,
      })),
    }
  }
}
