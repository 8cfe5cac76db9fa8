/**
 * Which checkpoints of a folder stay. Pure: from what is known of each file to those that may go. A
 * checkpoint stays if any of the rules keeps it; the newest always does, because a run resumes from
 * it; and so does the last one with a finite loss, because a run that has diverged goes back to it.
 */

import { messageOf } from '../errors.js'
import { describe, isPlainObject } from '../format/attributes.js'
import { givenOptions, type OptionNames } from '../options.js'
import { quote } from '../printable.js'
import { isSteps } from './schedule.js'

/** What the rules look at. */
export interface KeepCandidate {
  readonly path: string
  readonly epoch: number
  readonly step: number
  readonly loss: number | null
  readonly metrics: { readonly [name: string]: number }
  /** When it was saved, in milliseconds since 1970. */
  readonly savedAt: number
}

/** The best `count` checkpoints by a metric. */
export interface KeepBest {
  readonly count: number
  /** The name of a metric, or `loss` for the loss. */
  readonly metric: string
  /** Whether the largest value is the best (`max`), or the smallest (`min`). */
  readonly mode: 'min' | 'max'
  /** Whether those without the metric (or with NaN) stay as well; default false. */
  readonly keepUnmeasured?: boolean
}

/** Rules about what stays; a checkpoint stays if one of them keeps it. */
export interface KeepRules {
  /** The newest so many. */
  readonly newest?: number
  /**
   * The best so many by a metric, of those that have it. NaN is as good as none. While no checkpoint has
   * it, all stay, with a warning.
   */
  readonly best?: KeepBest
  /** Those whose step is a multiple of this, for good. */
  readonly everySteps?: number
  /** The first one saved, and then one for every so many seconds, for good. */
  readonly everySeconds?: number
  /** Those saved within the last so many seconds. */
  readonly newerThanSeconds?: number
  /** Those of these steps, for good. */
  readonly steps?: readonly number[]
  /** Those that this says yes to. */
  readonly custom?: (candidate: KeepCandidate) => boolean
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

/** What may go, and what the rules could not tell, for the user to know. */
export interface Retention<T> {
  /** Those that no rule keeps, oldest first. */
  readonly discard: readonly T[]
  /** Why something stays that the rules alone would not keep: each kind of reason once. */
  readonly doubts: readonly { readonly kind: string; readonly message: string }[]
}

/**
 * What of `candidates` no rule keeps. `now` is in milliseconds since 1970. Candidates come in any
 * order; the newest is the one with the highest step. What cannot be told stays: a rule about a metric
 * that no candidate has keeps them all, as a `custom` that throws keeps the one that it was asked about.
 */
export function retain<T extends KeepCandidate>(
  candidates: readonly T[],
  policy: KeepPolicy,
  now: number,
): Retention<T> {
  if (policy === 'all') return { discard: [], doubts: [] }
  const byStep = [...candidates].sort((a, b) => a.step - b.step)
  const doubts: { kind: string; message: string }[] = []
  const kept = new Set<T>(byStep.slice(-1))
  const { newest, best, everySteps, everySeconds, newerThanSeconds, steps, custom } = policy
  if (newest !== undefined) for (const c of byStep.slice(-newest)) kept.add(c)
  if (everySeconds !== undefined) for (const c of spaced(byStep, everySeconds)) kept.add(c)
  for (const c of byStep) {
    if (everySteps !== undefined && c.step % everySteps === 0) kept.add(c)
    if (newerThanSeconds !== undefined && now - c.savedAt <= newerThanSeconds * 1000) kept.add(c)
    if (steps?.includes(c.step)) kept.add(c)
    if (custom === undefined) continue
    try {
      if (custom(c)) kept.add(c)
    } catch (error) {
      kept.add(c)
      const message = `keep.custom threw for step ${c.step}, which stays: ${messageOf(error)}`
      doubts.push({ kind: 'keep.custom', message })
    }
  }
  const good = lastGood(byStep)
  if (good !== undefined && !kept.has(good)) {
    kept.add(good)
    const message =
      `the loss is no longer finite: step ${good.step}, the last one with a finite loss, stays ` +
      'besides what the rules keep'
    doubts.push({ kind: 'loss', message })
  }
  if (best !== undefined) {
    const measuredBest = bestOf(byStep, best)
    for (const c of measuredBest) kept.add(c)
    const isUnknown = measuredBest.length === 0
    if (isUnknown && byStep.some((c) => !kept.has(c))) {
      doubts.push({
        kind: 'keep.best',
        message: `${unmeasured(byStep, best)}; all stay until one has`,
      })
    }
    for (const c of byStep) {
      const isUnmeasured = measured(c, best.metric) === undefined
      if (isUnknown || (isUnmeasured && best.keepUnmeasured === true)) kept.add(c)
    }
  }
  return { discard: byStep.filter((c) => !kept.has(c)), doubts }
}

/** Where the loss that was recorded last is NaN or infinite: the last one where it was finite. */
function lastGood<T extends KeepCandidate>(byStep: readonly T[]): T | undefined {
  const recorded = byStep.filter(({ loss }) => loss !== null)
  if (recorded.length === 0 || Number.isFinite(recorded.at(-1)!.loss)) return undefined
  return recorded.findLast(({ loss }) => Number.isFinite(loss))
}

/** Says that no candidate has the metric, and which ones there are. */
function unmeasured(candidates: readonly KeepCandidate[], { metric }: KeepBest): string {
  const names = new Set(candidates.flatMap(({ metrics }) => Object.keys(metrics)))
  if (candidates.some(({ loss }) => loss !== null)) names.add('loss')
  if (names.has(metric)) return `keep.best: every checkpoint has NaN as its ${quote(metric)}`
  const known = [...names].map(quote).join(', ')
  const others = known === '' ? 'none has a metric' : `they have ${known}`
  return `keep.best: no checkpoint has the metric ${quote(metric)} (${others})`
}

/** The best first; those alone that have the metric. Where two are as good, the newer is the better. */
export function bestOf<T extends KeepCandidate>(candidates: readonly T[], best: KeepBest): T[] {
  const { metric, mode, count } = best
  const values = new Map<T, number>()
  for (const candidate of candidates) {
    const value = measured(candidate, metric)
    if (value !== undefined) values.set(candidate, value)
  }
  return [...values.keys()]
    .sort((a, b) => {
      const [left, right] = [values.get(a)!, values.get(b)!]
      // Not their difference, which is NaN for two infinities.
      if (left === right) return b.step - a.step
      return left < right === (mode === 'min') ? -1 : 1
    })
    .slice(0, count)
}

/** The value of a metric; undefined where there is none, or NaN. */
function measured(candidate: KeepCandidate, metric: string): number | undefined {
  const { loss, metrics } = candidate
  if (metric === 'loss') return loss === null || Number.isNaN(loss) ? undefined : loss
  const value = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined
  return Number.isNaN(value) ? undefined : value
}

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

/** Checkpoints at least so many seconds apart, from the first one on. */
function spaced<T extends KeepCandidate>(byStep: readonly T[], seconds: number): T[] {
  const kept: T[] = []
  let last = Number.NEGATIVE_INFINITY
  for (const c of byStep) {
    if (c.savedAt - last < seconds * 1000) continue
    kept.push(c)
    last = c.savedAt
  }
  return kept
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
