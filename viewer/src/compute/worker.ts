/**
 * What runs in a worker of the page, or in a thread of `ckpt view`: it opens files for itself, reads tensors, and posts
 * results as they come.
 */

import { differenceOf, Workspace } from '../../../src/diff/tensors.js'
import { crc32 } from '../../../src/format/checksum.js'
import { nextTurn } from '../../../src/io/concurrency.js'
import { toPlainError } from '../../../src/threads/plain-error.js'
import type { TensorFacts, ViewedFile } from './facts.js'
import type { Job, Outcome, Part, Request, Response, Verification } from './jobs.js'
import { type OpenFile, openFile } from './open-file.js'
import { type PackedFacts, packFacts, unpackTensors } from './packed-facts.js'
import { packStatistics } from './packed-statistics.js'
import { extremesOf, pictureOf } from './picture.js'
import { StatisticsSums, type TensorStatistics } from './statistics.js'

// Bytes of a piece of a tensor: whole elements of every dtype.
const PIECE = 3 * 1024 * 1024

// Files that stay open: those of the last pair, and the next one.
const OPEN_FILES = 3

// Files whose facts are read at once: each is a request or two, which wait for the server.
const FACTS_AT_ONCE = 4

// Milliseconds after which results are posted, and messages are looked for.
const TURN = 40

/** The side of a worker that jobs come from. */
export interface JobPort {
  postMessage(message: Response): void
  addEventListener(type: 'message', listener: (event: { data: Request }) => void): void
}

/** Opens a file that a job names. */
export type Open = (file: ViewedFile) => Promise<OpenFile>

/** Carries out the jobs that come by `port`, one after the other. */
export function serveJobs(port: JobPort, open: Open = openFile): void {
  const running = new Map<number, AbortController>()
  const files = new OpenFiles(open)
  const memory = new JobMemory()
  let last: Promise<void> = Promise.resolve()
  port.addEventListener('message', ({ data }) => {
    if ('cancel' in data) {
      running.get(data.id)?.abort()
      return
    }
    const { id, job } = data
    const controller = new AbortController()
    running.set(id, controller)
    last = last.then(async () => {
      const outbox = new Outbox((parts) =>
        port.postMessage(
          job.kind === 'statistics'
            ? { id, statistics: packStatistics(parts as Part<TensorStatistics>[]) }
            : { id, parts },
        ),
      )
      try {
        await carryOut(job, files, memory, outbox, controller.signal)
        outbox.flush()
        port.postMessage({ id, end: true })
      } catch (error) {
        port.postMessage({ id, end: true, error: toPlainError(error) })
      } finally {
        running.delete(id)
      }
    })
  })
}

/** The memory of a worker, which all its jobs use: new memory costs more than what is computed in it. */
class JobMemory {
  #pieces: readonly Uint8Array[] | undefined
  #workspace: Workspace | undefined

  /** Two pieces of a tensor. */
  get pieces(): readonly Uint8Array[] {
    this.#pieces ??= [new Uint8Array(PIECE), new Uint8Array(PIECE)]
    return this.#pieces
  }

  get workspace(): Workspace {
    this.#workspace ??= new Workspace()
    return this.#workspace
  }
}

/** Collects results, so that thousands of small ones are a few messages. The first is posted at once. */
class Outbox {
  readonly #post: (parts: Part<unknown>[]) => void
  #parts: Part<unknown>[] = []
  #last = Number.NEGATIVE_INFINITY

  constructor(post: (parts: Part<unknown>[]) => void) {
    this.#post = post
  }

