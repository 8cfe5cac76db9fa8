/**
 * Reads the metadata of a source. It copies the bytes into memory of the library's own, which no other code changes
 * after verification, verifies them in full, and decodes them. It touches no tensor, so the cost does not depend on
 * their size.
 */

import { CheckpointError } from '../errors.js'
import { decode, decodeProgress } from '../format/decode.js'
import { verifyFlatBuffer } from '../format/flatbuffer-verifier.js'
import { HEAD_LENGTH, metadataChecksum, readHead } from '../format/head.js'
import type { Metadata, Progress } from '../format/metadata.js'
import { checkRules } from '../format/rules.js'
import { schema } from '../format/schema.js'
import type { SegmentTable } from '../format/segment-table.js'
import type { Source } from '../io/source.js'

/** The whole metadata and the file's segments. Every rule of the format has been validated. */
export async function readMetadata(
  source: Source,
): Promise<{ metadata: Metadata; segments: SegmentTable }> {
  const metadata = decode(await readVerified(source))
  return { metadata, segments: checkRules(metadata) }
}

/** The progress alone. The FlatBuffer and the progress are valid; the tensors' rules are not validated. */
export async function readProgress(source: Source): Promise<Progress> {
  return decodeProgress(await readVerified(source))
}

async function readVerified(source: Source): Promise<Uint8Array> {
  assertLittleEndian()
  const start = new Uint8Array(Math.min(HEAD_LENGTH, source.size))
  await source.read(start, 0)
  const head = readHead(start, source.size)
  let bytes = start.subarray(0, head.metadataLength)
  if (head.metadataLength > start.byteLength) {
    // The start is not read again, because another process could have changed it.
    bytes = new Uint8Array(head.metadataLength)
    bytes.set(start)
    await source.read(bytes.subarray(start.byteLength), start.byteLength)
  }
  const actual = metadataChecksum(bytes, head.crcOffset)
  if (actual !== head.metadataCrc32) {
    throw new CheckpointError(
      'CKPT_METADATA_CHECKSUM',
      'the metadata is damaged: checksum mismatch',
      { expected: head.metadataCrc32, actual },
    )
  }
  verifyFlatBuffer(bytes, schema)
  return bytes
}

/** Throws CKPT_BIG_ENDIAN on a big-endian machine: the format is little-endian, and tensors are read in place. */
export function assertLittleEndian(): void {
  if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) {
    throw new CheckpointError(
      'CKPT_BIG_ENDIAN',
      'expected a little-endian machine, as checkpoints are little-endian; found a big-endian one',
    )
  }
}
