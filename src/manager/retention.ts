/**
 * Which checkpoints of a folder stay, as a pure function of what is known about each file. A checkpoint stays if any
 * rule keeps it. The newest always stays, because a run resumes from it. The last one with a finite loss stays too,
 * because a diverged run goes back to it.
 */

import { messageOf } from '../errors.js'
import { quote } from '../printable.js'
import type { KeepBest, KeepCandidate, KeepPolicy } from './keep-policy.js'

/**
 * Checkpoints in the order of their saves, oldest first. Those with a `sequence` are sorted by it, because a run that
 * went back saves lower steps later. Those without one are from an older version; they come first, sorted by step. Of
 * two equal ones (two processes saved at once), the higher step counts as newer.
 */
export function inOrder<T extends { readonly step: number; readonly sequence: number | null }>(
  checkpoints: readonly T[],
): T[] {
  return [...checkpoints].sort((a, b) => (a.sequence ?? -1) - (b.sequence ?? -1) || a.step - b.step)
}

/** What may be removed, and what the rules could not decide. */
export interface Retention<T> {
  /** Checkpoints that no rule keeps, oldest first. */
  readonly discard: readonly T[]
  /** Why a checkpoint stays that the rules alone would not keep: each kind of reason once. */
  readonly doubts: readonly { readonly kind: string; readonly message: string }[]
}

/**
 * The `candidates`, in any order, that no rule keeps. `now` is in milliseconds since 1970. A checkpoint that a rule
 * cannot judge stays. A rule about a metric that no candidate has keeps them all; one about time keeps those without a
 * time; a `custom` that throws keeps the candidate it was asked about.
 */
export function retain<T extends KeepCandidate>(
  candidates: readonly T[],
  policy: KeepPolicy,
  now: number,
): Retention<T> {
  if (policy === 'all') return { discard: [], doubts: [] }
  const ordered = inOrder(candidates)
  const doubts: { kind: string; message: string }[] = []
  const kept = new Set<T>(ordered.slice(-1))
  /** Keeps what the rules do not, and records the reason if that makes a difference. */
  const keepInDoubt = (
    kind: string,
    doubtful: readonly T[],
    reason: (first: T) => string,
  ): void => {
    const first = doubtful.find((c) => !kept.has(c))
    for (const c of doubtful) kept.add(c)
    if (first !== undefined) doubts.push({ kind, message: reason(first) })
  }
  const { newest, best, everySteps, everySeconds, newerThanSeconds, steps, custom } = policy
  if (newest !== undefined) for (const c of ordered.slice(-newest)) kept.add(c)
  if (everySeconds !== undefined) for (const c of spaced(ordered, everySeconds)) kept.add(c)
  if (newerThanSeconds !== undefined) {
    for (const c of savedSince(ordered, now - newerThanSeconds * 1000, now)) kept.add(c)
  }
  const puzzling: T[] = []
  let thrown: unknown
  for (const c of ordered) {
    if (everySteps !== undefined && c.step % everySteps === 0) kept.add(c)
    if (steps?.includes(c.step)) kept.add(c)
    try {
      if (custom?.(c)) kept.add(c)
    } catch (error) {
      puzzling.push(c)
      thrown = error
    }
  }
  if (best !== undefined) {
    const measuredBest = bestOf(ordered, best)
    for (const c of measuredBest) kept.add(c)
    if (best.keepUnmeasured === true) {
      for (const c of ordered) if (measured(c, best.metric) === undefined) kept.add(c)
    }
    if (measuredBest.length === 0) {
      keepInDoubt('best', ordered, () => `${unmeasured(ordered, best)}; all stay until one has it`)
    }
  }
  keepInDoubt('custom', puzzling, ({ step }) => {
    return `keep.custom threw for step ${step}, which stays: ${messageOf(thrown)}`
  })
  if (everySeconds !== undefined || newerThanSeconds !== undefined) {
    const timeless = ordered.filter(({ isTimeRecorded }) => !isTimeRecorded)
    keepInDoubt('time', timeless, ({ step }) => {
      return `the checkpoint of step ${step} has no recorded time, and stays`
    })
  }
  keepInDoubt('order', withoutOrder(ordered), ({ step }) => {
    return (
      `the checkpoint of step ${step} has no place in the order of saves: it may be older than those of lower ` +
      'steps, and stays until they have passed it'
    )
  })
  keepInDoubt('loss', lastGood(ordered), ({ step }) => {
    return `the loss is no longer finite: step ${step}, the last one with a finite loss, stays`
  })
  return { discard: ordered.filter((c) => !kept.has(c)), doubts }
}

