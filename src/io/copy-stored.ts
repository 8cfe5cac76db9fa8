/** Copies a file from one store to another, as the same bytes. */

import { withPath } from '../errors.js'
import { piecesOf } from './pieces.js'
import type { Durability } from './sink.js'
import type { CheckpointStore, StoredFile } from './store.js'

// Bytes of a piece. The first piece is written last, as the metadata of a save is.
const PIECE = 4 * 1024 * 1024

/** A file that could not be read from the store that it is copied from; `cause` is the error. */
export class UnreadableOriginError extends Error {}

/**
 * Copies the file that is listed as `file` to the same name in `to`, and commits it there. What was there before is
 * there until the commit.
 *
 * @throws UnreadableOriginError if the file cannot be read, or has been replaced; otherwise the error of `to`
 */
export async function copyStored(
  from: CheckpointStore,
  { name, version, byteLength }: StoredFile,
  to: CheckpointStore,
): Promise<Durability> {
  const source = await reading(from, name, () => from.open(name, { version }))
  const sink = to.sink(name)
  try {
    await sink.begin(byteLength)
    const first = Math.min(PIECE, byteLength)
    const pieces = piecesOf(
      source,
      [
        { start: first, end: byteLength },
        { start: 0, end: first },
      ],
      {
        length: PIECE,
      },
    )
    let position = first
    try {
      const next = () => reading(from, name, () => pieces.next())
      for (let piece = await next(); !piece.done; piece = await next()) {
        if (position === byteLength) position = 0
        const { bytes } = piece.value
        await sink.write(bytes, position)
        position += bytes.byteLength
      }
    } finally {
      await pieces.return(undefined)
    }
    await sink.sync()
    await reading(from, name, () => source.checkUnchanged())
    return await sink.commit()
  } catch (error) {
    await sink.abort()
    throw error instanceof UnreadableOriginError ? error : withPath(error, to.locate(name))
  } finally {
    source.close()
  }
}

async function reading<T>(from: CheckpointStore, name: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (cause) {
    const error = withPath(cause, from.locate(name)) as Error
    throw new UnreadableOriginError(error.message, { cause })
  }
}
