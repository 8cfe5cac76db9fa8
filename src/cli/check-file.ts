/** The full check of one file: every byte of it, and what was found. */

import { CheckpointError, type CheckpointErrorCode } from '../errors.js'
import type { Checkpoint } from '../load/checkpoint.js'
import { loadCheckpoint } from '../load/load.js'
import type { SegmentReader } from '../load/segment.js'
import type { OnProgress } from '../progress.js'
import type { TensorName } from './metadata.js'

export type Verdict = 'ok' | 'damaged' | 'not a checkpoint' | 'unsupported' | 'unreadable'

export interface Fault {
  /** Other than a CheckpointError where the check itself failed, e.g. for want of memory. */
  readonly error: unknown
  /** Where a tensor is damaged: its length in bytes, and the others over the same bytes. */
  readonly tensor: { readonly byteLength: number; readonly sameAs: readonly TensorName[] } | null
}

export interface FileReport {
  readonly file: string
  readonly verdict: Verdict
  /** In bytes; null, like `tensors`, where the metadata could not be read. */
  readonly byteLength: number | null
  /** Number of tensors. */
  readonly tensors: number | null
  readonly seconds: number
  readonly faults: readonly Fault[]
}

const VERDICTS: { readonly [code in CheckpointErrorCode]?: Verdict } = {
  CKPT_NOT_A_CHECKPOINT: 'not a checkpoint',
  CKPT_VERSION: 'unsupported',
  CKPT_BIG_ENDIAN: 'unsupported',
  CKPT_READ: 'unreadable',
  CKPT_FILE_CHANGED: 'unreadable',
}

/**
 * Checks a file and reports all that is wrong with it. Never throws because of the file; throws the
 * signal's reason. `now` is in milliseconds.
 */
export async function checkFile(
  file: string,
  now: () => number,
  signal: AbortSignal,
  onProgress: OnProgress,
): Promise<FileReport> {
  const start = now()
  const faults: Fault[] = []
  let size: Pick<FileReport, 'byteLength' | 'tensors'> = { byteLength: null, tensors: null }
  try {
    // Not mapped: where a disk has failed, a read of a file is an error that can be reported, and a
    // read of a map the end of the process.
    await using checkpoint = await loadCheckpoint(file, { map: false })
    const tensors = checkpoint.states.reduce((sum, state) => sum + state.size, 0)
    size = { byteLength: checkpoint.byteLength, tensors }
    let names: ReadonlyMap<SegmentReader, TensorName[]> | undefined
    for await (const error of checkpoint.faults({ onProgress, signal })) {
      names ??= namesBySegment(checkpoint)
      // A fault that is yielded names the first tensor over the bytes.
      const state = checkpoint.states.find(({ name }) => name === error.state)!
      const segment = state.get(error.tensor!).segment()
      const [, ...sameAs] = names.get(segment)!
      faults.push({ error, tensor: { byteLength: segment.byteLength, sameAs } })
    }
  } catch (error) {
    signal.throwIfAborted()
    faults.push({ error, tensor: null })
  }
  return { file, verdict: verdictOf(faults), ...size, seconds: (now() - start) / 1000, faults }
}

/** The first fault decides: what comes after damage was found does not undo it. */
function verdictOf([first]: readonly Fault[]): Verdict {
  if (first === undefined) return 'ok'
  if (!(first.error instanceof CheckpointError)) return 'unreadable'
  return VERDICTS[first.error.code] ?? 'damaged'
}

/** Names by the bytes that they stand for. */
function namesBySegment(checkpoint: Checkpoint): ReadonlyMap<SegmentReader, TensorName[]> {
  const names = new Map<SegmentReader, TensorName[]>()
  for (const state of checkpoint.states) {
    for (const [name, tensor] of state) {
      const segment = tensor.segment()
      const others = names.get(segment)
      if (others === undefined) names.set(segment, [{ state: state.name, tensor: name }])
      else others.push({ state: state.name, tensor: name })
    }
  }
  return names
}
