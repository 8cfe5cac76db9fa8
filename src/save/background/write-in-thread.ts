/**
 * One save, written by another thread: the states are collected and staged here, and a thread with a
 * file sink writes what was staged, seals and commits it.
 */

import { unlink } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { CheckpointError } from '../../errors.js'
import { crc32 } from '../../format/checksum.js'
import { encode, type UnsealedMetadata } from '../../format/encode.js'
import { gapBytes } from '../../format/layout.js'
import { nextTurn } from '../../io/concurrency.js'
import { libc } from '../../io/file/libc.js'
import type { Durability } from '../../io/sink.js'
import { assertLittleEndian } from '../../load/metadata.js'
import { quote } from '../../printable.js'
import type { Module, Optimizer } from '../../state.js'
import { type Copy, copyTogether } from '../../threads/shared-copies.js'
import type { SinkThread } from '../../threads/sink-thread.js'
import { ThreadEndedError } from '../../threads/thread.js'
import { tensorBytes } from '../collect.js'
import { type Contents, collectContents } from '../plan.js'
import type { SaveOptions, SaveReport } from '../write.js'
import { StagedWriter } from './staged-writer.js'
import { PIECE_LENGTH, type StagingArea } from './staging-area.js'

// Bytes from which the thread that writes is worth to be asked for help with copies.
const WORTH_HELP = 32 * 1024 * 1024

/** Where a save goes, and what takes it there. */
export interface ThreadTarget {
  readonly thread: SinkThread
  readonly staging: StagingArea
  readonly path: string
}

/**
 * Carries out a save. Calls `onStaged` when the trainer may change its memory again, and resolves
 * when the checkpoint is durable. Rejects like `saveCheckpoint`; nothing is left behind then.
 */
export async function writeInThread(
  { thread, staging, path }: ThreadTarget,
  model: Module,
  optimizer: Optimizer | null | undefined,
  options: SaveOptions,
  onStaged: () => void,
): Promise<SaveReport> {
  const { signal, onProgress, durable = true } = options
  assertLittleEndian()
  signal?.throwIfAborted()
  const contents = await collectContents(model, optimizer, options)
  signal?.throwIfAborted()
  const metadata = encode(contents.content)
  const total = metadata.layout.fileLength
  const onWritten = (done: number): void => {
    // The end is reported when all of it is on the disk.
    if (done < total) onProgress?.({ done, total })
  }
  const copyAll = total < WORTH_HELP ? undefined : await copiesWith(thread)
  const writer = new StagedWriter(thread, staging, metadata.length, onWritten, copyAll)
  let temporary: string | undefined
  let committing = false
  try {
    thread.start()
    const begun = thread.call({ call: 'begin', path, length: total, durable }).then((created) => {
      temporary = created as string
    })
    // Looked at below: the copies need not wait for it.
    begun.catch(() => {})
    const inOneGo = await stage(writer, contents, metadata, signal)
    const checksums = async (): Promise<number[]> => {
      await begun
      await writer.written()
      signal?.throwIfAborted()
      const bySegment = (await thread.call({ call: 'checksums' })) as number[]
      // Of a segment without bytes it has heard nothing.
      return contents.sources.map((_, i) => bySegment[i] ?? 0)
    }
    if (!inOneGo) await checkUnchanged(contents, await checksums(), signal)
    onStaged()
    const bytes = metadata.seal(await checksums())
    await thread.call({ call: 'write', bytes, position: 0, parts: [] })
    await thread.call({ call: 'sync' })
    // Before the commit: what it throws ends the save, which nothing can do afterwards.
    onProgress?.({ done: total, total })
    signal?.throwIfAborted()
    committing = true
    const durability = (await thread.call({ call: 'commit' })) as Durability
    return { byteLength: total, tensors: contents.tensors, durability }
  } catch (error) {
    writer.release()
    // After the writes that are still under way. A thread that has died has left its file behind.
    // (Where the commit had taken place, there is none of that name any more.)
    await thread.call({ call: 'abort' }).catch(async () => {
      if (temporary !== undefined) await unlink(temporary).catch(() => {})
    })
    if (error instanceof ThreadEndedError) throw threadEnded(error, committing).withPath(path)
    throw error instanceof CheckpointError ? error.withPath(path) : error
  }
}

