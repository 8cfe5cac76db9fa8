/** Compares two checkpoints in Node: `lightwatch-checkpoint/diff`. Long tensors are compared by several threads. */

import type { Checkpoint } from '../../load/checkpoint.js'
import { type CheckpointDiff, type DiffOptions, diffWith } from '../diff.js'
import { comparisonThreads } from './comparison-threads.js'

export type {
  CheckpointDiff,
  Difference,
  DiffOptions,
  HealthOptions,
  NonFiniteTensor,
  StateChange,
  TensorChange,
  TensorFacts,
  ValueChange,
} from '../diff.js'
export { checkHealth } from '../diff.js'

/**
 * Compares two open checkpoints: progress, config, attributes, and tensors by name. Tensors of equal dtype, shape,
 * length and checksum are the same and are not read. The others are read once, in pieces, and their checksums are
 * verified. Tensors of files are compared by several threads, with the same results.
 *
 * @throws CheckpointError CKPT_TENSOR_CHECKSUM if the bytes read are damaged; otherwise the errors of a read
 */
export async function diffCheckpoints(
  before: Checkpoint,
  after: Checkpoint,
  options: DiffOptions = {},
): Promise<CheckpointDiff> {
  return diffWith(before, after, options, comparisonThreads)
}
