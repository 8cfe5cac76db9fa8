/**
 * What a manager does with a checkpoint that is durable: it reports it, and notices a run that saves the same weights
 * again and again (a cached copy, a model that nothing trains). For that it compares the checksums that each checkpoint
 * has anyway, and reads no tensor.
 */

import { messageOf } from '../errors.js'
import type { Metadata, StateRecord } from '../format/metadata.js'
import type { CheckpointStore } from '../io/store.js'
import { readMetadata } from '../load/metadata.js'
import { quote } from '../printable.js'
import type { SaveReport } from '../save/write.js'
import type { WarnOnce } from './own-checkpoints.js'

/** A checkpoint that a manager has saved. */
export interface SavedReport extends SaveReport {
  /** Its absolute path, or its location in a store without files. */
  readonly path: string
  readonly step: number
  /** Its position in the order of the run's saves. */
  readonly sequence: number
}

/** Reports the checkpoints of one run, in the order of their saves. */
export class SaveReporter {
  readonly #onSaved: ((report: SavedReport) => unknown) | undefined
  readonly #warnOnce: WarnOnce
  readonly #unchanged: UnchangedWatch

  constructor(
    store: CheckpointStore,
    onSaved: ((report: SavedReport) => unknown) | undefined,
    warnOnce: WarnOnce,
  ) {
    this.#unchanged = new UnchangedWatch(store)
    this.#onSaved = onSaved
    this.#warnOnce = warnOnce
  }

  /**
   * Calls `onSaved` and waits for it. Warns if the trained weights are those of the checkpoint before. `name` is that of
   * the checkpoint in its store.
   */
  async report(name: string, report: SavedReport): Promise<void> {
    const { path, step } = report
    try {
      await this.#onSaved?.(report)
    } catch (error) {
      this.#warnOnce(`onSaved ${path}`, `onSaved failed for ${quote(path)}: ${messageOf(error)}`)
    }
    // The file may be gone already, or unreadable; this is only a hint.
    const same = await this.#unchanged.hasSaved(name, step).catch(() => undefined)
    if (same === undefined) return
    this.#warnOnce(
      'unchanged',
      `the checkpoints of the steps ${same} and ${step} have the same trained tensors: is the model that is saved the ` +
        'one that is trained?',
    )
  }
}

/** What is compared of a checkpoint. */
interface Saved {
  readonly step: number
  /** CRC-32 by the names of trained tensors. */
  readonly checksums: ReadonlyMap<string, number>
}

/** Compares each checkpoint of a run with the one before. */
class UnchangedWatch {
  readonly #store: CheckpointStore
  #before: Saved | undefined

  constructor(store: CheckpointStore) {
    this.#store = store
  }

  /**
   * Reads the metadata of a checkpoint that was just saved. Returns the earlier step whose trained tensors are the
   * same, or undefined. Throws if the file cannot be read, for example because it is gone.
   */
  async hasSaved(name: string, step: number): Promise<number | undefined> {
    const source = await this.#store.open(name)
    try {
      const { metadata } = await readMetadata(source)
      const before = this.#before
      this.#before = { step, checksums: checksumsOf(metadata) }
      if (before === undefined || before.step === step) return undefined
      return sameChecksums(before.checksums, this.#before.checksums) ? before.step : undefined
    } finally {
      source.close()
    }
  }
}

/** The checksums of the tensors that are trained: those that the optimizer has buffers for, or else all but frozen ones. */
function checksumsOf({ model, optimizer }: Metadata): ReadonlyMap<string, number> {
  const buffers = optimizer === null ? new Set<string>() : parametersOf(optimizer)
  const { frozen } = model.attributes
  const isFrozen = (name: string) => Array.isArray(frozen) && frozen.includes(name)
  const all: [name: string, checksum: number][] = []
  for (let i = 0; i < model.tensors.length; i++) {
    const { name, crc32 } = model.tensors.at(i)
    all.push([name, crc32])
  }
  const trained = all.filter(([name]) => buffers.has(name))
  return new Map(trained.length > 0 ? trained : all.filter(([name]) => !isFrozen(name)))
}

/** Every end of a buffer's name that may be the name of its parameter: `m/dense/kernel` is for `dense/kernel`. */
function parametersOf({ tensors }: StateRecord): ReadonlySet<string> {
  const names = new Set<string>()
  for (let i = 0; i < tensors.length; i++) {
    const name = tensors.name(i)
    for (const { index } of name.matchAll(/[/.]/g)) names.add(name.slice(index + 1))
  }
  return names
}

function sameChecksums(a: ReadonlyMap<string, number>, b: ReadonlyMap<string, number>): boolean {
  return a.size > 0 && a.size === b.size && [...a].every(([name, sum]) => b.get(name) === sum)
}