/**
 * Checkpoints without a `sequence` whose step is not below all that have one. Either the run has left their branch, or
 * an older version has saved them since.
 */
function withoutOrder<T extends KeepCandidate>(ordered: readonly T[]): T[] {
  const numbered = ordered.filter(({ sequence }) => sequence !== null)
  const lowest = Math.min(...numbered.map(({ step }) => step))
  return ordered.filter(({ sequence, step }) => sequence === null && step >= lowest)
}

/** The last checkpoint with a finite loss, if the last recorded loss is NaN or infinite. */
function lastGood<T extends KeepCandidate>(ordered: readonly T[]): T[] {
  const recorded = ordered.filter(({ loss }) => loss !== null)
  if (recorded.length === 0 || Number.isFinite(recorded.at(-1)!.loss)) return []
  return recorded.filter(({ loss }) => Number.isFinite(loss)).slice(-1)
}

/** The message that no candidate has the metric, with the metrics that they have. */
function unmeasured(candidates: readonly KeepCandidate[], { metric }: KeepBest): string {
  const names = new Set(candidates.flatMap(({ metrics }) => Object.keys(metrics)))
  if (candidates.some(({ loss }) => loss !== null)) names.add('loss')
  if (names.has(metric)) return `keep.best: every checkpoint has NaN as its ${quote(metric)}`
  const known = [...names].map(quote).join(', ')
  const others = known === '' ? 'none has a metric' : `they have ${known}`
  return `keep.best: no checkpoint has the metric ${quote(metric)} (${others})`
}

/** The best checkpoints that have the metric, best first. Of two equally good ones, the newer comes first. */
export function bestOf<T extends KeepCandidate>(candidates: readonly T[], best: KeepBest): T[] {
  const { metric, mode, count } = best
  const values = new Map<T, number>()
  for (const candidate of inOrder(candidates).reverse()) {
    const value = measured(candidate, metric)
    if (value !== undefined) values.set(candidate, value)
  }
  return [...values.keys()]
    .sort((a, b) => {
      const [left, right] = [values.get(a)!, values.get(b)!]
      // Not by their difference, which is NaN for two infinities.
      if (left === right) return 0
      return left < right === (mode === 'min') ? -1 : 1
    })
    .slice(0, count)
}

/** The value of a metric; undefined if it is absent or NaN. */
function measured(candidate: KeepCandidate, metric: string): number | undefined {
  const { loss, metrics } = candidate
  if (metric === 'loss') return loss === null || Number.isNaN(loss) ? undefined : loss
  const value = Object.hasOwn(metrics, metric) ? metrics[metric] : undefined
  return Number.isNaN(value) ? undefined : value
}

/**
 * Checkpoints at least this many seconds apart, from the first one on. If time runs backwards from one to the next, a
 * clock was set, and the real interval is unknown: both stay, and counting begins anew. The same holds if the files'
 * own times lie further apart.
 */
function spaced<T extends KeepCandidate>(ordered: readonly T[], seconds: number): T[] {
  const interval = seconds * 1000
  const kept: T[] = []
  let before: T | undefined
  let last: T | undefined
  for (const c of ordered) {
    if (!c.isTimeRecorded) continue
    const runsBack = before !== undefined && c.savedAt < before.savedAt
    if (runsBack) kept.push(before!)
    const isNear =
      last !== undefined &&
      c.savedAt - last.savedAt < interval &&
      Math.abs(c.modifiedAt - last.modifiedAt) < interval
    if (runsBack || !isNear) {
      kept.push(c)
      last = c
    }
    before = c
  }
  return kept
}

/**
 * Checkpoints that may have been saved since `start`. None is older than one that was saved before it, so a time that
 * runs backwards counts as the earlier one's. Times after `now` say nothing about other checkpoints.
 */
function savedSince<T extends KeepCandidate>(
  ordered: readonly T[],
  start: number,
  now: number,
): T[] {
  let latest = Number.NEGATIVE_INFINITY
  return ordered.filter(({ savedAt, isTimeRecorded }) => {
    if (isTimeRecorded && savedAt <= now) latest = Math.max(latest, savedAt)
    return Math.max(latest, savedAt) >= start
  })
}
