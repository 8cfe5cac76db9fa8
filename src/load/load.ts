/** `loadCheckpoint` where there are files: by path, or from bytes or a Blob. */

import { fileURLToPath } from 'node:url'
import { CheckpointError } from '../errors.js'
import { describe } from '../format/attributes.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { mapFile } from '../io/file/map-source.js'
import { openBytes } from './bytes.js'
import type { Checkpoint } from './checkpoint.js'
import { type OpenOptions, openCheckpoint } from './open.js'

export interface LoadOptions extends OpenOptions {
  /**
   * Whether the file may be mapped (default true). Without a map its bytes are read, with the same
   * results: right for network file systems, and for files that others truncate in place.
   */
  readonly map?: boolean
}

/**
 * Opens a checkpoint: reads and verifies its metadata, and maps the tensors without touching them,
 * so that the cost does not depend on their size. Close it with `await using`, or `close()`.
 *
 * @param from a path, a `file:` URL, the file's bytes (read in place: leave them alone), or a Blob
 * @throws CheckpointError where the file cannot be read or is no whole and sound checkpoint
 * @throws TypeError where `from` is none of these
 */
export async function loadCheckpoint(
  from: string | URL | Uint8Array | ArrayBuffer | Blob,
  options: LoadOptions = {},
): Promise<Checkpoint> {
  if (typeof from !== 'string' && !(from instanceof URL)) {
    return openBytes(from, options, 'a path, a file: URL, bytes or a Blob')
  }
  const path = pathOf(from)
  try {
    const file = await openFile(path)
    const mapped = options.map === false ? undefined : await mapFile(file)
    return await openCheckpoint(mapped ?? new FileSource(file), options)
  } catch (error) {
    throw error instanceof CheckpointError ? error.withPath(path) : error
  }
}

/** The path that a caller named. Throws a TypeError for what names none. */
export function pathOf(path: string | URL): string {
  if (path instanceof URL) {
    if (path.protocol !== 'file:') throw new TypeError(`not a file: URL: ${path.href}`)
    return fileURLToPath(path)
  }
  if (typeof path !== 'string') {
    throw new TypeError(`a path must be a string or a file: URL, not ${describe(path)}`)
  }
  if (path === '' || path.includes('\0')) {
    throw new TypeError('a path must not be empty or contain U+0000')
  }
  return path
}
