/** A histogram as a line of bars, small enough for a row of a table. */

import { linearBars, sizeBelow } from '../compute/histogram.js'
import type { TensorStatistics } from '../compute/statistics.js'

const BARS = 32
const WIDTH = 128
const HEIGHT = 20

const paths = new WeakMap<TensorStatistics, string>()

/** The distribution of a tensor's elements. The text beside it says the same in numbers, so it is decoration. */
export function Spark({ statistics }: { readonly statistics: TensorStatistics }) {
  let path = paths.get(statistics)
  if (path === undefined) {
    path = pathOf(statistics)
    paths.set(statistics, path)
  }
  return (
    <svg
      class="spark"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      aria-hidden="true"
      preserveAspectRatio="none"
    >
      <path d={path} />
    </svg>
  )
}

/** The range that a histogram shows: without the few elements that would leave the rest one bar. */
export function usualRange({
  histogram,
  zeros,
  min,
  max,
}: TensorStatistics): [low: number, high: number] {
  const size = 1.2 * sizeBelow(histogram, zeros, 0.998)
  if (!(size > 0)) return [min, max]
  return [Math.max(min, -size), Math.min(max, size)]
}

function pathOf(statistics: TensorStatistics): string {
  const { histogram, zeros } = statistics
  const [low, high] = usualRange(statistics)
  if (Number.isNaN(low)) return ''
  const bars = linearBars(histogram, zeros, low, high, BARS)
  const most = bars.reduce((a, b) => Math.max(a, b), 0)
  const step = WIDTH / BARS
  let path = ''
  bars.forEach((count, i) => {
    if (count <= 0) return
    const height = Math.max(1, (count / most) * HEIGHT)
    path += `M${(i * step).toFixed(1)} ${HEIGHT}v-${height.toFixed(1)}h${(step - 0.8).toFixed(1)}v${height.toFixed(1)}z`
  })
  return path
}
