/** The places of foreign files without paths: bytes, Blobs, sinks. */

import { CheckpointError } from '../errors.js'
import { describe } from '../format/attributes.js'
import { BlobSource } from '../io/blob-source.js'
import { MemorySource } from '../io/memory-source.js'
import type { Sink } from '../io/sink.js'
import type { Source } from '../io/source.js'
import { quote } from '../printable.js'
import { isMap, kindOf } from '../realm.js'
import { isSink } from '../save/write.js'
import { foreignFault, type InputPlace, type OutputPlace } from './training.js'

/** The bytes of a file, which the caller still owns and which are read in place, or a Blob. */
export type Bytes = Uint8Array | ArrayBuffer | Blob

/** Files in the same folder as the one that is read, by their names, as in an index of shards. */
export type SiblingFiles = { readonly [name: string]: Bytes } | ReadonlyMap<string, Bytes>

/** The place of a file. A File has a name; other inputs have none. Throws a TypeError. */
export function inputPlace(from: Bytes, siblings: SiblingFiles = {}): InputPlace {
  const files = isMap(siblings) ? siblings : new Map(Object.entries(siblings))
  return {
    name: (from as { readonly name?: string }).name ?? '',
    source: sourceOf(from),
    sibling: async (name) => {
      const file = files.get(siblingName(name))
      if (file === undefined) {
        throw new CheckpointError(
          'CKPT_READ',
          `the file ${quote(name)}, which the index names, was not given: pass it in \`files\``,
        )
      }
      return sourceOf(file)
    },
  }
}

function sourceOf(from: Bytes): Source {
  switch (kindOf(from)) {
    case 'Blob':
    case 'File':
      return new BlobSource(from as Blob)
    case 'Uint8Array':
      return new MemorySource(from as Uint8Array)
    case 'ArrayBuffer':
      return new MemorySource(new Uint8Array(from as ArrayBuffer))
  }
  throw new TypeError(`expected a file's bytes or a Blob, found ${describe(from)}`)
}

/** The name of a file in the same folder. Throws CKPT_FOREIGN_FILE, rule `sibling`, for a name that leads elsewhere. */
export function siblingName(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\:\0]/.test(name)) {
    throw foreignFault('sibling', `${quote(name)} does not name a file in the same folder`)
  }
  return name
}

/** A sink without companion files. Throws a TypeError for a value that is not a sink. */
export function outputPlace(to: Sink): OutputPlace {
  if (!isSink(to)) throw new TypeError(`expected a sink, found ${describe(to)}`)
  return {
    name: to.path ?? '',
    sink: to,
    sibling: (name) => {
      throw new TypeError(
        `a sink is one file, and ${quote(name)} would be another: write to a path`,
      )
    },
  }
}
