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
  /** Prepares for a checkpoint of `length` bytes, and leaves the previous one untouched. */
  begin(length: number): Promise<void>
  /** Writes all of `bytes` at `position`, in bytes from the start. The memory stays the caller's. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** Called when every byte has been written. Makes the bytes survive what the sink can survive. */
  sync(): Promise<void>
  /** Replaces the previous checkpoint by what was written, in one step. */
  commit(): Promise<Durability>
  /** Discards what was written. Never throws; has no effect after `commit`. */
  abort(): Promise<void>
}

/** A sink that computes checksums itself, because its writer runs in another thread. */
export interface SummingSink extends Sink {
  /** Writes like `write`, and resolves to the CRC-32 of each of these ranges of `bytes`. */
  writeSummed(
    bytes: Uint8Array,
    position: number,
    ranges: readonly Range[],
  ): Promise<readonly number[]>
}

/**
 * What a commit guarantees after a power cut. `durable`: the new bytes and their name survive. `file-only`: the bytes
 * survive, but this system cannot sync the folder (some network file systems, Windows), so the previous checkpoint may
 * come back. `none`: the sink promises nothing (memory, a browser's file, a file saved with `durable: false`).
 */
export type Durability = 'durable' | 'file-only' | 'none'
