/**
 * A source: the origin of a checkpoint's bytes, such as a mapped file, a file that is read, memory, a Blob or a server. A source
 * knows nothing of tensors. Positions and lengths are in bytes.
 */

/** Most bytes that one call asks of a system or a Blob. Node aborts on a read of 2 GiB. */
export const MAX_READ = 64 * 1024 * 1024

/** Reads of at least this many bytes get a call to the system of their own, in parallel with others. */
export const LONG_READ = 256 * 1024

/** A range of bytes. Positions are in bytes from the start of the source. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** A read into memory of the caller, which fills all of `target`. `position` is in bytes from the start of the source. */
export interface CachedRead {
  readonly target: Uint8Array
  readonly position: number
}

/** Another thread, which works on the same bytes. */
export interface SourceHelper {
  /** The CRC-32 of each range, or undefined if the thread failed. Never rejects. */
  checksums(ranges: readonly Range[]): Promise<readonly number[] | undefined>
  /** Like `readCached` of the source, but both threads read. Absent if the source has none. */
  readCached?(reads: readonly CachedRead[]): readonly boolean[]
  /** Releases the bytes, after the calls before it. Never rejects. */
  close(): Promise<void>
}

/** The threads, each when it is ready; undefined for one that could not start. The caller must close each. */
export type SourceHelpers = readonly Promise<SourceHelper | undefined>[]

/** Bytes by position. `test/support/source-conformance.ts` has what every source must do. */
export interface Source {
  readonly kind: 'map' | 'file' | 'memory' | 'blob' | 'http' | 's3'
  /** Length in bytes. It does not change: if the file's length changes, the next read is an error. */
  readonly size: number
  /**
   * The location and the version of a remote file, as text that no other content has; absent if the server does not tell
   * versions apart. A local copy is kept by it.
   */
  readonly identity?: string
  /**
   * Number of long reads that the source carries out at once. If absent, it carries out one, and a source that also has
   * `view` is memory, whose views are its bytes.
   */
  readonly readsAtOnce?: number
  /** Most bytes that one long read asks for. If absent, as many as suit a file. */
  readonly longestRead?: number
  /** Other threads that work on the same bytes; none if `byteLength`, the bytes to be read, is too little for them. */
  readonly helpers?: (byteLength: number) => SourceHelpers
  /**
   * The bytes in place, without a copy, for a tensor's `data`; undefined if they are too many for one array. The memory
   * lives as long as the view, or what keeps it. Its `buffer` may be larger than the view only if the caller gave that
   * memory. The caller may have written into a view of a map; to get the file's bytes, read.
   */
  view?(position: number, length: number): Uint8Array | undefined
  /** Fills `target` from `position` on before it returns, or throws. If absent, reading is asynchronous only. */
  readSync?(target: Uint8Array, position: number): void
  /**
   * Fills targets, before it returns, as far as the system holds their bytes in memory. Returns for each whether it was
   * filled; if not, its content is undefined. It waits for no device. Targets are at least LONG_READ bytes long, since
   * shorter memory may move. If absent, bytes cannot be had in this way.
   */
  readCached?(reads: readonly CachedRead[]): readonly boolean[]
  /**
   * Fills `target` from `position` on. Rejects with CKPT_READ, CKPT_FILE_CHANGED (also past the end) or CKPT_CLOSED.
   * `target` must not be transferred or resized while the read is under way.
   */
  read(target: Uint8Array, position: number): Promise<void>
  /**
   * For threads of this process: calls `use` with the number of the open file whose bytes these are. The file stays open
   * until `use` settles. Absent if there is no such file. Throws CKPT_CLOSED, or CKPT_READ for an error of `use`.
   */
  withDescriptor?<T>(use: (descriptor: number) => Promise<T>): Promise<T>
  /** Throws CKPT_FILE_CHANGED if the bytes may differ from those that the source was opened on. */
  checkUnchanged(): Promise<void>
  /** Releases what the source holds. Reads that are under way still finish; later ones throw CKPT_CLOSED. */
  close(): void
}
