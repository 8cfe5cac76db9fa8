/** `loadCheckpoint` for runtimes with files: by path or address, or from bytes or a Blob. */

import { withPath } from '../errors.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { mapFile } from '../io/file/map-source.js'
import { httpAddress } from '../io/http/http-source.js'
import { givenOptions } from '../options.js'
import { pathOf } from '../path.js'
import { isUrl } from '../realm.js'
import { checksumHelpers } from '../threads/checksum-pool.js'
import type { Checkpoint } from './checkpoint.js'
import { LOAD_OPTIONS, type OpenOptions, openAddress, openBytes, openCheckpoint } from './open.js'

/** Options of `loadCheckpoint` for a file. */
export interface LoadOptions extends OpenOptions {
  /**
   * Whether the file may be mapped (default true). Without a map its bytes are read, with the same results. Choose that
   * for network file systems, and for files that other programs truncate in place.
   */
  readonly map?: boolean | undefined
}

/**
 * Opens a checkpoint. It reads and verifies the metadata, and maps the tensors without touching them, so that the cost
 * does not depend on their size. Close it with `await using`, or `close()`.
 *
 * @param from a path, a `file:` URL, an `https:` or `http:` address, the file's bytes (read in place: do not change
 * them), or a Blob
 * @throws CheckpointError if the file cannot be read or is not a complete and valid checkpoint
 * @throws TypeError if `from` is none of these
 */
export async function loadCheckpoint(
  from: string | URL | Uint8Array | ArrayBuffer | Blob,
  options: LoadOptions = {},
): Promise<Checkpoint> {
  options = givenOptions('loadCheckpoint', LOAD_OPTIONS, options)
  if (typeof from !== 'string' && !isUrl(from)) {
    return openBytes(from, options, 'a path, a file: or https: URL, bytes or a Blob')
  }
  const address = httpAddress(from)
  if (address !== undefined) return openAddress(address, options)
  const path = pathOf(from)
  try {
    const file = await openFile(path)
    const mapped = options.map === false ? undefined : await mapFile(file, checksumHelpers)
    return await openCheckpoint(mapped ?? new FileSource(file), options)
  } catch (error) {
    throw withPath(error, path)
  }
}
