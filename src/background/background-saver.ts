/**
 * Saves while training goes on. A save has two moments: *staged*, when everything has been copied and
 * the trainer may change its weights again, and *durable*, when the commit survives a power cut. What
 * lies between them, checksums, writing and syncing, happens in another thread.
 */

import { tensorBytes } from '../collect.js'
import { type Contents, collectContents } from '../contents.js'
import { CheckpointError, quote } from '../error.js'
import { encode } from '../format/encode.js'
import { gapBytes } from '../format/layout.js'
import type { Durability } from '../io/sink.js'
import { pathOf } from '../load.js'
import { assertLittleEndian } from '../read-metadata.js'
import type { Module, Optimizer } from '../state.js'
import type { SaveOptions, SaveReport } from '../write-checkpoint.js'
import { SinkThread } from './sink-thread.js'
import { StagedWriter } from './staged-writer.js'
import { StagingArea } from './staging-area.js'

/** What becomes of a save while the one before is not durable yet. */
export type WhenBusy = 'wait' | 'skip' | 'error'

export interface BackgroundSaverOptions {
  /**
   * What becomes of a save while the one before is not durable yet: it waits for its turn before it
   * is staged (`wait`, the default), does not take place (`skip`), or throws CKPT_BUSY (`error`).
   */
  readonly whenBusy?: WhenBusy
  /**
   * Memory for what is in flight, in bytes; default without a limit, so that a save takes as much as
   * the state. With less, staging waits for the disk: it takes longer, and holds up the trainer.
   */
  readonly stagingBytes?: number
}

/** A save that goes on in the background. */
export interface BackgroundSave {
  /** The state has been copied: it may change again. Rejects where the save failed before. */
  readonly staged: Promise<void>
  /** The checkpoint is in place and survives a power cut. Rejects like `saveCheckpoint`. */
  readonly durable: Promise<SaveReport>
}

export class BackgroundSaver implements AsyncDisposable {
  readonly #whenBusy: WhenBusy
  readonly #staging: StagingArea
  readonly #thread = new SinkThread()
  #current: Promise<unknown> | undefined
  #closed = false

  constructor(options: BackgroundSaverOptions = {}) {
    const { whenBusy = 'wait', stagingBytes = Number.POSITIVE_INFINITY } = options
    if (!['wait', 'skip', 'error'].includes(whenBusy)) {
      throw new TypeError(`whenBusy must be 'wait', 'skip' or 'error', not ${String(whenBusy)}`)
    }
    if (typeof stagingBytes !== 'number' || !(stagingBytes > 0)) {
      throw new RangeError(`stagingBytes must be a number above 0, not ${String(stagingBytes)}`)
    }
    this.#whenBusy = whenBusy
    this.#staging = new StagingArea(stagingBytes)
  }

  /** Whether a save is not durable yet. */
  get busy(): boolean {
    return this.#current !== undefined
  }

  /**
   * Begins a save. Await `staged` before the weights change; then they may, at any time. A failure
   * that comes later is that of `durable`, which is not to be left without a handler. Null where the
   * save does not take place, as one is under way and `whenBusy` is `skip`.
   */
  save(
    to: string | URL,
    model: Module,
    optimizer?: Optimizer | null,
    options: SaveOptions = {},
  ): BackgroundSave | null {
    if (this.#closed) throw new TypeError('this BackgroundSaver has been closed')
    const path = pathOf(to)
    const before = this.#current
    if (before !== undefined && this.#whenBusy === 'skip') return null
    if (before !== undefined && this.#whenBusy === 'error') {
      throw new CheckpointError('CKPT_BUSY', 'the save before this one is still under way')
    }
    let isStaged = (): void => {}
    let isNotStaged = (_error: unknown): void => {}
    const staged = new Promise<void>((resolve, reject) => {
      isStaged = resolve
      isNotStaged = reject
    })
    // Whoever leaves it aside sees the same error in `durable`.
    staged.catch(() => {})
    const durable = (before ?? Promise.resolve()).then(() =>
      this.#run(path, model, optimizer, options, isStaged),
    )
    const current = durable.then(
      () => {},
      (error) => isNotStaged(error),
    )
    this.#current = current
    void current.then(() => {
      if (this.#current === current) this.#current = undefined
    })
    return { staged, durable }
  }

  /** Resolves when no save is under way. Failures are those of the saves themselves. */
  async flush(): Promise<void> {
    while (this.#current !== undefined) await this.#current
  }

  /** Waits for what is under way, and ends the thread. */
  async close(): Promise<void> {
    this.#closed = true
    await this.flush()
    await this.#thread.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #run(
    path: string,
    model: Module,
    optimizer: Optimizer | null | undefined,
    options: SaveOptions,
    isStaged: () => void,
  ): Promise<SaveReport> {
    const { signal, onProgress } = options
    assertLittleEndian()
    signal?.throwIfAborted()
    const contents = await collectContents(model, optimizer, options)
    signal?.throwIfAborted()
    const metadata = encode(contents.content)
    const { layout } = metadata
    const total = layout.fileLength
    const thread = this.#thread
    try {
      const begun = thread.call({ call: 'begin', path, length: total })
      // Looked at below: the copies need not wait for it.
      begun.catch(() => {})
      const writer = new StagedWriter(thread, this.#staging, metadata.length)
      await stage(writer, contents, metadata, signal)
      isStaged()
      await begun
      await writer.written()
      signal?.throwIfAborted()
      const checksums = (await thread.call({ call: 'checksums' })) as number[]
      const bytes = metadata.seal(contents.sources.map((_, i) => checksums[i] ?? 0))
      await thread.call({ call: 'write', bytes, position: 0, parts: [] })
      await thread.call({ call: 'sync' })
      onProgress?.({ done: total, total })
      signal?.throwIfAborted()
      const durability = (await thread.call({ call: 'commit' })) as Durability
      return { byteLength: total, tensors: contents.tensors, durability }
    } catch (error) {
      await thread.call({ call: 'abort' }).catch(() => {})
      throw error instanceof CheckpointError ? error.withPath(path) : error
    }
  }
}

/**
 * Copies all segments and what stands between them. Tensors in memory are copied in one go, without
 * a turn for anybody else, where there is room: so they are all of one moment.
 */
async function stage(
  writer: StagedWriter,
  { sources }: Contents,
  { length, layout, plain }: ReturnType<typeof encode>,
  signal: AbortSignal | undefined,
): Promise<void> {
  let end = length
  for (const [i, { state, tensor }] of sources.entries()) {
    const offset = layout.offsets[i]!
    const { dtype, byteLength, fetch } = tensor
    const waiting = writer.append(gapBytes(offset - end, byteLength, plain))
    if (waiting !== undefined) await waiting
    const what = `the tensor ${quote(tensor.name)} of ${state}`
    const bytes = tensor.bytes ?? tensorBytes(await fetch!(), dtype, byteLength, what)
    if (bytes.byteLength !== byteLength) {
      throw new CheckpointError(
        'CKPT_TENSOR_CHANGED',
        `nothing was saved: the memory of ${quote(tensor.name)} (${state}) was taken away`,
        { state, tensor: tensor.name },
      )
    }
    const copying = writer.append(bytes, i)
    if (copying !== undefined) {
      await copying
      signal?.throwIfAborted()
    }
    end = offset + byteLength
  }
  writer.flush()
}
