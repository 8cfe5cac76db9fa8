/** The messages between the page and its workers. */

import type { Difference } from '../../../src/diff/difference.js'
import type { PlainError } from '../../../src/threads/plain-error.js'
import type { TensorFacts, ViewedFile } from './facts.js'
import type { PackedFacts, PackedTensors } from './packed-facts.js'
import type { PackedStatistics } from './packed-statistics.js'
import type { Extremes, Picture, PictureRequest } from './picture.js'
import type { TensorStatistics } from './statistics.js'

/** Two tensors that are compared. */
export interface TensorPair {
  readonly before: TensorFacts
  readonly after: TensorFacts
}

/** Two files with the tensors to compare. */
export interface FilePair {
  readonly before: ViewedFile
  readonly after: ViewedFile
  readonly tensors: readonly TensorPair[]
}

/** What a worker is asked for. */
export type Job =
  | { readonly kind: 'facts'; readonly files: readonly ViewedFile[] }
  | {
      readonly kind: 'statistics'
      readonly file: ViewedFile
      readonly tensors: PackedTensors
    }
  /** In the order of a run: the second file of a pair is the first of the next one, and its bytes are still there. */
  | { readonly kind: 'differences'; readonly pairs: readonly FilePair[] }
  /** Reads all of the file, and finds what is damaged. */
  | { readonly kind: 'faults'; readonly file: ViewedFile }
  | {
      readonly kind: 'picture'
      readonly file: ViewedFile
      readonly tensor: TensorFacts
      readonly request: PictureRequest
      /** A tensor of the same shape, whose elements are subtracted. */
      readonly minus?: { readonly file: ViewedFile; readonly tensor: TensorFacts } | undefined
    }
  | { readonly kind: 'extremes'; readonly file: ViewedFile; readonly tensor: TensorFacts }

/** Damage that was found: which tensor's bytes, and where in the file they are. */
export interface Damage {
  readonly code: string
  readonly message: string
  readonly state: string
  readonly tensor: string
  /** In bytes from the start of the file. */
  readonly offset: number
}

/** How far a search for damage has come, in bytes of tensors, or what it has found. */
export type Verification =
  | { readonly done: number; readonly total: number; readonly fault?: undefined }
  | { readonly fault: Damage; readonly done?: undefined; readonly total?: undefined }

/** A result, or why there is none. One that fails does not keep the others from coming. */
export type Outcome<T> =
  | { readonly value: T; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: PlainError }

/** A part of the answer: `at` are the indices of what it is about in the job. */
export interface Part<T> {
  readonly at: readonly [number, number?]
  readonly outcome: Outcome<T>
}

/** The results of each kind of job. `at`: the file, the tensor, or the pair of files and the pair of tensors. */
export interface ResultOf {
  readonly facts: PackedFacts
  readonly statistics: TensorStatistics
  readonly differences: Difference
  readonly faults: Verification
  readonly picture: Picture
  readonly extremes: Extremes
}

/** From the page to a worker. */
export type Request =
  | { readonly id: number; readonly job: Job }
  | { readonly id: number; readonly cancel: true }

/** From a worker to the page: parts as they come, then the end, with an error if the job as a whole failed. */
export type Response =
  | { readonly id: number; readonly parts: readonly Part<unknown>[] }
  | { readonly id: number; readonly statistics: PackedStatistics }
  | { readonly id: number; readonly end: true; readonly error?: PlainError }