/** Copies with the help of the thread that is going to write; undefined where there is none to be had. */
async function copiesWith(
  thread: SinkThread,
): Promise<((copies: readonly Copy[]) => void) | undefined> {
  const calls = availableParallelism() === 1 ? undefined : (await libc()).memory
  if (calls === undefined) return undefined
  return (copies) => {
    copyTogether(copies, calls, (list) => {
      // Where it fails the next call tells of it.
      thread.call({ call: 'copy', list }).catch(() => {})
    })
  }
}

/**
 * Copies all segments and what stands between them. Tensors in memory are copied in one go, without
 * a turn for anybody else, where there is room: so they are all of one moment. Resolves to whether
 * there was.
 */
async function stage(
  writer: StagedWriter,
  { sources }: Contents,
  { length, layout, plain }: UnsealedMetadata,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let end = length
  let inOneGo = true
  for (const [i, { state, tensor }] of sources.entries()) {
    const offset = layout.offsets[i]!
    const { dtype, byteLength, fetch } = tensor
    const waiting = writer.append(gapBytes(offset - end, byteLength, plain))
    if (waiting !== undefined) {
      inOneGo = false
      await waiting
    }
    if (tensor.bytes === undefined) writer.copy()
    const what = `the tensor ${quote(tensor.name)} of ${state}`
    const bytes = tensor.bytes ?? tensorBytes(await fetch!(), dtype, byteLength, what)
    if (bytes.byteLength !== byteLength) throw takenAway(state, tensor.name)
    const copying = writer.append(bytes, i)
    if (copying !== undefined) {
      inOneGo = false
      await copying
      if (bytes.byteLength !== byteLength) throw takenAway(state, tensor.name)
      signal?.throwIfAborted()
    }
    end = offset + byteLength
  }
  writer.flush()
  return inOneGo
}

/**
 * Checks that the trainer's memory still holds what was copied while others had their turns: a step
 * that was taken in between would leave a file of some old and some new weights, with checksums that
 * fit. (What was fetched is gone by now.)
 */
async function checkUnchanged(
  { sources }: Contents,
  checksums: readonly number[],
  signal: AbortSignal | undefined,
): Promise<void> {
  for (const [i, { state, tensor }] of sources.entries()) {
    const { bytes, byteLength, name } = tensor
    if (bytes === undefined) continue
    if (bytes.byteLength !== byteLength) throw takenAway(state, name)
    let crc = 0
    for (let done = 0; done < byteLength; done += PIECE_LENGTH) {
      crc = crc32(bytes.subarray(done, done + PIECE_LENGTH), crc)
      if (done + PIECE_LENGTH < byteLength) await nextTurn()
      signal?.throwIfAborted()
    }
    if (crc === checksums[i]) continue
    throw new CheckpointError(
      'CKPT_TENSOR_CHANGED',
      `nothing was saved: ${quote(name)} (${state}) was changed before it was staged; await ` +
        '`staged` before the next training step',
      { state, tensor: name },
    )
  }
}

function takenAway(state: string, tensor: string): CheckpointError {
  return new CheckpointError(
    'CKPT_TENSOR_CHANGED',
    `nothing was saved: the memory of ${quote(tensor)} (${state}) was taken away before it was staged`,
    { state, tensor },
  )
}

function threadEnded(cause: ThreadEndedError, committing: boolean): CheckpointError {
  return committing
    ? new CheckpointError(
        'CKPT_NOT_DURABLE',
        `it is uncertain whether the new checkpoint is in place: ${cause.message} during the commit`,
        { cause },
      )
    : new CheckpointError(
        'CKPT_NOT_COMMITTED',
        `nothing was saved, and what was there before is untouched: ${cause.message}`,
        { cause },
      )
}
