/**
 * Histograms with the same bins for every tensor: sixteen for each power of two and sign. They need no range in
 * advance, so one pass fills them, and two tensors or two steps of a run compare bin by bin.
 */

/**
 * The bin of a number's size is its bits as float32 without the lower 19 ones: eight bits of exponent, four of
 * mantissa. Numbers of float64 that a float32 does not hold are in the first or the last bin.
 */
export const SHIFT = 19

/** Number of bins of one sign. */
export const BINS = 0xff << (23 - SHIFT)

/** The counts of consecutive bins; the others are empty. */
export interface Bins {
  /** Index of the first bin that is not empty. */
  readonly first: number
  readonly counts: readonly number[]
}

/** The finite elements of a tensor that are not zero, counted by size and sign. */
export interface Histogram {
  readonly negative: Bins
  readonly positive: Bins
}

const float32 = new Float32Array(1)
const word = new Uint32Array(float32.buffer)

/** The size at which a bin begins; it ends where the next one begins. */
export function edgeOf(bin: number): number {
  if (bin >= BINS) return 2 ** 128
  word[0] = bin << SHIFT
  return float32[0]!
}

/** The bin of a number's size. */
export function binOf(value: number): number {
  float32[0] = Math.abs(value)
  return Math.min(word[0]! >>> SHIFT, BINS - 1)
}

/** Counts without their empty ends. */
export function binsOf(counts: ArrayLike<number>): Bins {
  let first = 0
  let end = counts.length
  while (first < end && counts[first] === 0) first++
  while (end > first && counts[end - 1] === 0) end--
  return { first, counts: Array.from({ length: end - first }, (_, i) => counts[first + i]!) }
}

/** The counts of `bars` intervals of equal width from `low` to `high`. A bin over several intervals is split evenly. */
export function linearBars(
  { negative, positive }: Histogram,
  zeros: number,
  low: number,
  high: number,
  bars: number,
): Float64Array {
  const result = new Float64Array(bars)
  const width = (high - low) / bars
  const barOf = (value: number): number =>
    width > 0 ? Math.min(bars - 1, Math.max(0, Math.floor((value - low) / width))) : 0
  const add = (from: number, to: number, count: number): void => {
    // What lies outside of the range is its end: the edges of a bin are wider than what is in it.
    const start = Math.max(from, low)
    const end = Math.min(to, high)
    if (end <= start) {
      result[barOf(from)]! += count
      return
    }
    const last = barOf(end)
    let left = count
    for (let bar = barOf(start); bar < last; bar++) {
      const until = Math.min(end, low + (bar + 1) * width)
      const overlap = Math.max(0, until - Math.max(start, low + bar * width))
      const share = Math.min(left, (count * overlap) / (end - start))
      result[bar]! += share
      left -= share
    }
    // Whatever rounding has left over, so that no element is lost.
    result[last]! += left
  }
  negative.counts.forEach((count, i) => {
    const bin = negative.first + i
    if (count > 0) add(-edgeOf(bin + 1), -edgeOf(bin), count)
  })
  positive.counts.forEach((count, i) => {
    const bin = positive.first + i
    if (count > 0) add(edgeOf(bin), edgeOf(bin + 1), count)
  })
  if (zeros > 0) result[barOf(0)]! += zeros
  return result
}

/** A bar of the logarithmic axis: the elements whose size is from 2^exponent to twice that. */
export interface PowerBar {
  readonly exponent: number
  readonly negative: number
  readonly positive: number
}

/** The counts by powers of two, from the smallest to the largest size that there is. */
export function powerBars({ negative, positive }: Histogram): PowerBar[] {
  const counts = new Map<number, { negative: number; positive: number }>()
  const add = (side: 'negative' | 'positive', { first, counts: all }: Bins): void => {
    all.forEach((count, i) => {
      if (count === 0) return
      const exponent = ((first + i) >>> (23 - SHIFT)) - 127
      const bar = counts.get(exponent) ?? { negative: 0, positive: 0 }
      bar[side] += count
      counts.set(exponent, bar)
    })
  }
  add('negative', negative)
  add('positive', positive)
  const exponents = [...counts.keys()].sort((a, b) => a - b)
  if (exponents.length === 0) return []
  const [low, high] = [exponents[0]!, exponents.at(-1)!]
  return Array.from({ length: high - low + 1 }, (_, i) => ({
    exponent: low + i,
    ...(counts.get(low + i) ?? { negative: 0, positive: 0 }),
  }))
}

/** The size below which a share of the elements lies (0 to 1, zeros included), to the width of a bin. */
export function sizeBelow({ negative, positive }: Histogram, zeros: number, share: number): number {
  let total = zeros
  for (const { counts } of [negative, positive]) for (const count of counts) total += count
  const wanted = share * total
  let seen = zeros
  if (total === 0 || seen >= wanted) return 0
  const end = Math.max(
    negative.first + negative.counts.length,
    positive.first + positive.counts.length,
  )
  for (let bin = Math.min(negative.first, positive.first); bin < end; bin++) {
    seen += negative.counts[bin - negative.first] ?? 0
    seen += positive.counts[bin - positive.first] ?? 0
    if (seen >= wanted) return edgeOf(bin + 1)
  }
  return edgeOf(end)
}
