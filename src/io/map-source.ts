/**
 * A memory-mapped file: its bytes are read where the system has them, without a copy.
 *
 * The map is private and writable (MAP_PRIVATE): whoever writes into a view changes pages of their
 * own, never the file. It needs koffi, an optional dependency, for mmap and munmap of the C library;
 * without it, or on Windows, files are read instead.
 *
 * A view keeps the map alive: the map goes when it has been closed and the last view that was handed
 * out has been collected. A file that somebody *truncates* while it is mapped makes a read beyond its
 * new end fatal to the process (SIGBUS), as for every user of a map. Our own commits never do that:
 * they rename a new file over the old one.
 */

import { constants } from 'node:buffer'
import { CheckpointError } from '../error.js'
import { FileSource, type OpenFile } from './file-source.js'
import { LONG_READ, type Source } from './source.js'

interface MapCalls {
  /** Address of a new private map of the whole file, or undefined where the system refuses. */
  map(fd: number, length: number): bigint | undefined
  unmap(address: bigint, length: number): void
  /** Memory at an address as an ArrayBuffer, which does not own it. */
  view(address: bigint, length: number): ArrayBuffer
}

// The same on Linux, macOS and the BSDs.
const PROT_READ = 1
const PROT_WRITE = 2
const MAP_PRIVATE = 2
// Without it Linux refuses a writable map of more than the machine's memory, though nobody is going to
// write to all of it. Elsewhere nothing is reserved.
const MAP_NORESERVE = process.platform === 'linux' ? 0x4000 : 0
const MAP_FAILED = 2n ** 64n - 1n

// Bytes of a view that serves many small looks: making one costs as much as reading a few kilobytes.
// Not more, as V8 counts what is viewed as if it were on its heap, and collects garbage for it.
const WINDOW = 1024 * 1024

let calls: Promise<MapCalls | undefined> | undefined

/** The calls for mapping on this machine, or undefined where there are none. Looked up once. */
async function mapCalls(): Promise<MapCalls | undefined> {
  calls ??= findCalls().catch(() => undefined)
  return calls
}

async function findCalls(): Promise<MapCalls | undefined> {
  // Electron's engine takes no memory that is not its own.
  if (process.platform === 'win32' || process.versions.electron !== undefined) return undefined
  const { default: koffi } = await import('koffi')
  const libc = koffi.load(null)
  const mmap = libc.func('void *mmap(void *, size_t, int, int, int, int64_t)')
  const munmap = libc.func('int munmap(void *, size_t)')
  return {
    map(fd, length) {
      const at = mmap(null, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0)
      const address = koffi.address(at)
      return address === MAP_FAILED || address === 0n ? undefined : address
    },
    unmap(address, length) {
      munmap(address, length)
    },
    view: (address, length) => koffi.view(address, length),
  }
}

/**
 * Maps an open file and takes over its descriptor, or returns undefined, with the descriptor open as it
 * was, where mapping is not to be had.
 */
export async function mapFile(file: OpenFile): Promise<MapSource | undefined> {
  const size = Number(file.stat.size)
  if (size === 0) return undefined
  const found = await mapCalls()
  const address = found?.map(file.fd, size)
  if (found === undefined || address === undefined) return undefined
  return new MapSource(new Mapping(found, address, size), new FileSource(file))
}

/** The mapped memory, and who still needs it. */
class Mapping {
  readonly length: number
  readonly #calls: MapCalls
  readonly #address: bigint
  #views = 0
  #closed = false

  constructor(mapCalls: MapCalls, address: bigint, length: number) {
    this.#calls = mapCalls
    this.#address = address
    this.length = length
  }

  view(position: number, length: number): ArrayBuffer {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the file is closed')
    // What is asked for has been checked against the file's length; here it would be other memory.
    if (!(position >= 0 && length >= 0 && position + length <= this.length)) {
      throw new RangeError(`${length} bytes at ${position} reach beyond a map of ${this.length}`)
    }
    return this.#calls.view(this.#address + BigInt(position), length)
  }

  /** Throws CKPT_CLOSED where the memory may be gone. */
  checkOpen(): void {
    if (this.#closed) throw new CheckpointError('CKPT_CLOSED', 'the file is closed')
  }

  /** Keeps the map for as long as `buffer` can be reached. */
  keepFor(buffer: ArrayBuffer): void {
    this.#views++
    views.register(buffer, this)
  }

  /** A buffer of `keepFor` is gone. */
  viewCollected(): void {
    this.#views--
    this.#unmapIfUnused()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#unmapIfUnused()
  }

  #unmapIfUnused(): void {
    if (this.#closed && this.#views === 0) this.#calls.unmap(this.#address, this.length)
  }
}

const views = new FinalizationRegistry<Mapping>((mapping) => mapping.viewCollected())

// A source that was dropped without being closed.
const dropped = new FinalizationRegistry<Mapping>((mapping) => mapping.close())

class MapSource implements Source {
  readonly kind = 'map'
  readonly size: number
  readonly readsAtOnce: number
  readonly #mapping: Mapping
  /** The same file, for long reads: several threads copy from the page cache, and nothing faults. */
  readonly #file: FileSource
  /** What was peeked at last, and some more of the file behind it. */
  #window = new Uint8Array(0)
  #windowStart = 0

  constructor(mapping: Mapping, file: FileSource) {
    this.#mapping = mapping
    this.#file = file
    this.readsAtOnce = file.readsAtOnce
    this.size = mapping.length
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
    const piece = this.peek(position, target.byteLength)
    if (piece === undefined) throw new RangeError('longer than this engine can view at once')
    target.set(piece)
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
