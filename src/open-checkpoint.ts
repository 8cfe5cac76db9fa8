/** From a source of bytes to an open checkpoint. */

import { Checkpoint } from './checkpoint.js'
import type { Source } from './io/source.js'
import { readMetadata } from './read-metadata.js'

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
    return new Checkpoint(source, metadata, segments, options.verify ?? true)
  } catch (error) {
    source.close()
    throw error
  }
}
