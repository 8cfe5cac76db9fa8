/** What is known of a file before a tensor is read, as plain values that cross between the page and its workers. */

import type { Attributes } from '../../../src/format/attributes.js'
import type { DType } from '../../../src/format/dtype.js'

/** A file that is looked at. A worker opens it for itself: a Blob or File as it is, an address by ranges. */
export interface ViewedFile {
  /** Distinguishes the file, at its version, from every other one of the page. */
  readonly id: string
  /** Without its folder. */
  readonly name: string
  readonly from: Blob | string
  /** Text that changes with the content, and is the same the next time; undefined if it is not known. */
  readonly version?: string
  /** Files of the same folder that the file names, such as shards. */
  readonly siblings?: { readonly [name: string]: Blob }
}

/** A tensor of a file. */
export interface TensorFacts {
  readonly state: string
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** In bytes. */
  readonly byteLength: number
  /** Where its bytes are, and their CRC-32; null in files of other formats. */
  readonly segment: { readonly offset: number; readonly crc32: number } | null
}

/** A state of a file. */
export interface StateFacts {
  readonly name: string
  readonly kind: string | null
  readonly attributes: Attributes
  readonly tensors: readonly TensorFacts[]
}

/** The whole of a file but for its tensors' bytes. */
export interface FileFacts {
  /** `ckpt`, `safetensors`, `pytorch`, … */
  readonly format: string
  readonly epoch: number | null
  readonly step: number | null
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  readonly config: string | null
  readonly sequence: number | null
  readonly savedAt: number | null
  /** In bytes. */
  readonly byteLength: number
  /** Bytes before the tensors; null in files of other formats. */
  readonly metadataLength: number | null
  /** The model, the optimizer if there is one, then the extras. */
  readonly states: readonly StateFacts[]
}

/**
 * What distinguishes a tensor's bytes, for results that are kept: its dtype, length and checksum. Null if no checksum
 * is known.
 */
export function contentKey({ dtype, byteLength, segment }: TensorFacts): string | null {
  return segment === null ? null : `${dtype} ${byteLength} ${segment.crc32.toString(16)}`
}

/** Whether two tensors are known to hold the same bytes as the same dtype, without a look at them. */
export function sameContent(a: TensorFacts, b: TensorFacts): boolean {
  const key = contentKey(a)
  return key !== null && key === contentKey(b)
}
