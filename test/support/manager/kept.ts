/** What the runs of these tests keep, and what has to be there by it. */

import type { KeepPolicy } from '../../../src/manager/keep-policy.js'

export const KEEP = {
  newest: 3,
  everySteps: 25,
  best: { count: 1, metric: 'loss', mode: 'min' },
} as const satisfies KeepPolicy

/** The steps that stay of a run that has saved after every one; `losses` by step, from the first. */
export function keptOf(losses: readonly number[]): number[] {
  const kept = new Set<number>()
  const last = losses.length
  for (let step = Math.max(1, last - KEEP.newest + 1); step <= last; step++) kept.add(step)
  for (let step = KEEP.everySteps; step <= last; step += KEEP.everySteps) kept.add(step)
  if (last > 0) kept.add(losses.lastIndexOf(Math.min(...losses)) + 1)
  return [...kept].sort((a, b) => a - b)
}
