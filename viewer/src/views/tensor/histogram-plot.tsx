/** The histogram of a tensor: values from the least to the largest, or sizes by powers of two. */

import { useState } from 'preact/hooks'
import { linearBars, powerBars } from '../../compute/histogram.js'
import type { TensorStatistics } from '../../compute/statistics.js'
import { usualRange } from '../../ui/spark.js'
import { countText, numberText } from '../../ui/text.js'

const WIDTH = 640
const HEIGHT = 200
const BARS = 96

/** A bar: its height, the part of it that is of negative numbers, and what it is of. */
interface Bar {
  readonly count: number
  readonly negative: number
  readonly title: string
}

/** The plot, with a choice of both axes. */
export function HistogramPlot({ statistics }: { readonly statistics: TensorStatistics }) {
  const [byPower, setByPower] = useState(false)
  const [logCounts, setLogCounts] = useState(false)
  const { bars, ticks } = byPower ? powers(statistics) : values(statistics)
  if (bars.length === 0) return <p class="note">No finite number other than zero.</p>
  const most = bars.reduce((a, { count }) => Math.max(a, count), 1)
  const heightOf = (count: number): number => {
    if (count <= 0) return 0
    const part = logCounts ? Math.log1p(count) / Math.log1p(most) : count / most
    return Math.max(1, part * HEIGHT)
  }
  const step = WIDTH / bars.length
  return (
    <figure class="plot">
      <figcaption class="tools">
        <label class="toggle">
          <input
            type="checkbox"
            checked={byPower}
            onChange={(event) => setByPower(event.currentTarget.checked)}
          />
          Sizes on a logarithmic axis
        </label>
        <label class="toggle">
          <input
            type="checkbox"
            checked={logCounts}
            onChange={(event) => setLogCounts(event.currentTarget.checked)}
          />
          Logarithmic counts
        </label>
      </figcaption>
      <svg
        viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
        role="img"
        aria-label={`Histogram of ${countText(statistics.elements)} elements; the highest bar has ${countText(Math.round(most))}`}
      >
        {bars.map(({ count, negative, title }, i) => {
          const height = heightOf(count)
          const below = count > 0 ? (height * negative) / count : 0
          return (
            <g key={title}>
              <title>{`${title}: ${countText(Math.round(count))}`}</title>
              <rect class="hit" x={i * step} y={0} width={step} height={HEIGHT} />
              <rect
                class="bar"
                x={i * step}
                y={HEIGHT - height}
                width={Math.max(0.5, step - 1)}
                height={Math.max(0, height - below)}
              />
              <rect
                class="bar negative"
                x={i * step}
                y={HEIGHT - below}
                width={Math.max(0.5, step - 1)}
                height={Math.max(0, below)}
              />
            </g>
          )
        })}
        <line class="axis-line" x1={0} x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
      </svg>
      <div class="ticks" aria-hidden="true">
        {ticks.map(({ at, text }) => (
          <span
            key={`${at} ${text}`}
            style={{
              left: `${100 * at}%`,
              translate: `${at < 0.04 ? 0 : at > 0.96 ? -100 : -50}%`,
            }}
          >
            {text}
          </span>
        ))}
      </div>
      {byPower && (
        <p class="note">
          <span class="key-box" /> positive <span class="key-box negative" /> negative
          {statistics.zeros > 0 && ` · ${countText(statistics.zeros)} zeros are not shown`}
        </p>
      )}
    </figure>
  )
}

interface Tick {
  readonly at: number
  readonly text: string
}

function values(statistics: TensorStatistics): { readonly bars: Bar[]; readonly ticks: Tick[] } {
  const { histogram, zeros } = statistics
  const [low, high] = usualRange(statistics)
  if (Number.isNaN(low)) return { bars: [], ticks: [] }
  const width = (high - low) / BARS
  const counts = linearBars(histogram, zeros, low, high, BARS)
  const bars = Array.from(counts, (count, i) => {
    const [from, to] = [low + i * width, low + (i + 1) * width]
    return {
      count,
      negative: to <= 0 ? count : 0,
      title: `${numberText(from)} to ${numberText(to)}`,
    }
  })
  const ticks = [
    { at: 0, text: `${low > statistics.min ? '≤ ' : ''}${numberText(low)}` },
    { at: 1, text: `${high < statistics.max ? '≥ ' : ''}${numberText(high)}` },
  ]
  const zero = -low / (high - low)
  if (zero > 0.1 && zero < 0.9) ticks.push({ at: zero, text: '0' })
  return { bars, ticks }
}

function powers({ histogram }: TensorStatistics): { readonly bars: Bar[]; readonly ticks: Tick[] } {
  const found = powerBars(histogram)
  const bars = found.map(({ exponent, negative, positive }) => ({
    count: negative + positive,
    negative,
    title: `sizes from 2^${exponent}`,
  }))
  const every = Math.max(1, Math.ceil(found.length / 8))
  const ticks = found.flatMap(({ exponent }, i) =>
    i % every === 0
      ? [{ at: (i + 0.5) / found.length, text: `2^${exponent}`.replace('-', '−') }]
      : [],
  )
  return { bars, ticks }
}
