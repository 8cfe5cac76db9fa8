/**
 * A sink: the destination of a checkpoint, such as a file, memory, a browser's file handle or another thread. A sink
 * knows nothing of tensors. Its promise is the commit: until `commit` resolves, the previous checkpoint is still there.
 */

import type { Range } from './source.js'

/** A destination for one checkpoint at a time: `begin`, writes, `sync`, `commit`, or `abort` at any point. */
export interface Sink {
  /** The name of the destination in messages. */
  readonly path: string | undefined
  /** Number of writes that may be under way at once; one if absent. */
  readonly writesAtOnce?: number
  /** After a commit: what a server has verified. Absent if there is no server. */
  readonly checksums?: Checksums | undefined
  /** Prepares for a checkpoint of `length` bytes, and leaves the previous one untouched. */
  begin(length: number): Promise<void>
  /** Writes all of `bytes` at `position`, in bytes from the start. The memory stays the caller's. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Called when every byte has been written. Makes the bytes survive what the sink can survive. */
  sync(): Promise<void>
  /** Replaces the previous checkpoint by what was written, in one step. */
  commit(): Promise<Durability>
  /**
   * Makes calls that are under way reject with `reason`, soon; `abort` follows. A commit under way may still succeed. If
   * absent, they take as long as they take.
   */
  cancel?(reason: unknown): void
  /** Discards what was written. Never throws; has no effect after `commit`. */
  abort(): Promise<void>
}

/** A sink that computes checksums itself, because its writer runs in another thread, or because it needs them too. */
export interface SummingSink extends Sink {
  /**
   * Writes like `write`, and resolves to the CRC-32 of each of these ranges of `bytes`, which are in order and do not
   * overlap.
   */
  writeSummed(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
  ): Promise<readonly number[]>
}

/** Memory into which a save copies the bytes of a file, in their order, before the sink writes them. */
export interface Staging {
  /** A piece to fill with the bytes from `position` of the file on; undefined if all are in use. */
  take(position: number): Uint8Array | undefined
  /** Returns a piece that `take` gave. */
  give(piece: Uint8Array): void
  /** Resolves when `take` may have a piece again. */
  freed(): Promise<void>
}

/**
 * A sink that must hold bytes itself until they have arrived, and lends this memory to a save, so that bytes are copied
 * once. `staging` has pieces from the call of `begin` on. A write of a piece of it, at the position that it was taken
 * for, copies nothing. The sink holds the bytes next to the metadata until that comes: a save writes it as soon as it knows
 * all checksums, even while a write of a piece is under way.
 */
export interface StagingSink extends Sink {
  readonly staging: Staging
}

/**
 * What a commit guarantees after a power cut. `durable`: the new bytes and their name survive. `file-only`: the bytes
 * survive, but this system cannot sync the folder (some network file systems, Windows), so the previous checkpoint may
 * come back. `none`: the sink promises nothing (memory, a browser's file, a file saved with `durable: false`).
 */
export type Durability = 'durable' | 'file-only' | 'none'

/**
 * What a server has verified by the checksums that came with the bytes. `object`: all of them, and the sum of the whole
 * object, which it keeps. `parts`: all of them, and it keeps no sum of the whole. `none`: nothing, as far as could be
 * found out. Bytes that change on the way are then found by a load, not by the save.
 */
export type Checksums = 'object' | 'parts' | 'none'
