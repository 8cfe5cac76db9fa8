/** Medians, and ratios within rounds, because a machine's speed changes between them. */

/** The middle one, or the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  if (sorted.length === 0) return Number.NaN
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** A figure over several rounds. */
export interface Spread {
  readonly median: number
  readonly min: number
  readonly max: number
}

export function spread(values: readonly number[]): Spread {
  return { median: median(values), min: Math.min(...values), max: Math.max(...values) }
}

/** `values[i] / by[i]`. Throws a RangeError if the lengths differ. */
export function ratios(values: readonly number[], by: readonly number[]): number[] {
  if (values.length !== by.length) {
    throw new RangeError(`${values.length} rounds against ${by.length}`)
  }
  return values.map((value, i) => value / by[i]!)
}

/** The key whose values have the smallest median; undefined if there are none. */
export function fastest<K>(rows: Iterable<readonly [K, readonly number[]]>): K | undefined {
  let best: { key: K; value: number } | undefined
  for (const [key, values] of rows) {
    const value = median(values)
    if (best === undefined || value < best.value) best = { key, value }
  }
  return best?.key
}
