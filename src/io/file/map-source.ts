/**
 * A memory-mapped file: `view` shows its bytes where the system has them, without a copy. All reads are
 * of the file itself, through its descriptor: several threads copy from the page cache, nothing faults,
 * and what a caller wrote into a view is not taken for the file's bytes.
 *
 * The map is private and writable (MAP_PRIVATE): a caller who writes into a view changes pages of their
 * own, never the file. It needs the calls of libc.ts; without them files are read instead.
 *
 * A view keeps the map alive: the map goes when it has been closed and the last view that was handed
 * out has been collected. A file that is *truncated* while it is mapped makes an access beyond its new
 * end fatal to the process (SIGBUS), as for every user of a map. Our own commits never do that: they
 * rename a new file over the old one.
 */

import { constants } from 'node:buffer'
import type { ChecksumHelpers, Source } from '../source.js'
import { FileSource, type OpenFile } from './file-source.js'
import { libc } from './libc.js'
import { Mapping } from './mapping.js'

/** Starts threads that make checksums of so many bytes of a file. */
type HelpersOf = (file: FileSource, byteLength: number) => ChecksumHelpers

/**
 * Maps an open file and takes over its descriptor, or returns undefined, with the descriptor open as it
 * was, if it cannot be mapped.
 */
export async function mapFile(
  file: OpenFile,
  helpersOf?: HelpersOf,
): Promise<MapSource | undefined> {
  const size = Number(file.stat.size)
  if (size === 0) return undefined
  const { map: calls } = await libc()
  const address = calls?.map(file.fd, size)
  if (calls === undefined || address === undefined) return undefined
  return new MapSource(new Mapping(calls, address, size), new FileSource(file), helpersOf)
}

// A source that was dropped without being closed.
const dropped = new FinalizationRegistry<Mapping>((mapping) => mapping.close())

class MapSource implements Source {
  readonly kind = 'map'
  readonly size: number
  readonly readsAtOnce: number
  readonly helpers?: (byteLength: number) => ChecksumHelpers
  readonly #mapping: Mapping
  readonly #file: FileSource

  constructor(mapping: Mapping, file: FileSource, helpersOf: HelpersOf | undefined) {
    this.#mapping = mapping
    this.#file = file
    this.readsAtOnce = file.readsAtOnce
    this.size = mapping.length
    // Without this call a helper would not survive a device that fails, or a file that is cut short.
    if (helpersOf !== undefined && mapping.bringIn(0, 1)) {
      this.helpers = (byteLength) => helpersOf(file, byteLength)
    }
    dropped.register(this, mapping)
  }

  view(position: number, length: number): Uint8Array | undefined {
    if (length > constants.MAX_LENGTH) return undefined
    // There is no memory to view, and none to keep.
    if (length === 0) return new Uint8Array(0)
    return this.#mapping.handOut(position, length)
  }

  readSync(target: Uint8Array, position: number): void {
    this.#file.readSync(target, position)
  }

  read(target: Uint8Array, position: number): Promise<void> {
    return this.#file.read(target, position)
  }

  checkUnchanged(): Promise<void> {
    return this.#file.checkUnchanged()
  }

  close(): void {
    this.#mapping.close()
    this.#file.close()
  }
}

export type { MapSource }
