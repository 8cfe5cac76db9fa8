/**
 * Where a checkpoint goes: a file, memory, a browser's file handle, another thread. A sink knows nothing of
 * tensors; what it promises is the commit: until `commit` resolves, what was there before is still there.
 */

import type { Range } from './source.js'

/** A place for one checkpoint at a time: `begin`, writes, `sync`, `commit`; or `abort` at any point. */
export interface Sink {
  /** What messages call the destination. */
  readonly path: string | undefined
  /** How many writes it takes at once; one if it does not say. */
  readonly writesAtOnce?: number
  /** Prepares for a checkpoint of `length` bytes, touching nothing of what is there. */
  begin(length: number): Promise<void>
  /** Writes all of `bytes` at `position`, in bytes from the start. The memory stays the caller's. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Every byte has been written: makes them survive what the sink can survive. */
  sync(): Promise<void>
  /** Puts what was written in the place of what was there, in one step. */
  commit(): Promise<Durability>
  /** Drops what was written. Never throws; has no effect after `commit`. */
  abort(): Promise<void>
}

/** A sink that makes checksums where it writes, because its writer runs beside the trainer: another thread. */
export interface SummingSink extends Sink {
  /** Like `write`. Resolves to the CRC-32 of each of these ranges of `bytes`. */
  writeSummed(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
  ): Promise<readonly number[]>
}

/**
 * What a commit reached: `durable`, the new bytes and their name survive a power cut; `file-only`,
 * the bytes do, but the folder could not be synced on this system (some network file systems,
 * Windows), so that a power cut may bring back what was there before; `none`, the sink promises
 * nothing about power cuts (memory, a browser's file, a file that was not to be synced).
 */
export type Durability = 'durable' | 'file-only' | 'none'
