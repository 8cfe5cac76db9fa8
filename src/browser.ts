/**
 * The library where there are no paths: browsers, and workers in them. The same functions as the
 * entry for Node, and the same types; a path is a TypeError here that says what to pass instead.
 */

import { describe } from './format/attributes.js'
import type { Sink } from './io/sink.js'
import type { Checkpoint } from './load/checkpoint.js'
import { LOAD_OPTIONS, type OpenOptions, openBytes } from './load/open.js'
import { givenOptions } from './options.js'
import { checkPlace } from './save/mistakes.js'
import {
  isSink,
  SAVE_OPTIONS,
  type SaveOptions,
  type SaveReport,
  writeCheckpoint,
} from './save/write.js'
import type { Module, Optimizer } from './state.js'

export * from './public.js'

/** Opens a checkpoint from its bytes, or a Blob (a File, a fetched one, `handle.getFile()`). */
export async function loadCheckpoint(
  from: Uint8Array | ArrayBuffer | Blob,
  options: OpenOptions = {},
): Promise<Checkpoint> {
  options = givenOptions('loadCheckpoint', LOAD_OPTIONS, options)
  return openBytes(from, options, 'bytes or a Blob where there are no paths')
}

/** Saves to a sink: a FileHandleSink, or a MemorySink for bytes to put anywhere. */
export async function saveCheckpoint(
  to: Sink,
  model: Module,
  optimizer?: Optimizer | null,
  options: SaveOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveCheckpoint', SAVE_OPTIONS, options)
  if (!isSink(to)) {
    checkPlace(to, 'a sink')
    throw new TypeError(
      'where there are no paths, a checkpoint is saved to a sink (new FileHandleSink(handle), ' +
        `new MemorySink()), not to ${describe(to)}`,
    )
  }
  return writeCheckpoint(to, model, optimizer, options)
}
