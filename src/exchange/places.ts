/** The places of foreign files without paths: bytes, Blobs, addresses, stores, sinks. */

import { CheckpointError, withPath } from '../errors.js'
import { describe } from '../format/attributes.js'
import { BlobSource } from '../io/blob-source.js'
import { httpAddress, openHttp } from '../io/http/http-source.js'
import { publicAddress } from '../io/http/requests.js'
import { MemorySource } from '../io/memory-source.js'
import type { Sink } from '../io/sink.js'
import type { Source } from '../io/source.js'
import { isStored, type StoredCheckpoint } from '../io/store.js'
import { quote } from '../printable.js'
import { isMap, isUrl, kindOf } from '../realm.js'
import { isSink } from '../save/write.js'
import { foreignFault, type InputPlace, type OutputPlace } from './training.js'

/** The bytes of a file, which the caller still owns and which are read in place, or a Blob. */
export type Bytes = Uint8Array | ArrayBuffer | Blob

/** Files in the same folder as the one that is read, by their names, as in an index of shards. */
export type SiblingFiles = { readonly [name: string]: Bytes } | ReadonlyMap<string, Bytes>

/**
 * The place of a file: its bytes, a Blob, the `https:` address of a file on a server, or its location in a store. The
 * siblings are next to it, if they are not given. Throws a TypeError, and CKPT_READ if the file cannot be opened.
 */
export async function inputPlace(
  from: string | URL | StoredCheckpoint | Bytes,
  siblings?: SiblingFiles,
): Promise<InputPlace> {
  if (typeof from === 'string' || isUrl(from)) {
    const address = httpAddress(from)
    if (address !== undefined) return addressPlace(address, siblings)
  }
  if (isStored(from)) return storedPlace(from, siblings)
  return givenPlace(from as Bytes, siblings)
}

/** The place of a file on a server. Its siblings are next to it, if they are not given. */
async function addressPlace(address: URL, siblings?: SiblingFiles): Promise<InputPlace> {
  const { pathname } = address
  const nextTo = (name: string): Promise<Source> =>
    openAt(new URL(encodeURIComponent(siblingName(name)), address))
  return {
    name: decodeURIComponent(pathname.slice(pathname.lastIndexOf('/') + 1)),
    source: await openAt(address),
    sibling: siblings === undefined ? nextTo : givenPlace(new Blob(), siblings).sibling,
  }
}

/** The place of a file in a store. */
async function storedPlace(
  { store, name, version }: StoredCheckpoint,
  siblings?: SiblingFiles,
): Promise<InputPlace> {
  const openIn = async (at: string, pinned?: string): Promise<Source> => {
    try {
      return await store.open(at, { version: pinned })
    } catch (error) {
      throw withPath(error, store.locate(at))
    }
  }
  const nextTo = async (other: string): Promise<Source> => openIn(siblingName(other))
  return {
    name,
    source: await openIn(name, version),
    sibling: siblings === undefined ? nextTo : givenPlace(new Blob(), siblings).sibling,
  }
}

async function openAt(address: URL): Promise<Source> {
  try {
    return await openHttp(address)
  } catch (error) {
    throw withPath(error, publicAddress(address))
  }
}

/** A File has a name; other bytes have none. */
function givenPlace(from: Bytes, siblings: SiblingFiles = {}): InputPlace {
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
  throw new TypeError(
    `expected a file's bytes, a Blob, an https: address or a location in a store, found ${describe(from)}`,
  )
}

/** The name of a file in the same folder. Throws CKPT_FOREIGN_FILE, rule `sibling`, for a name that leads elsewhere. */
export function siblingName(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/\\:\0]/.test(name)) {
    throw foreignFault('sibling', `${quote(name)} does not name a file in the same folder`)
  }
  return name
}

/** A location in a store, or a sink, which has no companion files. Throws a TypeError for another value. */
export function outputPlace(to: StoredCheckpoint | Sink): OutputPlace {
  if (isStored(to)) {
    const { store, name, condition } = to
    return {
      name,
      sink: store.sink(name, { condition }),
      sibling: (other) => store.sink(siblingName(other)),
    }
  }
  if (!isSink(to)) {
    throw new TypeError(`expected a sink or a location in a store, found ${describe(to)}`)
  }
  return {
    name: to.path ?? '',
    sink: to,
    sibling: (name) => {
      throw new TypeError(
        `a sink is one file, and ${quote(name)} would be another: write to a path, or into a store`,
      )
    },
  }
}
