/**
 * Runs a stretch of inputs of one target, and keeps count. Slow inputs are noted, and measured again
 * by themselves: what took long once was most likely the machine's other work.
 */

import { setImmediate } from 'node:timers/promises'
import { Random } from '../random.js'
import { Differential } from './cpp/differential.js'
import { allocation, checkPrototypes, watchAllocations, watchRuntime } from './guards.js'
import { TARGETS, type Target } from './targets.js'

/** The targets, and the comparison with the C++ verifier. */
export type TargetName = keyof typeof TARGETS | 'cpp'

export const targetNames = [...Object.keys(TARGETS), 'cpp'] as readonly TargetName[]

/** What became of inputs, and of how many of each. */
export type Tally = Map<string, number>

export interface Failure {
  readonly target: TargetName
  readonly seed: number
  /** The number of the input; with the seed, all that is needed to make it again. */
  readonly index: number
  readonly error: string
  /** In hexadecimal. */
  readonly input: string
}

export interface Stretch {
  readonly target: TargetName
  readonly seed: number
  readonly from: number
  readonly count: number
}

export interface StretchResult {
  readonly tally: readonly (readonly [outcome: string, count: number])[]
  readonly failures: readonly Failure[]
  /** The longest that an input took, in milliseconds, after being measured again. */
  readonly slowest: number
  /** Most memory that the process has had, in bytes. */
  readonly peakMemory: number
}

/** Longest time that an input may take, in milliseconds of the processor's time. */
export const TIME_LIMIT = 100

// An input that takes longer, by the clock, is measured again by itself.
const SUSPICIOUS = 25

// Inputs between two turns of the event loop, which lets go of weak references and finalizers.
const TURN = 200

let guarded = false

export class Campaign {
  readonly #targets = new Map<TargetName, Target>()
  readonly #oracle: string | undefined
  #differential: Differential | undefined

  /** `oracle`: the program that was built, where the comparison with it is to be run. */
  constructor(oracle?: string) {
    this.#oracle = oracle
    if (guarded) return
    guarded = true
    watchRuntime()
    watchAllocations()
    // A stack is of no use in a tally, and takes longer than most inputs.
    Error.stackTraceLimit = 0
  }

  async run(stretch: Stretch): Promise<StretchResult> {
    const { target: name, seed, from, count } = stretch
    if (name === 'cpp') return this.#compare(stretch)
    const target = await this.#target(name)
    const tally: Tally = new Map()
    const failures: Failure[] = []
    let slowest = 0
    for (let index = from; index < from + count; index++) {
      const start = performance.now()
      let outcome: string
      try {
        outcome = await target.run(new Random(seed, index))
      } catch (error) {
        outcome = 'FAILED'
        failures.push(failureOf(name, seed, index, error, target.input))
        if (failures.length >= 5) break
      }
      let taken = performance.now() - start
      for (let again = 0; again < 3 && taken > SUSPICIOUS; again++) {
        const before = process.cpuUsage()
        await target.run(new Random(seed, index)).catch(() => '')
        const { user, system } = process.cpuUsage(before)
        taken = Math.min(taken, (user + system) / 1000)
      }
      slowest = Math.max(slowest, taken)
      if (taken > TIME_LIMIT) {
        const error = new Error(`it took ${taken} ms`)
        failures.push(failureOf(name, seed, index, error, target.input))
      }
      tally.set(outcome, (tally.get(outcome) ?? 0) + 1)
      if (index % TURN === 0) {
        checkPrototypes()
        await setImmediate()
      }
    }
    checkPrototypes()
    return { tally: [...tally], failures, slowest, peakMemory: peakMemory() }
  }

  async #compare({ target, seed, from, count }: Stretch): Promise<StretchResult> {
    if (this.#differential === undefined) {
      if (this.#oracle === undefined) throw new Error('no oracle was built')
      // It allocates what flatc asks for; nothing in it is limited.
      allocation.limit = Number.POSITIVE_INFINITY
      this.#differential = await Differential.start(this.#oracle)
    }
    const { tally, disagreements } = await this.#differential.compare(seed, from, count)
    const failures = disagreements.map(({ schema, index, what, input }) =>
      failureOf(target, seed, index, new Error(`${schema}: ${what}`), input),
    )
    return { tally: [...tally], failures, slowest: 0, peakMemory: peakMemory() }
  }

  close(): void {
    this.#differential?.close()
    for (const target of this.#targets.values()) target.close?.()
  }

  async #target(name: keyof typeof TARGETS): Promise<Target> {
    let target = this.#targets.get(name)
    if (target === undefined) {
      target = await TARGETS[name]()
      this.#targets.set(name, target)
    }
    return target
  }
}

function peakMemory(): number {
  return process.resourceUsage().maxRSS * 1024
}

function failureOf(
  target: TargetName,
  seed: number,
  index: number,
  error: unknown,
  input: Uint8Array,
): Failure {
  const parts: string[] = []
  for (let e = error; e instanceof Error; e = e.cause) parts.push(`${e.name}: ${e.message}`)
  if (parts.length === 0) parts.push(String(error))
  return {
    target,
    seed,
    index,
    error: parts.join(', because of '),
    input: Buffer.from(input).toString('hex'),
  }
}
