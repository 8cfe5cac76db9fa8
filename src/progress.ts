/** How long work says how far it is. */

/** `done` of `total` bytes. */
export interface ByteProgress {
  readonly done: number
  readonly total: number
}

/** Called often, and once at the end with `done` equal to `total`. What it throws ends the work. */
export type OnProgress = (progress: ByteProgress) => void
