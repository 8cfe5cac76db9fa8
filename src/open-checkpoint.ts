/**
 * From a source of bytes to an open checkpoint: the metadata is read into memory of our own (where
 * nobody changes it after it has been checked), verified in full, and decoded. No tensor is touched,
 * so the cost does not depend on their size.
 */

import { Checkpoint } from './checkpoint.js'
import { CheckpointError } from './error.js'
import { decode } from './format/decode.js'
import { verifyFlatBuffer } from './format/flatbuffer-verifier.js'
import { HEAD_LENGTH, metadataChecksum, readHead } from './format/head.js'
import { checkRules } from './format/rules.js'
import { schema } from './format/schema.js'
import type { Source } from './io/source.js'

export interface OpenOptions {
  /**
   * Whether a tensor's checksum is checked before its bytes are handed out (default true). The
   * metadata is verified in any case.
   */
  readonly verify?: boolean
}

/**
 * Opens a checkpoint and takes over its source, which is closed where that fails. Throws a
 * CheckpointError where the bytes are no whole and sound checkpoint.
 */
export async function openCheckpoint(
  source: Source,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  try {
    assertLittleEndian()
    const start = new Uint8Array(Math.min(HEAD_LENGTH, source.size))
    await source.read(start, 0)
    const head = readHead(start, source.size)
    let bytes = start.subarray(0, head.metadataLength)
    if (head.metadataLength > start.byteLength) {
      bytes = new Uint8Array(head.metadataLength)
      await source.read(bytes, 0)
    }
    const actual = metadataChecksum(bytes, head.crcOffset)
    if (actual !== head.metadataCrc32) {
      throw new CheckpointError(
        'CKPT_METADATA_CHECKSUM',
        'the metadata is damaged: its checksum does not fit',
        { expected: head.metadataCrc32, actual },
      )
    }
    verifyFlatBuffer(bytes, schema)
    const metadata = decode(bytes)
    return new Checkpoint(source, metadata, checkRules(metadata), options.verify ?? true)
  } catch (error) {
    source.close()
    throw error
  }
}

const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** The format is little-endian, and tensors are read and written in place. */
export function assertLittleEndian(): void {
  if (!LITTLE_ENDIAN) {
    throw new CheckpointError(
      'CKPT_BIG_ENDIAN',
      'checkpoints are little-endian, and this machine is big-endian',
    )
  }
}
