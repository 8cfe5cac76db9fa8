/**
 * Where bytes come from: a mapped file, a file that is read, memory, a Blob. A source knows nothing
 * of tensors; positions and lengths are in bytes.
 */

/** Most bytes asked of a system or a Blob at once. Node aborts on a read of 2 GiB. */
export const MAX_READ = 64 * 1024 * 1024

/** From this length on, in bytes, a read is worth its own call to the system, next to others. */
export const LONG_READ = 256 * 1024

/** A part of the bytes; positions in bytes from their start. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** Another thread, which makes checksums of the same bytes. */
export interface ChecksumHelper {
  /** The CRC-32 of each range, or undefined if they could not be made. Never rejects. */
  checksums(ranges: readonly Range[]): Promise<readonly number[] | undefined>
  /** Releases the bytes, after the calls before it. Never rejects. */
  close(): Promise<void>
}

/** The threads, each when it is ready; undefined for one that could not be had. Each is to be closed. */
export type ChecksumHelpers = readonly Promise<ChecksumHelper | undefined>[]

/** Bytes by position. What every source must do is in `test/support/source-conformance.ts`. */
export interface Source {
  readonly kind: 'map' | 'file' | 'memory' | 'blob'
  /** Length in bytes. It does not change; a file that does is an error on the next read. */
  readonly size: number
  /**
   * How many long reads it carries out at once. Absent: one after the other, and a source that has
   * `view` is memory, whose views are its bytes.
   */
  readonly readsAtOnce?: number
  /** Other threads that make checksums of the same bytes; none if so many bytes are not worth them. */
  readonly helpers?: (byteLength: number) => ChecksumHelpers
  /**
   * The bytes in place, without a copy, for the caller of a tensor's `data`; undefined if they are too
   * many for one array. The memory lives as long as the view, or what keeps it; its `buffer` may be larger
   * only if the caller gave that memory. A view of a map may have been written to: to know what the file has, read.
   */
  view?(position: number, length: number): Uint8Array | undefined
  /** Fills `target` from `position` on, at once, or throws. Absent: reading is asynchronous only. */
  readSync?(target: Uint8Array, position: number): void
  /**
   * Fills `target` from `position` on, or rejects: CKPT_READ, CKPT_FILE_CHANGED (also past the end),
   * CKPT_CLOSED. `target` must be memory that nobody transfers or resizes while the read is under way.
   */
  read(target: Uint8Array, position: number): Promise<void>
  /** Throws CKPT_FILE_CHANGED if the bytes may not be those that the source began with. */
  checkUnchanged(): Promise<void>
  /** Releases what it holds. Reads that are under way still end well; later ones are CKPT_CLOSED. */
  close(): void
}
