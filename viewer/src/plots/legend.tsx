/** What the colours of a picture mean. */

import { useLayoutEffect, useRef } from 'preact/hooks'
import { contextOf } from './hooks.js'
import { cssOf, sequential } from './ramp.js'

interface LegendProps {
  /** Powers of ten of the ends. */
  readonly domain: readonly [number, number]
  readonly isDark: boolean
  readonly title: string
}

const WIDTH = 150
const HEIGHT = 10

/** A bar of the colours with its powers of ten, and the two colours that stand for something else. */
export function Legend({ domain: [low, high], isDark, title }: LegendProps) {
  const canvas = useRef<HTMLCanvasElement>(null)
  useLayoutEffect(() => {
    const context = contextOf(canvas.current!, WIDTH, HEIGHT)
    for (let x = 0; x < WIDTH; x++) {
      context.fillStyle = cssOf(sequential(x / (WIDTH - 1), isDark))
      context.fillRect(x, 0, 1.5, HEIGHT)
    }
  }, [isDark])
  return (
    <div
      class="colour-key"
      role="img"
      aria-label={`Colours: ${title} from ten to the power of ${low} to ${high}`}
    >
      <span class="note">{title}</span>
      <span class="note number">
        10<sup>{exponentText(low)}</sup>
      </span>
      <canvas ref={canvas} />
      <span class="note number">
        10<sup>{exponentText(high)}</sup>
      </span>
      <span class="note meaning">
        <span class="swatch equal" />
        unchanged
      </span>
      <span class="note meaning">
        <span class="swatch broken" />
        NaN, damage
      </span>
    </div>
  )
}

function exponentText(exponent: number): string {
  return String(exponent).replace('-', '−')
}
