/**
 * A memory-mapped file. `view` shows the bytes where the system has them, without a copy. All reads go to the file
 * itself, through its descriptor. So several threads copy from the page cache, nothing faults, and a caller's writes
 * into a view do not pass for the file's bytes.
 *
 * The map is private and writable (MAP_PRIVATE): a caller who writes into a view changes private pages, never the file.
 * It needs the calls of libc.ts; without them, files are read instead.
 *
 * A view keeps the map alive. The system unmaps the file after the source has been closed and the last view has been
 * collected. If a file is *truncated* while it is mapped, an access beyond its new end kills the process (SIGBUS), as
 * for every user of a map. Commits of this library never truncate: they rename a new file over the old one.
 */

import { constants } from 'node:buffer'
import type { CachedRead, Source, SourceHelpers } from '../source.js'
import { FileSource, type OpenFile } from './file-source.js'
import { type Libc, libc } from './libc.js'
import { Mapping } from './mapping.js'

/** Starts threads that work on this many bytes of a file. */
type HelpersOf = (file: FileSource, byteLength: number) => SourceHelpers

/**
 * Maps an open file and takes ownership of its descriptor. Returns undefined if the file cannot be mapped; the
 * descriptor then stays open and the caller's.
 */
export async function mapFile(
  file: OpenFile,
  helpersOf?: HelpersOf,
): Promise<MapSource | undefined> {
  const size = Number(file.stat.size)
  const { map: calls, ...others } = await libc()
  // The system refuses to map an empty file.
  const address = calls?.map(file.fd, size)
  if (calls === undefined || address === undefined) return undefined
  const mapping = new Mapping(calls, address, size)
  return new MapSource(mapping, new FileSource(file), others, helpersOf)
}

// Unmaps the file of a source that was dropped without `close`.
const dropped = new FinalizationRegistry<Mapping>((mapping) => mapping.close())

class MapSource implements Source {
  readonly kind = 'map'
  readonly size: number
  readonly readsAtOnce: number
  readonly helpers?: (byteLength: number) => SourceHelpers
  readonly readCached?: (reads: readonly CachedRead[]) => readonly boolean[]
  readonly #mapping: Mapping
  readonly #file: FileSource

  constructor(
    mapping: Mapping,
    file: FileSource,
    { memory, readCached }: Libc,
    helpersOf: HelpersOf | undefined,
  ) {
    this.#mapping = mapping
    this.#file = file
    this.readsAtOnce = file.readsAtOnce
    this.size = mapping.length
    // Without this call a failing device, or a truncated file, would kill the process while a helper reads the map.
    if (helpersOf !== undefined && mapping.bringIn(0, 1)) {
      this.helpers = (byteLength) => helpersOf(file, byteLength)
    }
    if (memory !== undefined && readCached !== undefined) {
      this.readCached = (reads) =>
        file.useDescriptor((fd) =>
          reads.map(({ target, position }) => {
            const { byteLength } = target
            return readCached(fd, memory.addressOf(target), byteLength, position) === byteLength
          }),
        )
    }
    dropped.register(this, mapping)
  }

  view(position: number, length: number): Uint8Array | undefined {
    if (length > constants.MAX_LENGTH) return undefined
    // There is no memory to view or to keep.
    if (length === 0) return new Uint8Array(0)
    return this.#mapping.handOut(position, length)
  }

  readSync(target: Uint8Array, position: number): void {
    this.#file.readSync(target, position)
  }

  read(target: Uint8Array, position: number): Promise<void> {
    return this.#file.read(target, position)
  }

  withDescriptor<T>(use: (descriptor: number) => Promise<T>): Promise<T> {
    return this.#file.withDescriptor(use)
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
