/**
 * The entry for browsers and their workers, where there are no paths. It has the same functions and types as the entry
 * for Node. A path is a TypeError that says what to pass instead.
 */

import { describe } from './format/attributes.js'
import { httpAddress } from './io/http/http-source.js'
import type { Sink } from './io/sink.js'
import { isStored, type StoredCheckpoint } from './io/store.js'
import type { Checkpoint } from './load/checkpoint.js'
import { LOAD_OPTIONS, type OpenOptions, openAddress, openBytes, openStored } from './load/open.js'
import { givenOptions } from './options.js'
import { isUrl } from './realm.js'
import { checkPlace } from './save/mistakes.js'
import {
  isSink,
  SAVE_OPTIONS,
  type SaveOptions,
  type SaveReport,
  writeCheckpoint,
  writeStored,
} from './save/write.js'
import type { Module, Optimizer } from './state.js'

export * from './public.js'

/**
 * Opens a checkpoint from its bytes, from a Blob (a File, a fetched Blob, `handle.getFile()`), from an `https:` or
 * `http:` address, by range requests, or from a location in a store (`{ store, name }`). The bytes stay the caller's,
 * and must not change until the checkpoint is closed. Throws a CheckpointError if they are not a valid checkpoint, and a
 * TypeError for a path.
 */
export async function loadCheckpoint(
  from: string | URL | StoredCheckpoint | Uint8Array | ArrayBuffer | Blob,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  options = givenOptions('loadCheckpoint', LOAD_OPTIONS, options)
  if (isStored(from)) return openStored(from, options)
  const address = typeof from === 'string' || isUrl(from) ? httpAddress(from) : undefined
  if (address !== undefined) return openAddress(address, options)
  const given = from as Uint8Array | ArrayBuffer | Blob
  return openBytes(given, options, 'bytes, a Blob or an https: URL (there are no paths here)')
}

/**
 * Saves to a sink: a FileHandleSink for a file of the browser, or a MemorySink for bytes to put anywhere; or to a
 * location in a store (`{ store, name }`). Throws what the sink throws, and a TypeError for a path.
 */
export async function saveCheckpoint(
  to: Sink | StoredCheckpoint,
  model: Module,
  optimizer?: Optimizer | null,
  options: SaveOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveCheckpoint', SAVE_OPTIONS, options)
  if (isStored(to)) return writeStored(to, model, optimizer, options)
  if (!isSink(to)) {
    checkPlace(to, 'a sink')
    throw new TypeError(
      'expected a sink, as there are no paths here (new FileHandleSink(handle), ' +
        `new MemorySink()), found ${describe(to)}`,
    )
  }
  return writeCheckpoint(to, model, optimizer, options)
}
