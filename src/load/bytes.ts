/** Opens a checkpoint from what every platform has: bytes in memory, or a Blob. */

import { describe } from '../format/attributes.js'
import { BlobSource } from '../io/blob-source.js'
import { MemorySource } from '../io/memory-source.js'
import type { Checkpoint } from './checkpoint.js'
import { type OpenOptions, openCheckpoint } from './open.js'

/** `wanted` says in the TypeError what the caller could have given. */
export async function openBytes(
  from: Uint8Array | ArrayBuffer | Blob,
  options: OpenOptions,
  wanted: string,
): Promise<Checkpoint> {
  if (from instanceof Blob) return openCheckpoint(new BlobSource(from), options)
  if (from instanceof Uint8Array) return openCheckpoint(new MemorySource(from), options)
  if (from instanceof ArrayBuffer) {
    return openCheckpoint(new MemorySource(new Uint8Array(from)), options)
  }
  throw new TypeError(`a checkpoint is loaded from ${wanted}, not from ${describe(from)}`)
}
