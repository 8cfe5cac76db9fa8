/** `saveCheckpoint` for runtimes with files. */

import { sep } from 'node:path'
import { withPath } from '../errors.js'
import { FileSink } from '../io/file/file-sink.js'
import type { Sink } from '../io/sink.js'
import { isStored, type StoredCheckpoint } from '../io/store.js'
import { givenOptions } from '../options.js'
import { pathOf } from '../path.js'
import { quote } from '../printable.js'
import type { Module, Optimizer } from '../state.js'
import { checkPlace } from './mistakes.js'
import {
  isSink,
  SAVE_OPTIONS,
  type SaveOptions,
  type SaveReport,
  writeCheckpoint,
  writeStored,
} from './write.js'

/**
 * Saves a model, and an optimizer if there is one, with the progress of the run. When the promise resolves, the
 * checkpoint is complete and survives a power cut. Until then, and if it rejects, the path holds what it held before,
 * at every instant.
 *
 * The file holds the state at the moment of the call, if the state dicts return synchronously; otherwise at the moment
 * when they have answered. A save copies the caller's arrays piece by piece while it runs. Await it before they change:
 * a change before the copy is CKPT_TENSOR_CHANGED, and nothing is saved.
 *
 * Missing folders are created. If the path is a symbolic link, the file that it names is replaced. The new file keeps
 * the mode of the replaced one, and its owner if that is permitted.
 *
 * @param to a path, a `file:` URL, a location in a store (`{ store, name }`), or a sink of another kind (`MemorySink`)
 * @throws CheckpointError CKPT_NOT_COMMITTED or CKPT_TENSOR_CHANGED (nothing was saved), or CKPT_NOT_DURABLE (the new
 *   file is in place, but a power cut may undo it); with a condition also CKPT_EXISTS or CKPT_FILE_CHANGED (nothing was
 *   saved)
 * @throws TypeError or RangeError if an argument is not a state dict or a file cannot hold it, with the name of the
 *   tensor or the path of the value; or the signal's reason
 */
export async function saveCheckpoint(
  to: string | URL | StoredCheckpoint | Sink,
  model: Module,
  optimizer?: Optimizer | null,
  options: SaveOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveCheckpoint', SAVE_OPTIONS, options)
  if (isSink(to)) return writeCheckpoint(to, model, optimizer, options)
  if (isStored(to)) return writeStored(to, model, optimizer, options)
  checkPlace(to, 'a path, a file: URL, a location in a store or a sink')
  const path = pathOf(to)
  if (path.endsWith('/') || path.endsWith(sep)) {
    throw new TypeError(`${quote(path)} names a folder: expected the path of a file`)
  }
  const { durable = true } = options
  const sink = new FileSink(path, { durable })
  try {
    return await writeCheckpoint(sink, model, optimizer, options)
  } catch (error) {
    throw withPath(error, path)
  }
}
