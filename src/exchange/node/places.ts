/** The places of foreign files, by path. Companion files are in the same folder. */

import { basename, dirname, sep } from 'node:path'
import { withPath } from '../../errors.js'
import { FileSink } from '../../io/file/file-sink.js'
import { FileSource, openFile } from '../../io/file/file-source.js'
import { httpAddress } from '../../io/http/http-source.js'
import { publicAddress } from '../../io/http/requests.js'
import type { Sink } from '../../io/sink.js'
import { isStored, type StoredCheckpoint } from '../../io/store.js'
import { fileIn, pathOf } from '../../path.js'
import { quote } from '../../printable.js'
import { isUrl } from '../../realm.js'
import { isSink } from '../../save/write.js'
import { type Bytes, inputPlace, outputPlace, type SiblingFiles, siblingName } from '../places.js'
import type { InputPlace, OutputPlace } from '../training.js'

/** Opens a caller's input: a path, a `file:` URL, an `https:` address, a location in a store, bytes or a Blob. */
export async function openInput(
  from: string | URL | StoredCheckpoint | Bytes,
  files?: SiblingFiles,
): Promise<InputPlace> {
  if ((typeof from !== 'string' && !isUrl(from)) || httpAddress(from) !== undefined) {
    return inputPlace(from, files)
  }
  const path = pathOf(from)
  const open = async (at: string): Promise<FileSource> => {
    try {
      return new FileSource(await openFile(at))
    } catch (error) {
      throw withPath(error, at)
    }
  }
  const source = await open(path)
  const sibling = (name: string): Promise<FileSource> =>
    open(fileIn(dirname(path), siblingName(name)))
  return { name: basename(path), source, sibling }
}

/** The output of a caller: a path, a `file:` URL, a location in a store or a sink. Creates nothing yet. */
export function outputAt(to: string | URL | StoredCheckpoint | Sink, durable = true): OutputPlace {
  if (isSink(to) || isStored(to)) return outputPlace(to)
  const path = pathOf(to)
  if (path.endsWith('/') || path.endsWith(sep)) {
    throw new TypeError(`${quote(path)} names a folder, and a file is written`)
  }
  return {
    name: basename(path),
    sink: new FileSink(path, { durable }),
    sibling: (name) => new FileSink(fileIn(dirname(path), siblingName(name)), { durable }),
  }
}

/** Runs work on a file, and puts the file's path in front of the errors' messages. */
export async function namingPath<T>(
  at: string | URL | Bytes | Sink | StoredCheckpoint,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (isStored(at)) throw withPath(error, at.store.locate(at.name))
    if (typeof at !== 'string' && !isUrl(at)) throw error
    const address = httpAddress(at)
    throw withPath(error, address === undefined ? pathOf(at) : publicAddress(address))
  }
}
