/** The metadata of a file by its path: unlike a Checkpoint it tells where each tensor lies. */

import { CheckpointError } from '../errors.js'
import type { Metadata } from '../format/metadata.js'
import { FileSource, openFile } from '../io/file/file-source.js'
import { readMetadata } from '../load/metadata.js'

/** Reads and checks the metadata of the file at `path`, and no tensor. Throws a CheckpointError. */
export async function fileMetadata(path: string): Promise<Metadata> {
  try {
    const source = new FileSource(await openFile(path))
    try {
      const { metadata } = await readMetadata(source)
      return metadata
    } finally {
      source.close()
    }
  } catch (error) {
    throw error instanceof CheckpointError ? error.withPath(path) : error
  }
}