  add(at: Part<unknown>['at'], outcome: Outcome<unknown>): void {
    this.#parts.push({ at, outcome })
    if (performance.now() - this.#last >= TURN) this.flush()
  }

  flush(): void {
    if (this.#parts.length > 0) this.#post(this.#parts)
    this.#parts = []
    this.#last = performance.now()
  }
}

/** The files that were used last. */
class OpenFiles {
  readonly #open: Open
  readonly #files = new Map<string, Promise<OpenFile>>()

  constructor(open: Open) {
    this.#open = open
  }

  /** Opens a file that the caller closes. */
  once(file: ViewedFile): Promise<OpenFile> {
    return this.#open(file)
  }

  get(file: ViewedFile): Promise<OpenFile> {
    const key = keyOf(file)
    const known = this.#files.get(key)
    this.#files.delete(key)
    const opened = known ?? this.#open(file)
    this.#files.set(key, opened)
    // A file that could not be opened is tried again the next time.
    opened.catch(() => this.#files.get(key) === opened && this.#files.delete(key))
    for (const [id, old] of this.#files) {
      if (this.#files.size <= OPEN_FILES) break
      this.#files.delete(id)
      old.then(
        (file) => file.close(),
        () => {},
      )
    }
    return opened
  }
}

/** What a file is, whatever a page calls it: threads of `ckpt view` work for several pages. */
function keyOf({ id, from, version }: ViewedFile): string {
  return [id, typeof from === 'string' ? from : '', version].join('\n')
}

async function carryOut(
  job: Job,
  files: OpenFiles,
  memory: JobMemory,
  outbox: Outbox,
  signal: AbortSignal,
): Promise<void> {
  let since = performance.now()
  const turn = async (): Promise<void> => {
    if (performance.now() - since > TURN) {
      // A message that cancels the job is handled meanwhile.
      await nextTurn()
      since = performance.now()
    }
    signal.throwIfAborted()
  }
  switch (job.kind) {
    case 'facts': {
      // One file is looked at further. Of many, each is closed.
      const isOne = job.files.length === 1
      const factsOf = async (file: ViewedFile): Promise<PackedFacts> => {
        const opened = await (isOne ? files.get(file) : files.once(file))
        try {
          return packFacts(await opened.facts())
        } finally {
          if (!isOne) opened.close()
        }
      }
      const left = job.files.entries()
      const readOn = async (): Promise<void> => {
        for (const [i, file] of left) {
          await turn()
          outbox.add([i], await outcomeOf(() => factsOf(file), signal))
        }
      }
      await Promise.all(Array.from({ length: FACTS_AT_ONCE }, readOn))
      return
    }
    case 'statistics': {
      const tensors = unpackTensors(job.tensors)
      const { pieces } = memory
      const opened = files.get(job.file)
      ;(await opened.catch(() => undefined))?.plan(tensors)
      try {
        for (const [i, facts] of tensors.entries()) {
          const compute = async () => statisticsOf(await opened, facts, pieces, turn)
          outbox.add([i], await outcomeOf(compute, signal))
        }
      } finally {
        // Of a job that was cancelled: what comes next reads something else.
        ;(await opened.catch(() => undefined))?.plan([])
      }
      return
    }
    case 'faults': {
      const file = await files.get(job.file)
      const post = (value: Verification) => outbox.add([0], { value })
      for await (const fault of file.faults((progress) => post(progress), signal)) {
        const { code, message, state = '', tensor = '', offset = 0 } = fault
        post({ fault: { code, message, state, tensor, offset } })
      }
      return
    }
    case 'picture': {
      const { file, tensor, request, minus } = job
      const readable = async (side: { file: ViewedFile; tensor: TensorFacts }) =>
        (await files.get(side.file)).tensor(side.tensor)
      const compute = async () =>
        pictureOf(await readable({ file, tensor }), request, turn, minus && (await readable(minus)))
      outbox.add([0], await outcomeOf(compute, signal))
      return
    }
    case 'extremes': {
      const { file, tensor } = job
      const compute = async () => extremesOf(await (await files.get(file)).tensor(tensor), turn)
      outbox.add([0], await outcomeOf(compute, signal))
      return
    }
    case 'differences': {
      const { workspace } = memory
      for (const [i, { before, after, tensors }] of job.pairs.entries()) {
        const opened = [files.get(before), files.get(after)] as const
        const sides = await Promise.all(opened.map((file) => file.catch(() => undefined)))
        sides[0]?.plan(tensors.map((pair) => pair.before))
        sides[1]?.plan(tensors.map((pair) => pair.after))
        // The next file is opened, and begins to be read, while this pair is compared.
        const next = job.pairs[i + 1]
        if (next !== undefined) {
          files.get(next.after).then(
            (file) =>
              file.plan(
                next.tensors.map((pair) => pair.after),
                true,
              ),
            () => {},
          )
        }
        for (const [k, pair] of tensors.entries()) {
          await turn()
          const compute = async () => {
            const [a, b] = [await opened[0], await opened[1]]
            const [left, right] = [await a.tensor(pair.before), await b.tensor(pair.after)]
            return differenceOf(left, right, workspace, () => signal.throwIfAborted())
          }
          outbox.add([i, k], await outcomeOf(compute, signal))
        }
      }
    }
  }
}

/** An abort ends the job; any other failure is a result. */
async function outcomeOf<T>(compute: () => Promise<T>, signal: AbortSignal): Promise<Outcome<T>> {
  try {
    return { value: await compute() }
  } catch (error) {
    signal.throwIfAborted()
    return { error: toPlainError(error) }
  }
}

/** Reads a piece into one of two pieces of memory, while it computes with the other one. */
async function statisticsOf(
  file: OpenFile,
  facts: TensorFacts,
  memory: readonly Uint8Array[],
  turn: () => Promise<void>,
): Promise<TensorStatistics> {
  const segment = (await file.tensor(facts)).segment()
  const { source, offset, end } = segment
  const sums = new StatisticsSums(facts.dtype)
  let crc = 0
  const read = async (i: number): Promise<Uint8Array> => {
    const start = offset + i * PIECE
    const bytes = memory[i % 2]!.subarray(0, Math.min(PIECE, end - start))
    await source.read(bytes, start)
    return bytes
  }
  const count = Math.ceil((end - offset) / PIECE)
  let coming = count > 0 ? read(0) : undefined
  try {
    for (let i = 0; i < count; i++) {
      const bytes = await coming!
      coming = i + 1 < count ? read(i + 1) : undefined
      // Handled when its turn comes.
      coming?.catch(() => {})
      await turn()
      crc = crc32(bytes, crc)
      sums.add(bytes)
    }
  } finally {
    // The memory is used again.
    await coming?.catch(() => {})
  }
  const fault = segment.checksumFault(crc)
  if (fault !== undefined) throw fault
  return sums.total
}
