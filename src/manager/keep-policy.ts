/** The rules for which checkpoints stay, the data that they see, and their validation. */

import { describe, isPlainObject } from '../format/attributes.js'
import { givenOptions, type OptionNames } from '../options.js'
import { isSteps } from './schedule.js'

/** The data of a checkpoint that the rules see. */
export interface KeepCandidate {
  readonly path: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** Position in the order of the run's saves; null if the file has none. */
  readonly sequence: number | null
  /** Time of the save, in milliseconds since 1970; without a record, the time of the file's last write. */
  readonly savedAt: number
  /** Whether `savedAt` is from the metadata. */
  readonly isTimeRecorded: boolean
  /** Time of the last write to the file, in milliseconds since 1970. */
  readonly modifiedAt: number
}

/** The best `count` checkpoints by a metric. */
export interface KeepBest {
  readonly count: number
  /** The name of a metric, or `loss` for the loss. */
  readonly metric: string
  /** Whether the largest value is the best (`max`), or the smallest (`min`). */
  readonly mode: 'min' | 'max'
  /** Whether checkpoints without the metric (or with NaN) stay as well; default false. */
  readonly keepUnmeasured?: boolean | undefined
}

/** Rules for which checkpoints stay. A checkpoint stays if at least one rule keeps it. */
export interface KeepRules {
  /** Number of checkpoints that stay because they were saved last, whatever their steps. */
  readonly newest?: number | undefined
  /**
   * The best checkpoints by a metric, among those that have it. NaN counts as not having it. While no checkpoint has
   * the metric, all stay, with a warning.
   */
  readonly best?: KeepBest | undefined
  /** Checkpoints whose step is a multiple of this stay for good. */
  readonly everySteps?: number | undefined
  /**
   * The first saved checkpoint, and then one for every this many seconds, stay for good. A checkpoint without a
   * recorded time stays. So do the two before and after the clock was set back.
   */
  readonly everySeconds?: number | undefined
  /** Checkpoints that were saved within the last this many seconds, or that have no recorded time. */
  readonly newerThanSeconds?: number | undefined
  /** Checkpoints of these steps stay for good. */
  readonly steps?: readonly number[] | undefined
  /** Checkpoints that this function accepts. */
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

/** Throws a TypeError or RangeError, with the name of the rule, if `policy` is not valid. */
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
