/**
 * A memory-mapped file: its bytes are read where the system has them, without a copy.
 *
 * The map is private and writable (MAP_PRIVATE): whoever writes into a view changes pages of their
 * own, never the file. It needs the calls of libc.ts; without them files are read instead.
 *
 * A view keeps the map alive: the map goes when it has been closed and the last view that was handed
 * out has been collected. A file that somebody *truncates* while it is mapped makes a read beyond its
 * new end fatal to the process (SIGBUS), as for every user of a map. Our own commits never do that:
 * they rename a new file over the old one.
 */

import { constants } from 'node:buffer'
import { checksumHelpers } from '../../threads/checksum-pool.js'
import { type ChecksumHelper, LONG_READ, type Source } from '../source.js'
import { FileSource, type OpenFile } from './file-source.js'
import { libc } from './libc.js'
import { Mapping } from './mapping.js'

// Bytes of a view that serves many small looks: making one costs as much as reading a few kilobytes.
// Not more, as V8 counts what is viewed as if it were on its heap, and collects garbage for it.
const WINDOW = 1024 * 1024

// Short reads, each near the one before, from which on they are looks: before, it may be that the next
// one is far away.
const NEAR = 4

/**
 * Maps an open file and takes over its descriptor, or returns undefined, with the descriptor open as it
 * was, where mapping is not to be had.
 */
export async function mapFile(file: OpenFile): Promise<MapSource | undefined> {
  const size = Number(file.stat.size)
  if (size === 0) return undefined
  const { map: found } = await libc()
  const address = found?.map(file.fd, size)
  if (found === undefined || address === undefined) return undefined
  return new MapSource(new Mapping(found, address, size), new FileSource(file))
}

// A source that was dropped without being closed.
const dropped = new FinalizationRegistry<Mapping>((mapping) => mapping.close())

class MapSource implements Source {
  readonly kind = 'map'
  readonly size: number
  readonly readsAtOnce: number
  readonly helpers?: () => readonly Promise<ChecksumHelper | undefined>[]
  readonly #mapping: Mapping
  /** The same file, for long reads: several threads copy from the page cache, and nothing faults. */
  readonly #file: FileSource
  /** What was peeked at last, and some more of the file behind it. */
  #window = new Uint8Array(0)
  #windowStart = 0
  #lastRead = 0
  #near = 0

  constructor(mapping: Mapping, file: FileSource) {
    this.#mapping = mapping
    this.#file = file
    this.readsAtOnce = file.readsAtOnce
    this.size = mapping.length
    if (mapping.bringIn(0, 1)) this.helpers = () => checksumHelpers(file)
    dropped.register(this, mapping)
  }

  view(position: number, length: number): Uint8Array | undefined {
    if (length > constants.MAX_LENGTH) return undefined
    // No memory to view, and none to keep.
    if (length === 0) return new Uint8Array(0)
    const buffer = this.#mapping.view(position, length)
    this.#mapping.keepFor(buffer)
    return new Uint8Array(buffer)
  }

  peek(position: number, length: number): Uint8Array | undefined {
    if (length > constants.MAX_LENGTH) return undefined
    this.#mapping.checkOpen()
    if (length > WINDOW) return new Uint8Array(this.#mapping.view(position, length))
    let start = position - this.#windowStart
    if (start < 0 || start + length > this.#window.byteLength) {
      const windowLength = Math.min(WINDOW, this.size - position)
      this.#window = new Uint8Array(this.#mapping.view(position, windowLength))
      this.#windowStart = position
      start = 0
    }
    return this.#window.subarray(start, start + length)
  }

  readSync(target: Uint8Array, position: number): void {
    this.#near = Math.abs(position - this.#lastRead) > WINDOW ? 0 : this.#near + 1
    this.#lastRead = position
    // A look in another place takes a new view, which costs more than to ask the system.
    const piece = this.#near < NEAR ? undefined : this.peek(position, target.byteLength)
    if (piece === undefined) this.#file.readSync(target, position)
    else target.set(piece)
  }

  async read(target: Uint8Array, position: number): Promise<void> {
    if (target.byteLength >= LONG_READ) return this.#file.read(target, position)
    this.readSync(target, position)
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
