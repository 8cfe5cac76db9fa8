/** The metadata of a checkpoint as plain values: decode returns them, encode takes them. */

import { quote } from '../printable.js'
import type { Attributes } from './attributes.js'
import type { TensorTable } from './tensor-table.js'

/** How far a training run has come. */
export interface Progress {
  readonly epoch: number
  /** Optimizer steps taken. */
  readonly step: number
  /** Null if there is none yet. */
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** JSON text, or null if the save gave none. */
  readonly config: string | null
  /** Position in the order of the run's saves, from 0 up; null if the save gave none. */
  readonly sequence: number | null
  /** Time of the save, in milliseconds since 1970; null if the save gave none. */
  readonly savedAt: number | null
}

/** A state as the metadata describes it. */
export interface StateRecord {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  /** In the order of the state dict. */
  readonly tensors: TensorTable
}

/** The whole metadata of a checkpoint. Lengths are in bytes. */
export interface Metadata {
  readonly version: number
  readonly metadataLength: number
  readonly fileLength: number
  readonly progress: Progress
  readonly model: StateRecord
  readonly optimizer: StateRecord | null
  readonly extras: readonly StateRecord[]
}

/** The name of the model's state in a file. */
export const MODEL = 'model'
/** The name of the optimizer's state in a file. */
export const OPTIMIZER = 'optimizer'

/** All states of a checkpoint, in the order of their segments in the file. */
export function allStates(
  metadata: Pick<Metadata, 'model' | 'optimizer' | 'extras'>,
): StateRecord[] {
  const { model, optimizer, extras } = metadata
  return optimizer === null ? [model, ...extras] : [model, optimizer, ...extras]
}

/** The name of a state for a message. The name of an extra is quoted, because it may come from a file. */
export function stateName(name: string): string {
  return name === MODEL || name === OPTIMIZER ? name : quote(name)
}
