/** Opens a checkpoint from bytes of any kind. Imports no module of Node. */

import { withPath } from '../errors.js'
import { describe } from '../format/attributes.js'
import { BlobSource } from '../io/blob-source.js'
import { openHttp } from '../io/http/http-source.js'
import { publicAddress } from '../io/http/requests.js'
import { MemorySource } from '../io/memory-source.js'
import { ReadAheadSource } from '../io/read-ahead-source.js'
import type { Source } from '../io/source.js'
import type { StoredCheckpoint } from '../io/store.js'
import type { OptionNames } from '../options.js'
import { kindOf } from '../realm.js'
import { Checkpoint } from './checkpoint.js'
import { readMetadata } from './metadata.js'

/** Options for opening a checkpoint from any kind of source. */
export interface OpenOptions {
  /**
   * Whether a tensor's checksum is verified before its bytes are handed out (default true). The metadata is always
   * verified.
   */
  readonly verify?: boolean | undefined
  /**
   * Headers of each request for a checkpoint on a server, such as `authorization`. After a redirect to another origin
   * they are not sent. A browser, which follows by itself, leaves out `authorization` alone.
   */
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/** The names of the options of a load; `map` has an effect on files only, `headers` on servers only. */
export const LOAD_OPTIONS: OptionNames<OpenOptions & { readonly map?: boolean }> = {
  verify: true,
  headers: true,
  map: true,
}

/**
 * Opens a checkpoint and takes ownership of its source, which is closed on failure. Throws a CheckpointError if the
 * bytes are not a complete and valid checkpoint.
 */
export async function openCheckpoint(
  source: Source,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  try {
    const { metadata, segments } = await readMetadata(source)
    // Memory needs no read-ahead, and a server is asked for no more bytes than are needed.
    const direct = source.kind === 'memory' || source.longestRead !== undefined
    const read = direct ? source : new ReadAheadSource(source)
    return new Checkpoint(read, metadata, segments, options.verify ?? true)
  } catch (error) {
    source.close()
    throw error
  }
}

/**
 * Opens a checkpoint on a server by `open`. Throws what `openHttp` and `open` throw, with the address as the path.
 */
export async function openAddress(
  url: URL,
  options: OpenOptions,
  open: (source: Source) => Promise<Checkpoint> = (source) => openCheckpoint(source, options),
): Promise<Checkpoint> {
  try {
    return await open(await openHttp(url, options.headers))
  } catch (error) {
    throw withPath(error, publicAddress(url))
  }
}

/**
 * Opens a checkpoint of a store by `open`. Throws what `CheckpointStore.open` and `open` throw, with the location as the
 * path.
 */
export async function openStored(
  { store, name, version }: StoredCheckpoint,
  options: OpenOptions,
  open: (source: Source) => Promise<Checkpoint> = (source) => openCheckpoint(source, options),
): Promise<Checkpoint> {
  try {
    return await open(await store.open(name, { version }))
  } catch (error) {
    throw withPath(error, store.locate(name))
  }
}

/**
 * Opens a checkpoint from bytes or a Blob, which every platform has. Bytes stay the caller's and are read in place.
 * `wanted` is for the TypeError: what the caller could have given.
 */
export async function openBytes(
  from: Uint8Array | ArrayBuffer | Blob,
  options: OpenOptions,
  wanted: string,
): Promise<Checkpoint> {
  // By its tag: a value of another realm (a test runner's, a `node:vm` context's) is not an instance.
  switch (kindOf(from)) {
    case 'Blob':
    case 'File':
      return openCheckpoint(new BlobSource(from as Blob), options)
    case 'Uint8Array':
      return openCheckpoint(new MemorySource(from as Uint8Array), options)
    case 'ArrayBuffer':
      return openCheckpoint(new MemorySource(new Uint8Array(from as ArrayBuffer)), options)
  }
  const found = `expected ${wanted} to load from, found ${describe(from)}`
  throw new TypeError(`${found}${bytesRemedy(from)}`)
}

/** How to get bytes or a Blob from what was passed instead; empty if unknown. */
function bytesRemedy(value: unknown): string {
  if (typeof value !== 'object' || value === null) return ''
  if ('getFile' in value) return ': pass await handle.getFile()'
  if ('blob' in value) return ': pass await response.blob()'
  if (ArrayBuffer.isView(value)) {
    return ': pass new Uint8Array(view.buffer, view.byteOffset, view.byteLength)'
  }
  if ('byteLength' in value) return ': pass new Uint8Array(buffer)'
  return ''
}
