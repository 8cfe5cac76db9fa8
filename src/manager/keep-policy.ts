/** What stays, as a user says it: the rules, what they are about, and a check of both. */

import { describe, isPlainObject } from '../format/attributes.js'
import { givenOptions, type OptionNames } from '../options.js'
import { isSteps } from './schedule.js'

/** What the rules look at. */
export interface KeepCandidate {
  readonly path: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** Its place in the order of the run's saves; null where it was saved without one. */
  readonly sequence: number | null
  /** When it was saved, in milliseconds since 1970; when the file was written, where nothing says so. */
  readonly savedAt: number
  /** Whether `savedAt` is from the metadata. */
  readonly isTimeRecorded: boolean
  /** When the file was last written to, in milliseconds since 1970. */
  readonly modifiedAt: number
}

/** The best `count` checkpoints by a metric. */
export interface KeepBest {
  readonly count: number
  /** The name of a metric, or `loss` for the loss. */
  readonly metric: string
  /** Whether the largest value is the best (`max`), or the smallest (`min`). */
  readonly mode: 'min' | 'max'
  /** Whether those without the metric (or with NaN) stay as well; default false. */
  readonly keepUnmeasured?: boolean | undefined
}

/** Rules about what stays; a checkpoint stays if one of them keeps it. */
export interface KeepRules {
  /** The so many that were saved last, whatever their steps. */
  readonly newest?: number | undefined
  /**
   * The best so many by a metric, of those that have it. NaN is as good as none. While no checkpoint has
   * it, all stay, with a warning.
   */
  readonly best?: KeepBest | undefined
  /** Those whose step is a multiple of this, for good. */
  readonly everySteps?: number | undefined
  /**
   * The first one saved, and then one for every so many seconds, for good. Those that do not say when
   * they were saved stay, and so do the two between which the clock was set back.
   */
  readonly everySeconds?: number | undefined
  /** Those saved within the last so many seconds, or that do not say when. */
  readonly newerThanSeconds?: number | undefined
  /** Those of these steps, for good. */
  readonly steps?: readonly number[] | undefined
  /** Those that this says yes to. */
  readonly custom?: ((candidate: KeepCandidate) => boolean) | undefined
}

const KEEP_BEST: OptionNames<KeepBest> = {
  count: true,
  metric: true,
  mode: true,
  keepUnmeasured: true,
}
const KEEP_RULES: OptionNames<KeepRules> = {
  newest: true,
  best: true,
  everySteps: true,
  everySeconds: true,
  newerThanSeconds: true,
  steps: true,
  custom: true,
}

/** `all`, or rules. */
export type KeepPolicy = 'all' | KeepRules

/** Throws a TypeError or RangeError, with the name of the rule, for what is no policy. */
export function checkKeepPolicy(policy: unknown): asserts policy is KeepPolicy {
  if (policy === 'all') return
  if (!isPlainObject(policy)) {
    throw new TypeError(`keep must be 'all' or an object of rules, not ${describe(policy)}`)
  }
  const rules = givenOptions<KeepRules>('keep', KEEP_RULES, policy)
  count(rules.newest, 'keep.newest')
  count(rules.everySteps, 'keep.everySteps')
  duration(rules.everySeconds, 'keep.everySeconds')
  duration(rules.newerThanSeconds, 'keep.newerThanSeconds')
  if (rules.best !== undefined) {
    givenOptions('keep.best', KEEP_BEST, rules.best)
    count(rules.best.count ?? 0, 'keep.best.count')
    if (typeof rules.best.metric !== 'string' || rules.best.metric === '') {
      throw new TypeError('keep.best.metric must be the name of a metric, or `loss`')
    }
    if (rules.best.mode !== 'min' && rules.best.mode !== 'max') {
      throw new TypeError("keep.best.mode must be 'min' or 'max'")
    }
    if (!['undefined', 'boolean'].includes(typeof rules.best.keepUnmeasured)) {
      throw new TypeError('keep.best.keepUnmeasured must be true or false')
    }
  }
  if (rules.steps !== undefined && !isSteps(rules.steps)) {
    throw new TypeError('keep.steps must be an array of steps')
  }
  if (rules.custom !== undefined && typeof rules.custom !== 'function') {
    throw new TypeError('keep.custom must be a function')
  }
}

function count(value: unknown, name: string): void {
  if (value === undefined) return
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new RangeError(`${name} must be an integer of at least 1, not ${String(value)}`)
  }
}

function duration(value: unknown, name: string): void {
  if (value === undefined) return
  if (typeof value !== 'number' || !(value > 0)) {
    throw new RangeError(`${name} must be a number of seconds above 0, not ${String(value)}`)
  }
}
