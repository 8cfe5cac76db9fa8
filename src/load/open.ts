/** From a source of bytes to an open checkpoint. */

import { ReadAheadSource } from '../io/read-ahead-source.js'
import type { Source } from '../io/source.js'
import { Checkpoint } from './checkpoint.js'
import { readMetadata } from './metadata.js'

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
    const { metadata, segments } = await readMetadata(source)
    // A source that has its bytes at hand needs none of them in advance.
    const inPlace = source.peek(0, 0) !== undefined
    const read = inPlace ? source : new ReadAheadSource(source)
    return new Checkpoint(read, metadata, segments, options.verify ?? true)
  } catch (error) {
    source.close()
    throw error
  }
}
