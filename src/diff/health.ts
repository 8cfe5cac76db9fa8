/** Looks for NaN and infinities in the tensors of a checkpoint. */

import { mayBeNonFinite, type Numbers, numbersOf } from '../format/numbers.js'
import type { Checkpoint } from '../load/checkpoint.js'
import type { CheckpointTensor } from '../load/state.js'
import { givenOptions, type OptionNames } from '../options.js'
import type { OnProgress } from '../progress.js'
import { verifiedPieces } from './tensors.js'

/** Options of the search. */
export interface HealthOptions {
  /** Bytes of tensors read so far, and in total. */
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const HEALTH_OPTIONS: OptionNames<HealthOptions> = { onProgress: true, signal: true }

/** A tensor with NaN or infinite numbers. For a complex tensor, real and imaginary parts are counted separately. */
export interface NonFiniteTensor {
  readonly state: string
  readonly tensor: string
  readonly nan: number
  readonly infinite: number
}

/**
 * Returns the tensors that contain NaN or infinities. Each tensor whose dtype has them is read once, in pieces, and
 * verified; the others are not read.
 *
 * @throws CheckpointError CKPT_TENSOR_CHECKSUM if a tensor is damaged; otherwise the errors of a read
 */
export async function checkHealth(
  checkpoint: Checkpoint,
  options: HealthOptions = {},
): Promise<NonFiniteTensor[]> {
  const { onProgress, signal } = givenOptions('checkHealth', HEALTH_OPTIONS, options)
  const tensors: { readonly state: string; readonly tensor: CheckpointTensor }[] = []
  const seen = new Set<number>()
  let total = 0
  for (const state of checkpoint.states) {
    for (const [, tensor] of state) {
      const { offset } = tensor.segment()
      // Tied tensors are read once, under the first of their names.
      if (!mayBeNonFinite(tensor.dtype) || seen.has(offset)) continue
      if (tensor.byteLength > 0) seen.add(offset)
      tensors.push({ state: state.name, tensor })
      total += tensor.byteLength
    }
  }
  const found: NonFiniteTensor[] = []
  let done = 0
  for (const { state, tensor } of tensors) {
    let nan = 0
    let infinite = 0
    for await (const bytes of verifiedPieces(tensor)) {
      signal?.throwIfAborted()
      const numbers = numbersOf(tensor.dtype, bytes)
      const all = countNonFinite(numbers)
      if (all > 0) {
        const ofPiece = countNan(numbers)
        nan += ofPiece
        infinite += all - ofPiece
      }
      done += bytes.byteLength
      if (done < total) onProgress?.({ done, total })
    }
    if (nan + infinite > 0) found.push({ state, tensor: tensor.name, nan, infinite })
  }
  await checkpoint.checkUnchanged()
  onProgress?.({ done: total, total })
  return found
}

function countNonFinite(numbers: Numbers): number {
  const values = numbers as Float32Array | Float64Array
  let count = 0
  // A number minus itself is 0 if it is finite, and NaN otherwise.
  for (let i = 0; i < values.length; i++) if (values[i]! - values[i]! !== 0) count++
  return count
}

function countNan(numbers: Numbers): number {
  const values = numbers as Float32Array | Float64Array
  let count = 0
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) count++
  return count
}
