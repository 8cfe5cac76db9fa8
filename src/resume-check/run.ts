/** A run as the resume check needs it, the module that makes one, and the parts that a process performs. */

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe } from '../format/attributes.js'
import { loadCheckpoint } from '../load/load.js'
import { restoreCheckpoint } from '../restore/restore.js'
import { saveCheckpoint } from '../save/save.js'
import type { Module, Optimizer, Stateful } from '../state.js'

/** A training run at its start. From the same argument, every process must get the same run. */
export interface ResumableRun {
  readonly model: Module
  readonly optimizer?: Optimizer | null
  /** Everything else that the run's future depends on: a sampler, a scheduler, a random generator. */
  readonly extras?: { readonly [name: string]: Stateful }
  /** Takes one step of the training. */
  step(): unknown
  /**
   * The run's own way to save to a file or folder of this path, and to restore from it, if that should be tested.
   * Without them, model, optimizer and extras go through saveCheckpoint and restoreCheckpoint. In both cases the check
   * compares model, optimizer and extras.
   */
  save?(path: string): unknown
  restore?(path: string): unknown
}

/** The export of a module for the resume check, by this name or as its default. */
export type CreateRun = (argument: never) => ResumableRun | Promise<ResumableRun>

/** `whole` trains without a break; `first` trains and saves; `second` restores and continues. */
export type Part = 'whole' | 'first' | 'second'

/** The task of a process. */
export interface Task {
  readonly part: Part
  /** Path of the module that makes the run. */
  readonly module: string
  readonly argument: unknown
  /** Number of steps before the save, and after it. */
  readonly before: number
  readonly after: number
  /** The folder of the part's observations and of the save. */
  readonly folder: string
}

/** A report of a process. */
export type Message =
  | { readonly event: 'done' }
  | { readonly event: 'failed'; readonly reason: string }
  | { readonly event: 'step'; readonly step: number }

/** The file with the state of a part after `step` steps. */
export function observationOf(part: Part, step: number): string {
  return `${part}-${step}.ckpt`
}

/**
 * Makes the run and performs one part of it, with a call of `onStep` after each step. The results are files, because
 * nothing else survives the process.
 */
export async function perform(
  { part, module, argument, before, after, folder }: Task,
  onStep: (step: number) => void,
): Promise<void> {
  const run = await loadRun(module, argument)
  const saved = join(folder, 'saved')
  let step = 0
  if (part === 'second') {
    await restore(run, saved)
    step = before
  }
  for (; step < before; step++) {
    await run.step()
    onStep(step + 1)
  }
  await observe(run, join(folder, observationOf(part, step)), step)
  if (part === 'first') {
    await save(run, saved, step)
    return
  }
  while (step < before + after) {
    await run.step()
    step++
    await observe(run, join(folder, observationOf(part, step)), step)
    onStep(step)
  }
}

/** Loads the module and makes a run. Throws a TypeError if either is not as described. */
async function loadRun(module: string, argument: unknown): Promise<ResumableRun> {
  const exported = await import(pathToFileURL(module).href)
  const create = exported.createRun ?? exported.default
  if (typeof create !== 'function') {
    throw new TypeError(`${module} must export a function createRun, found ${describe(create)}`)
  }
  const run: ResumableRun = await create(argument)
  for (const [name, has] of [
    ['a model with a stateDict()', typeof run?.model?.stateDict === 'function'],
    ['a method step()', typeof run?.step === 'function'],
    [
      'both of save() and restore(), or neither',
      (run?.save === undefined) === (run?.restore === undefined),
    ],
  ] as const) {
    if (!has) throw new TypeError(`createRun() of ${module} must return a run with ${name}`)
  }
  return run
}

/** Saves everything that is compared. */
async function observe(run: ResumableRun, path: string, step: number): Promise<void> {
  const extras = run.extras ?? {}
  await saveCheckpoint(path, run.model, run.optimizer, { step, extras })
}

async function save(run: ResumableRun, path: string, step: number): Promise<void> {
  if (run.save !== undefined) await run.save(path)
  else await observe(run, path, step)
}

async function restore(run: ResumableRun, path: string): Promise<void> {
  if (run.restore !== undefined) {
    await run.restore(path)
    return
  }
  const checkpoint = await loadCheckpoint(path)
  const extras = run.extras ?? {}
  try {
    await restoreCheckpoint(checkpoint, run.model, run.optimizer, { extras })
  } finally {
    checkpoint.close()
  }
}
