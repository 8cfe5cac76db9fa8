/** How long-running work reports its progress. */

/** `done` of `total` bytes are finished. */
export interface ByteProgress {
  readonly done: number
  readonly total: number
}

/** Called often, and once at the end with `done` equal to `total`. If it throws, the work ends with that error. */
export type OnProgress = (progress: ByteProgress) => void
