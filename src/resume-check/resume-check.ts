/**
 * Whether a training resumes exactly. It trains without a break, and again with a kill and a restore in between, each
 * part in its own process. After every step it compares everything that has a state, to the bit. For use in any test
 * runner.
 */

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Checkpoint } from '../load/checkpoint.js'
import { loadCheckpoint } from '../load/load.js'
import { givenOptions, type OptionNames } from '../options.js'
import { pathOf } from '../path.js'
import {
  type AttributeDifference,
  type Differences,
  differences,
  differentText,
  identicalText,
  statesOf,
  type TensorDifference,
} from './difference.js'
import { type Message, observationOf, type Part, type Task } from './run.js'

export type { AttributeDifference, Element, TensorDifference } from './difference.js'
export type { CreateRun, ResumableRun } from './run.js'

/** How long `checkResume` trains, and what it passes to the run. */
export interface ResumeCheckOptions {
  /** Number of steps before the save, at least 0. */
  readonly before: number
  /** Number of steps after the save, at least 1. More than one also reveals effects that come late. */
  readonly after: number
  /** Passed to `createRun`: anything that JSON can send to a process. */
  readonly argument?: unknown
  /** Called after every step of a part. */
  readonly onStep?: ((part: 'whole' | 'first' | 'second', step: number) => void) | undefined
  /** Ends the check and its process with the signal's reason. */
  readonly signal?: AbortSignal | undefined
}

const OPTIONS: OptionNames<ResumeCheckOptions> = {
  before: true,
  after: true,
  argument: true,
  onStep: true,
  signal: true,
}

/**
 * - `identical`: no difference at any step.
 * - `not-reproducible`: two runs from the start differ before anything was restored, so no checkpoint can help.
 *   Something depends on the clock, on Math.random, or on what ran before.
 * - `not-restored`: the state differs directly after the restore.
 * - `diverged`: what is compared was restored, but differs some steps later. Something has a state that is neither
 *   saved nor among the extras.
 */
export type Verdict = 'identical' | 'not-reproducible' | 'not-restored' | 'diverged'

/** The result of `checkResume`. */
export interface ResumeCheckReport {
  readonly identical: boolean
  readonly verdict: Verdict
  /** The first step after which there is a difference; null if there is none. */
  readonly step: number | null
  /** The tensors that differ after that step, in the order of the states. */
  readonly tensors: readonly TensorDifference[]
  readonly attributes: readonly AttributeDifference[]
  /** What only one side has, and differences in dtype, shape or kind; in words. */
  readonly other: readonly string[]
  /** The whole result in words, for an assertion. */
  readonly message: string
}

const NOTHING: Differences = { tensors: [], attributes: [], other: [] }

/**
 * Checks the run that `module` makes, a path or `file:` URL of a module that exports `createRun(argument)`:
 *
 *     const report = await checkResume(new URL('./my-run.js', import.meta.url), { before: 20, after: 5 })
 *     assert.ok(report.identical, report.message)
 *
 * The processes are started with the arguments of this one (`process.execArgv`), so that a loader for
 * TypeScript works in them as well. The one that saves is killed as soon as it has. Needs the space of
 * `2 * after + 4` checkpoints in the folder for temporary files, until it is done.
 *
 * Throws an Error with the reason if a part of the run fails, and a RangeError for wrong numbers.
 */
export async function checkResume(
  module: string | URL,
  options: ResumeCheckOptions,
): Promise<ResumeCheckReport> {
  const given = givenOptions('checkResume', OPTIONS, options)
  const { before, after, argument = null, signal, onStep } = given
  checkCount('before', before, 0)
  checkCount('after', after, 1)
  signal?.throwIfAborted()
  const folder = await mkdtemp(join(tmpdir(), 'resume-check-'))
  try {
    const task = { module: pathOf(module), argument, before, after, folder }
    for (const part of ['whole', 'first', 'second'] as const) {
      await perform({ ...task, part }, (step) => onStep?.(part, step), signal)
    }
    const inFolder = (part: Part, step: number) => join(folder, observationOf(part, step))
    const whole = (step: number) => inFolder('whole', step)
    const first = await compare(whole(before), inFolder('first', before))
    if (first !== undefined) return report('not-reproducible', options, before, first)
    for (let step = before; step <= before + after; step++) {
      const found = await compare(whole(step), inFolder('second', step))
      if (found === undefined) continue
      return report(step === before ? 'not-restored' : 'diverged', options, step, found)
    }
    return {
      ...NOTHING,
      identical: true,
      verdict: 'identical',
      step: null,
      message: identicalText(await compared(whole(before + after)), options),
    }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Performs a part in its own process, which is killed when the part is done. */
async function perform(
  task: Task,
  onStep: (step: number) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  // JavaScript in the package, TypeScript in this repository.
  const file = new URL(`./process${extname(import.meta.url)}`, import.meta.url)
  const child = fork(fileURLToPath(file), [], { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
  let errors = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    errors += text
  })
  let outcome: Message | undefined
  const kill = () => child.kill('SIGKILL')
  child.on('message', (message: Message) => {
    if (message.event === 'step') onStep(message.step)
    else {
      outcome = message
      kill()
    }
  })
  signal?.addEventListener('abort', kill)
  try {
    const closed = once(child, 'close')
    // If the process has already ended, its exit reports that.
    child.send(task, () => {})
    const [code, killedBy] = (await closed) as [number | null, string | null]
    signal?.throwIfAborted()
    if (outcome?.event === 'done') return
    const reason =
      outcome?.event === 'failed' ? outcome.reason : `${killedBy ?? `exit code ${code}`}`
    throw new Error(
      `the resume check failed, because its ${WORDS[task.part]} failed: ` +
        `${reason}${errors === '' ? '' : `\n${errors.trimEnd()}`}`,
    )
  } finally {
    signal?.removeEventListener('abort', kill)
  }
}

const WORDS: { readonly [part in Part]: string } = {
  whole: 'run without a break',
  first: 'run until the save',
  second: 'run from the restore on',
}

/** The differences of two files; undefined if there are none. */
async function compare(expected: string, actual: string): Promise<Differences | undefined> {
  const opened: Checkpoint[] = []
  try {
    for (const path of [expected, actual]) opened.push(await loadCheckpoint(path))
    const found = differences(opened[0]!, opened[1]!)
    const count = found.tensors.length + found.attributes.length + found.other.length
    return count === 0 ? undefined : found
  } finally {
    for (const checkpoint of opened) checkpoint.close()
  }
}

async function compared(path: string) {
  const checkpoint = await loadCheckpoint(path)
  try {
    const states = [...statesOf(checkpoint).values()]
    return {
      states: states.map(({ name }) => name),
      tensors: states.reduce((sum, { size }) => sum + size, 0),
    }
  } finally {
    checkpoint.close()
  }
}

function report(
  verdict: Exclude<Verdict, 'identical'>,
  { before }: ResumeCheckOptions,
  step: number,
  found: Differences,
): ResumeCheckReport {
  const message = differentText(verdict, before, step, found)
  return { ...found, identical: false, verdict, step, message }
}

function checkCount(name: string, value: unknown, least: number): void {
  if (!Number.isSafeInteger(value) || (value as number) < least) {
    throw new RangeError(`${name} must be an integer of at least ${least}, not ${String(value)}`)
  }
}
