/**
 * Where bytes come from: a mapped file, a file that is read, memory, a Blob. A source knows nothing
 * of tensors; positions and lengths are in bytes.
 */

/** Most bytes asked of a system or a Blob at once. Node aborts on a read of 2 GiB. */
export const MAX_READ = 64 * 1024 * 1024

/** From this length on, in bytes, a read is worth its own call to the system, beside others. */
export const LONG_READ = 256 * 1024

/** A part of the bytes; positions in bytes from their start. */
export interface Range {
  readonly start: number
  readonly end: number
}

/** Another thread, which makes checksums of the same bytes. */
export interface ChecksumHelper {
  /** The CRC-32 of each range, or undefined where they could not be made. Never rejects. */
  checksums(ranges: readonly Range[]): Promise<readonly number[] | undefined>
  /** Lets go of the bytes, after what it has been asked for. Never rejects. */
  close(): Promise<void>
}

export interface Source {
  readonly kind: 'map' | 'file' | 'memory' | 'blob'
  /** Length in bytes. It does not change; a file that does is an error on the next read. */
  readonly size: number
  /**
   * The bytes in place, without a copy, or undefined where this source cannot do that. The memory
   * lives as long as the view; its `buffer` may be larger only where the caller gave that memory.
   */
  view(position: number, length: number): Uint8Array | undefined
  /**
   * Like `view`, for use before the next `close` alone: does not keep the source's memory alive.
   * A whole range may be too long for one view; ask for pieces.
   */
  peek(position: number, length: number): Uint8Array | undefined
  /** Fills `target` from `position` on. Absent where reading is asynchronous only. */
  readSync?(target: Uint8Array, position: number): void
  /** How many long reads it carries out beside each other; where it does not say, none. */
  readonly readsAtOnce?: number
  /** Other threads, if any, each when it is ready; undefined where it could not be had. */
  readonly helpers?: () => readonly Promise<ChecksumHelper | undefined>[]
  /** Fills `target` from `position` on, or throws. */
  read(target: Uint8Array, position: number): Promise<void>
  /** Throws CKPT_FILE_CHANGED where the bytes may not be those that the source began with. */
  checkUnchanged(): Promise<void>
  close(): void
}
