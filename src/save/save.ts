/** `saveCheckpoint` where there are files. */

import { sep } from 'node:path'
import { withPath } from '../errors.js'
import { FileSink } from '../io/file/file-sink.js'
import type { Sink } from '../io/sink.js'
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
} from './write.js'

/**
 * Saves a model, and an optimizer if there is one, with the progress of the run. When the promise
 * resolves, the checkpoint is complete and survives a power cut; until then, and if it rejects, the
 * path holds what it held before, at every instant.
 *
 * The file holds the state at the moment of the call, if the state dicts are at hand then; otherwise at
 * the moment at which they are. Their arrays are copied piece by piece while the save runs, so await it
 * before they are changed again: a change before the copy is an error, CKPT_TENSOR_CHANGED, and nothing is
 * saved.
 *
 * Missing folders are created. A symbolic link is followed: the file that it names is replaced. The
 * mode of a file that is replaced is kept, and its owner where that is permitted.
 *
 * @param to a path, a `file:` URL, or a sink of another kind (`MemorySink`)
 * @throws CheckpointError CKPT_NOT_COMMITTED, CKPT_TENSOR_CHANGED (nothing was saved), or
 *   CKPT_NOT_DURABLE (the new file is there, and a power cut may undo it)
 * @throws TypeError or RangeError, with the name of the tensor or the path of the value, for what is
 *   no state dict or cannot be held; or the signal's reason
 */
export async function saveCheckpoint(
  to: string | URL | Sink,
  model: Module,
  optimizer?: Optimizer | null,
  options: SaveOptions = {},
): Promise<SaveReport> {
  options = givenOptions('saveCheckpoint', SAVE_OPTIONS, options)
  if (isSink(to)) return writeCheckpoint(to, model, optimizer, options)
  checkPlace(to, 'a path, a file: URL or a sink')
  const path = pathOf(to)
  if (path.endsWith('/') || path.endsWith(sep)) {
    throw new TypeError(`${quote(path)} names a folder, and a checkpoint is a file`)
  }
  const { durable = true } = options
  const sink = new FileSink(path, { durable })
  try {
    return await writeCheckpoint(sink, model, optimizer, options)
  } catch (error) {
    throw withPath(error, path)
  }
}
