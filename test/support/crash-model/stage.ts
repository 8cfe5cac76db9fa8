/**
 * Where a scenario is played: a model of a file system, processes that save on it by a commit, the
 * library's own or a wrong one, and what may have been left behind when they are done.
 */

import { FileSink } from '../../../src/io/file/file-sink.js'
import type { FileSystem } from '../../../src/io/file/file-system.js'
import type { Sink } from '../../../src/io/sink.js'
import type { RenameSteps } from './crash-states.js'
import { type Director, ModelFileSystem, type ModelProcess } from './model-file-system.js'
import { findInode } from './model-tree.js'
import { addTally, blame, type Expectation, judge, newTally, type Tally } from './verdict.js'
import type { Version } from './versions.js'

/** A way to put a checkpoint at a path. */
export interface Commit {
  readonly name: string
  sink(path: string, process: ModelProcess): Sink
  /** Whether a manager removes the checkpoint before while the next save is still running. */
  readonly removesEarly?: boolean
}

export const libraryCommit: Commit = {
  name: 'the library',
  sink: (path, process) => new FileSink(path, { fileSystem: process }),
}

/** The same with the condition that nothing is there. */
export const libraryCommitIfAbsent: Commit = {
  name: 'the library, where nothing may be there',
  sink: (path, process) =>
    new FileSink(path, { fileSystem: process, condition: { ifAbsent: true } }),
}

/** The same, as it saves a long file: synced after each write. */
export const libraryCommitOfLong: Commit = {
  name: 'the library, with a long file',
  sink: (path, process) => new FileSink(path, { fileSystem: process, syncEvery: 1 }),
}

/** The same on a system that begins to write when it is told to, which promises nothing. */
export const libraryCommitWrittenOut: Commit = {
  name: 'the library, with a long file that the system begins to write',
  sink(path, process) {
    const fileSystem = new Proxy<FileSystem>(process, {
      get(_, key: keyof FileSystem) {
        return key === 'beginWriteOut' ? async () => true : process[key]?.bind(process)
      },
    })
    return new FileSink(path, { fileSystem, syncEvery: 1 })
  },
}

export const LIBRARY_COMMITS = [
  libraryCommit,
  libraryCommitOfLong,
  libraryCommitWrittenOut,
] as const

/** A number that no process has: above the most that Linux gives. */
export const DEAD_PROCESS = 999_999_999

/** What is there at the start, what is done, and what is to hold. */
export interface Plot {
  readonly name: string
  readonly plant: (model: ModelFileSystem) => void | Promise<void>
  readonly act: (actor: Actor) => Promise<void>
  /** Where it saves last. */
  readonly path: string
  readonly expectation: Expectation
  /** Temporary files that are somebody else's, and stay. */
  readonly foreign?: readonly string[]
}

/** Something that is played, perhaps in many runs, and judged. */
export interface Scenario {
  readonly name: string
  /** `most`: how many orders of the calls of two savers are tried, where there are more. */
  readonly run: (commit: Commit, most?: number) => Promise<Tally>
}

/** A process that saves. */
export class Actor {
  readonly model: ModelFileSystem
  readonly process: ModelProcess
  readonly commit: Commit

  constructor(model: ModelFileSystem, process: ModelProcess, commit: Commit) {
    this.model = model
    this.process = process
    this.commit = commit
  }

  /** Saves, and notes that it was told so. Rejects where the save does. */
  async save(path: string, version: Version): Promise<void> {
    const { durability } = await version.save(this.commit.sink(path, this.process))
    if (durability === 'durable') {
      this.model.note({ kind: 'acknowledged', path, version: version.name })
    }
  }

  /** Saves, then removes the one before, as a manager does that keeps the last. */
  async rotate(path: string, version: Version, old: string): Promise<void> {
    if (this.commit.removesEarly === true) {
      let saved = false
      const saving = outcome(this.save(path, version)).finally(() => {
        saved = true
      })
      // Until the new one is to be seen.
      while (!saved && findInode(this.model.disk, path) === undefined) await Promise.resolve()
      await this.remove(old)
      const error = await saving
      if (error !== undefined) throw error
    } else {
      await this.save(path, version)
      await this.remove(old)
    }
  }

  async remove(path: string): Promise<void> {
    this.model.note({ kind: 'removing', path })
    await this.process.unlink(path)
  }
}

export interface Run {
  readonly model: ModelFileSystem
  readonly process: ModelProcess
  /** What the plot ended with, or undefined where all went well. */
  readonly error: unknown
}

/** Plays a plot by one process. */
export async function play(
  plot: Plot,
  commit: Commit,
  { director, number }: { director?: Director; number?: number } = {},
): Promise<Run> {
  const model = new ModelFileSystem()
  await plot.plant(model)
  model.record()
  const process = model.process('A', {
    ...(director === undefined ? {} : { director }),
    ...(number === undefined ? {} : { number }),
  })
  const error = await outcome(plot.act(new Actor(model, process, commit)))
  await settle()
  return { model, process, error }
}

/** The error that a promise rejects with, or undefined. */
export async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise
    return undefined
  } catch (error) {
    return error
  }
}

/** Waits for everything that goes on by itself: the model has no input or output to wait for. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A run in which nothing went wrong: judged, and looked at for what is left behind. */
export async function judgeSound(
  { model, error }: Pick<Run, 'model' | 'error'>,
  plot: Pick<Plot, 'expectation' | 'foreign'>,
  renames: RenameSteps = 1,
): Promise<Tally> {
  const tally = await judge(model, plot.expectation, renames)
  if (error !== undefined) fault(tally, `a save failed for no reason: ${error}`)
  addTally(tally, leftovers(model, plot))
  return tally
}

/** Counts temporary files, descriptors that are open, and calls with ones that were not. */
export function leftovers(
  model: ModelFileSystem,
  { expectation, foreign = [] }: Pick<Plot, 'expectation' | 'foreign'>,
): Tally {
  const tally = newTally()
  const folders = new Set(expectation.paths.map((path) => path.slice(0, path.lastIndexOf('/'))))
  for (const folder of ['/store', ...folders]) {
    let names: string[] = []
    try {
      names = model.names(folder)
    } catch {
      // Not there in this plot, or not made.
    }
    for (const name of names) {
      if (name.endsWith('.tmp') && !foreign.includes(name)) fault(tally, `${name} was left behind`)
    }
  }
  for (const path of model.openDescriptors) fault(tally, `a descriptor of ${path} was left open`)
  for (const call of model.misuses) fault(tally, `${call} of a descriptor that was not open`)
  return tally
}

export function fault(tally: Tally, text: string): void {
  blame(tally, { after: 'the end', crash: undefined, text })
}
