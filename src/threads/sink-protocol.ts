/** What the thread that saves and the thread that writes say to each other. */

/** A part of some bytes that goes on with the checksum of a segment. Positions in bytes. */
export interface ChecksumPart {
  readonly segment: number
  readonly start: number
  readonly end: number
}

/** A call for the thread that writes. `bytes` is shared memory, and not copied. */
export type SinkRequest =
  /** Answered with the path of the temporary file. */
  | {
      readonly call: 'begin'
      readonly path: string
      readonly length: number
      readonly durable: boolean
    }
  | {
      readonly call: 'write'
      readonly bytes: Uint8Array
      readonly position: number
      readonly parts: readonly ChecksumPart[]
    }
  /** Helps with copies, if it comes in time: see `helpToCopy`. At any time. */
  | { readonly call: 'copy'; readonly list: SharedArrayBuffer }
  /** Answered with the CRC-32 of each segment so far, by its index. */
  | { readonly call: 'checksums' }
  | { readonly call: 'sync' }
  /** Answered with the durability. */
  | { readonly call: 'commit' }
  | { readonly call: 'abort' }
