/** `loadCheckpoint` for runtimes with files: by path or address, or from bytes or a Blob. */

import { CheckpointError, warn, withPath } from '../errors.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { type CacheFolder, LocalCopies } from '../io/file/local-copies.js'
import { mapFile } from '../io/file/map-source.js'
import { httpAddress } from '../io/http/http-source.js'
import type { Source } from '../io/source.js'
import { isStored, type StoredCheckpoint } from '../io/store.js'
import { givenOptions, type OptionNames } from '../options.js'
import { pathOf } from '../path.js'
import { isUrl } from '../realm.js'
import { checksumHelpers } from '../threads/checksum-pool.js'
import type { Checkpoint } from './checkpoint.js'
import {
  LOAD_OPTIONS,
  type OpenOptions,
  openAddress,
  openBytes,
  openCheckpoint,
  openStored,
} from './open.js'

/** Options of `loadCheckpoint` for a file. */
export interface LoadOptions extends OpenOptions {
  /**
   * Whether the file may be mapped (default true). Without a map its bytes are read, with the same results. Choose that
   * for network file systems, and for files that other programs truncate in place.
   */
  readonly map?: boolean | undefined
  /**
   * A folder for local copies of remote files, of which the ones used last stay. The load then downloads the whole file,
   * unless a copy of this version is there, and opens the copy like any file. So a restore reads the network once, and
   * not at all the next time. It has no effect on files, bytes and Blobs.
   */
  readonly cache?: string | URL | CacheFolder | undefined
}

const OPTIONS: OptionNames<LoadOptions> = { ...LOAD_OPTIONS, cache: true }

/**
 * Opens a checkpoint. It reads and verifies the metadata, and maps the tensors without touching them, so that the cost
 * does not depend on their size. Close it with `await using`, or `close()`.
 *
 * @param from a path, a `file:` URL, an `https:` or `http:` address, a location in a store (`{ store, name }`), the
 * file's bytes (read in place: do not change them), or a Blob
 * @throws CheckpointError if the file cannot be read or is not a complete and valid checkpoint
 * @throws TypeError if `from` is none of these
 */
export async function loadCheckpoint(
  from: string | URL | StoredCheckpoint | Uint8Array | ArrayBuffer | Blob,
  options: LoadOptions = {},
): Promise<Checkpoint> {
  options = givenOptions('loadCheckpoint', OPTIONS, options)
  if (isStored(from)) return loadStored(from, options)
  if (typeof from !== 'string' && !isUrl(from)) {
    return openBytes(from, options, 'a path, a file: or https: URL, bytes or a Blob')
  }
  const address = httpAddress(from)
  if (address !== undefined)
    return openAddress(address, options, (source) => openRemote(source, options))
  return openNamed(pathOf(from), options)
}

/** Opens the checkpoint of a path, which errors name. */
async function openNamed(path: string, options: LoadOptions): Promise<Checkpoint> {
  try {
    return await openPath(path, options)
  } catch (error) {
    throw withPath(error, path)
  }
}

/** Opens a checkpoint of a store. A file is mapped, as for a path; a remote one may be copied into the cache. */
async function loadStored(from: StoredCheckpoint, options: LoadOptions): Promise<Checkpoint> {
  const { store, name, version } = from
  const path = store.fileOf?.(name)
  if (path === undefined) {
    return openStored(from, options, (source) => openRemote(source, options))
  }
  const checkpoint = await openNamed(path, options)
  // The version was there before the file was opened. If it is there still, it is what was opened.
  if (version === undefined || (await store.stat(name))?.version === version) return checkpoint
  checkpoint.close()
  throw new CheckpointError('CKPT_FILE_CHANGED', 'the file has been replaced or changed', {
    expected: version,
  }).withPath(path)
}

/** Opens the checkpoint of a path. Maps it if that is allowed and possible. */
async function openPath(path: string, options: LoadOptions): Promise<Checkpoint> {
  const file = await openFile(path)
  const mapped = options.map === false ? undefined : await mapFile(file, checksumHelpers)
  return openCheckpoint(mapped ?? new FileSource(file), options)
}

/** Opens the checkpoint of a source, or of its local copy if there is a cache. Takes ownership of the source. */
async function openRemote(source: Source, options: LoadOptions): Promise<Checkpoint> {
  if (options.cache === undefined) return openCheckpoint(source, options)
  const { identity } = source
  if (identity === undefined) {
    warn(
      'the server tells no versions of the file apart (by a strong ETag): it is read without `cache`',
    )
    return openCheckpoint(source, options)
  }
  try {
    const copies = new LocalCopies(options.cache)
    const kept = await copies.find(identity, source.size)
    if (kept !== undefined) {
      const checkpoint = await openValid(kept, options)
      if (checkpoint !== undefined) return checkpoint
      await copies.remove(identity)
    }
    return await openPath(await copies.make(source, identity), options)
  } finally {
    source.close()
  }
}

/**
 * Opens an older copy, if all of it is valid. Damage on this machine's disk must not pass for damage of the remote file,
 * which a manager would set aside.
 */
async function openValid(path: string, options: LoadOptions): Promise<Checkpoint | undefined> {
  let checkpoint: Checkpoint | undefined
  try {
    checkpoint = await openPath(path, options)
    if (options.verify !== false) await checkpoint.verify()
    return checkpoint
  } catch {
    checkpoint?.close()
    return undefined
  }
}
