/**
 * Computes what the views show, in workers. What was computed once is kept by the checksums of the tensors: it is there
 * at once the next time, in this file or another one.
 */

import type { Difference } from '../../../src/diff/difference.js'
import { fromPlainError } from '../../../src/threads/plain-error.js'
import {
  contentKey,
  type FileFacts,
  sameContent,
  type TensorFacts,
  type ViewedFile,
} from './facts.js'
import type { FilePair, Job, Outcome, ResultOf, TensorPair, Verification } from './jobs.js'
import { type PackedFacts, packTensors, unpackFacts } from './packed-facts.js'
import type { Extremes, Picture, PictureRequest } from './picture.js'
import type { RunOptions, WorkerPool } from './pool.js'
import type { Results } from './results.js'
import type { TensorStatistics } from './statistics.js'

// Bytes of tensors in one job, which one worker does: few enough for all workers to end together.
const JOB = 48 * 1024 * 1024

// Pairs of files in one job, in which the bytes of one file serve two pairs. The first file is read once more.
const PAIRS = 8

// Statistics that are kept as one record.
const GROUP = 64

// Files whose facts are one job, and kept as one record: a run that has grown has the same records at its beginning.
const FILES = 16

// Tensors of a group that are shorter than this on average, in bytes, are computed again sooner than read.
const SMALL = 64

// Names of files that name others: an index of shards, the optimizer in a folder of a trainer.
const WITH_SIBLINGS = /\.(json|pt|bin)$/i

/** Called with each result. Those of tensors over the same bytes come together. */
export type OnTensor<T> = (tensor: TensorFacts, outcome: Outcome<T>) => void

/** Statistics, differences and facts, computed in workers and kept. */
export class Compute {
  readonly #pool: WorkerPool
  readonly #results: Results

  constructor(pool: WorkerPool, results: Results) {
    this.#pool = pool
    this.#results = results
  }

  /** Prepares for work that is about to come. */
  warm(): void {
    this.#pool.warm()
  }

