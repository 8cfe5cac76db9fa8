/** What the metadata of a checkpoint says, as plain values: what decode makes and encode takes. */

import { quote } from '../printable.js'
import type { Attributes } from './attributes.js'
import type { DType } from './dtype.js'
import type { TensorTable } from './tensor-table.js'

/** How far a training run has come. */
export interface Progress {
  readonly epoch: number
  /** Optimizer steps taken. */
  readonly step: number
  /** Null where there is none yet. */
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** JSON text, or null where none was given. */
  readonly config: string | null
  /** Place in the order of the run's saves, from 0 up; null where none was given. */
  readonly sequence: number | null
  /** When it was saved, in milliseconds since 1970; null where none was given. */
  readonly savedAt: number | null
}

/** A tensor as the file describes it. Lengths and positions are in bytes. */
export interface TensorRecord {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** Of its segment, from the start of the file. */
  readonly offset: number
  readonly byteLength: number
  readonly crc32: number
  /** Position of the `data` vector (of its length), or null where there is none. */
  readonly vectorOffset: number | null
}

/** A state as the metadata describes it. */
export interface StateRecord {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** In the order of the state dict. */
  readonly tensors: TensorTable
}

/** Everything that the metadata of a checkpoint says. Lengths are in bytes. */
export interface Metadata {
  readonly version: number
  readonly metadataLength: number
  readonly fileLength: number
  readonly progress: Progress
  readonly model: StateRecord
  readonly optimizer: StateRecord | null
  readonly extras: readonly StateRecord[]
}

/** The model's name in the file. */
export const MODEL = 'model'
/** The optimizer's. */
export const OPTIMIZER = 'optimizer'

/** All states of a checkpoint, in the order in which their segments stand in the file. */
export function allStates(
  metadata: Pick<Metadata, 'model' | 'optimizer' | 'extras'>,
): StateRecord[] {
  const { model, optimizer, extras } = metadata
  return optimizer === null ? [model, ...extras] : [model, optimizer, ...extras]
}

/** A state's name in a message: an extra's may come from a file, or be anything that a caller chose. */
export function stateName(name: string): string {
  return name === MODEL || name === OPTIMIZER ? name : quote(name)
}