  /** The facts of files, each as it comes: `i` is the file's index. */
  async facts(
    files: readonly ViewedFile[],
    onFile: (i: number, outcome: Outcome<FileFacts>) => void,
    options: RunOptions = {},
  ): Promise<void> {
    // Those of one file may be as long as its metadata, and it will be read anyway.
    const keys = files.length === 1 ? [undefined] : files.map(factsKey)
    const groups = chunks(keys, FILES).map(([, some]) => some.filter((key) => key !== undefined))
    await this.#results.load(groups.filter(({ length }) => length > 0))
    options.signal?.throwIfAborted()
    const missing: number[] = []
    for (const [i, key] of keys.entries()) {
      const value = key === undefined ? undefined : this.#results.peek<PackedFacts>(key)
      if (value === undefined) missing.push(i)
      else onFile(i, { value: unpackFacts(value) })
    }
    const size = Math.max(1, Math.min(FILES, Math.ceil(missing.length / this.#pool.size)))
    await allOf(options.signal, (signal) =>
      chunks(missing, size).map(([, some]) =>
        this.#pool.run(
          { kind: 'facts', files: some.map((i) => lean(files[i]!)) },
          ({ at, outcome }) => {
            const i = some[at[0]]!
            if (outcome.error !== undefined) onFile(i, outcome)
            else {
              if (keys[i] !== undefined) this.#results.set(keys[i], outcome.value)
              onFile(i, { value: unpackFacts(outcome.value) })
            }
          },
          { ...options, signal },
        ),
      ),
    )
  }

  /** The statistics of a tensor, if they are known without any wait. */
  knownStatistics(file: ViewedFile, tensor: TensorFacts): TensorStatistics | undefined {
    return this.#results.peek(statisticsKey(file, tensor))
  }

  /** The statistics of tensors of one file, each as it comes; those that are known come first. */
  async statistics(
    file: ViewedFile,
    tensors: readonly TensorFacts[],
    onTensor: OnTensor<TensorStatistics>,
    options: RunOptions = {},
  ): Promise<void> {
    const wanted = new Map<string, TensorFacts[]>()
    for (const tensor of tensors) append(wanted, statisticsKey(file, tensor), tensor)
    const keyed = [...wanted].filter(([, [first]]) => first!.segment !== null)
    const groups = chunks(keyed, GROUP)
      .map(([, some]) => some)
      .filter(
        (some) => some.reduce((sum, [, [t]]) => sum + t!.byteLength, 0) >= SMALL * some.length,
      )
    await this.#results.load(groups.map((some) => some.map(([key]) => key)))
    options.signal?.throwIfAborted()
    const missing: TensorFacts[][] = []
    for (const [key, same] of wanted) {
      const value = this.#results.peek<TensorStatistics>(key)
      if (value === undefined) missing.push(same)
      else for (const tensor of same) onTensor(tensor, { value })
    }
    const jobs = jobsOf(missing, ([tensor]) => tensor!.byteLength)
    await allOf(options.signal, (signal) =>
      jobs.map((job) =>
        this.#pool.run(
          {
            kind: 'statistics',
            file: lean(file),
            tensors: packTensors(job.map(([tensor]) => tensor!)),
          },
          ({ at, outcome }) => {
            const same = job[at[0]]!
            if (outcome.error === undefined) {
              this.#results.set(statisticsKey(file, same[0]!), outcome.value)
            }
            for (const tensor of same) onTensor(tensor, outcome)
          },
          { ...options, signal },
        ),
      ),
    )
  }

  /**
   * The differences between the tensors of files, pair by pair. `onPair` is called with the index of the pair of files
   * and of the pair of tensors. Tensors with equal checksums are told without a byte read: null.
   */
  async differences(
    pairs: readonly FilePair[],
    onPair: (at: readonly [number, number], outcome: Outcome<Difference | null>) => void,
    options: RunOptions = {},
  ): Promise<void> {
    const keys = pairs.map((pair) => pair.tensors.map((tensors) => differenceKey(pair, tensors)))
    const keyed = keys.map((some, i) =>
      some.filter((_, k) => {
        const { before, after } = pairs[i]!.tensors[k]!
        return before.segment !== null && after.segment !== null && !sameContent(before, after)
      }),
    )
    await this.#results.load(keyed.filter(({ length }) => length > 0))
    options.signal?.throwIfAborted()
    const missing: { readonly i: number; readonly at: number[] }[] = []
    for (const [i, { tensors }] of pairs.entries()) {
      const at: number[] = []
      for (const [k, { before, after }] of tensors.entries()) {
        if (sameContent(before, after)) onPair([i, k], { value: null })
        else {
          const value = this.#results.peek<Difference>(keys[i]![k]!)
          if (value === undefined) at.push(k)
          else onPair([i, k], { value })
        }
      }
      // Several workers share a pair of large files.
      const bytesOf = (k: number): number => tensors[k]!.after.byteLength
      missing.push(...jobsOf(at, bytesOf).map((some) => ({ i, at: some })))
    }
    const spans = spansOf(missing, this.#pool.size, ({ i, at }) =>
      at.reduce((sum, k) => sum + pairs[i]!.tensors[k]!.after.byteLength, 0),
    )
    await allOf(options.signal, (signal) =>
      spans.map((span) =>
        this.#pool.run(
          {
            kind: 'differences',
            pairs: span.map(({ i, at }) => {
              const { before, after, tensors } = pairs[i]!
              return {
                before: lean(before),
                after: lean(after),
                tensors: at.map((k) => tensors[k]!),
              }
            }),
          },
          ({ at: [n, m], outcome }) => {
            const { i, at } = span[n]!
            const k = at[m!]!
            if (outcome.error === undefined) this.#results.set(keys[i]![k]!, outcome.value)
            onPair([i, k], outcome)
          },
          { ...options, signal },
        ),
      ),
    )
  }

  /** Reads the whole file, and calls `onPart` with how far that is, and with each damage. */
  async faults(
    file: ViewedFile,
    onPart: (part: Verification) => void,
    options: RunOptions = {},
  ): Promise<void> {
    await this.#pool.run(
      { kind: 'faults', file },
      ({ outcome }) => outcome.value && onPart(outcome.value),
      options,
    )
  }

  /**
   * A picture of a plane of a tensor. `minus`: of its differences to a tensor of the same shape. Throws the error of the
   * read.
   */
  picture(
    file: ViewedFile,
    tensor: TensorFacts,
    request: PictureRequest,
    options: RunOptions = {},
    minus?: { readonly file: ViewedFile; readonly tensor: TensorFacts },
  ): Promise<Picture> {
    return this.#only<'picture'>({ kind: 'picture', file, tensor, request, minus }, options)
  }

  /** The first and the largest elements of a tensor. Throws the error of the read. */
  extremes(file: ViewedFile, tensor: TensorFacts, options: RunOptions = {}): Promise<Extremes> {
    return this.#only<'extremes'>({ kind: 'extremes', file, tensor }, options)
  }

  /** The result of a job that has one. */
  async #only<K extends Job['kind']>(
    job: Extract<Job, { kind: K }>,
    options: RunOptions,
  ): Promise<ResultOf[K]> {
    const found: Outcome<ResultOf[K]>[] = []
    await this.#pool.run<K>(job, ({ outcome }) => found.push(outcome), options)
    const [outcome] = found
    if (outcome?.error === undefined) return outcome!.value!
    throw fromPlainError(outcome.error)
  }
}

/** The file without the other ones of its folder, unless it may name them: each message would carry them all. */
function lean({ id, name, from, siblings }: ViewedFile): ViewedFile {
  return siblings === undefined || !WITH_SIBLINGS.test(name)
    ? { id, name, from }
    : { id, name, from, siblings }
}

/** What the facts of a file depend on; undefined if its version is not known. */
function factsKey({ name, version }: ViewedFile): string | undefined {
  return version && `f ${version} ${name}`
}

function statisticsKey(file: ViewedFile, tensor: TensorFacts): string {
  return `s ${contentKey(tensor) ?? `${file.id} ${tensor.state} ${tensor.name}`}`
}

function differenceKey(files: FilePair, { before, after }: TensorPair): string {
  const side = (file: ViewedFile, tensor: TensorFacts): string =>
    contentKey(tensor) ?? `${file.id} ${tensor.state} ${tensor.name}`
  return `d ${side(files.before, before)} ${side(files.after, after)}`
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const there = map.get(key)
  if (there === undefined) map.set(key, [value])
  else there.push(value)
}

/** Parts of a list, with the index of their first item. */
function chunks<T>(items: readonly T[], size: number): [start: number, some: T[]][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => [
    i * size,
    items.slice(i * size, (i + 1) * size),
  ])
}

/**
 * Divides work into jobs of about equal length. The first results come soon; then what is a job of its own, the longest
 * ahead, so that no worker ends long after the others.
 */
function jobsOf<T>(items: readonly T[], bytesOf: (item: T) => number): T[][] {
  const large = items.filter((item) => bytesOf(item) >= JOB).sort((a, b) => bytesOf(b) - bytesOf(a))
  const jobs = large.map((item) => [item])
  let job: T[] = []
  let bytes = 0
  for (const item of items) {
    if (bytesOf(item) >= JOB) continue
    if (bytes + bytesOf(item) > JOB) {
      jobs.push(job)
      job = []
      bytes = 0
    }
    job.push(item)
    bytes += bytesOf(item)
  }
  if (job.length > 0) jobs.push(job)
  const [first] = jobs.splice(large.length, 1)
  return first === undefined ? jobs : [first, ...jobs]
}

/** Divides the pairs of a run into spans that follow one another. */
function spansOf<T>(items: readonly T[], workers: number, bytesOf: (item: T) => number): T[][] {
  const most = Math.max(1, Math.min(PAIRS, Math.ceil(items.length / workers)))
  const spans: T[][] = []
  let span: T[] = []
  let bytes = 0
  for (const item of items) {
    if (span.length >= most || (span.length > 0 && bytes + bytesOf(item) > 2 * JOB)) {
      spans.push(span)
      span = []
      bytes = 0
    }
    span.push(item)
    bytes += bytesOf(item)
  }
  if (span.length > 0) spans.push(span)
  return spans
}

/** Waits for all. The first failure ends the others, and is thrown. */
async function allOf(
  outer: AbortSignal | undefined,
  begin: (signal: AbortSignal) => Promise<void>[],
): Promise<void> {
  const controller = new AbortController()
  const abort = (): void => controller.abort(outer!.reason)
  if (outer?.aborted) abort()
  outer?.addEventListener('abort', abort)
  try {
    const all = begin(controller.signal)
    await Promise.all(all).catch(async (error) => {
      controller.abort(error)
      await Promise.allSettled(all)
      throw error
    })
  } finally {
    outer?.removeEventListener('abort', abort)
  }
}
