/** Colours of numbers: blue below zero, orange above, and what is neither stands out. */

type Colour = readonly [red: number, green: number, blue: number]

/** The colours of a theme. */
export interface Palette {
  readonly low: Colour
  readonly zero: Colour
  readonly high: Colour
  readonly nan: Colour
  readonly infinite: Colour
}

/** Dark and light: zero is near the ground, so that what is large is what is seen. */
export const PALETTES: { readonly dark: Palette; readonly light: Palette } = {
  light: {
    low: [33, 84, 178],
    zero: [250, 249, 246],
    high: [196, 84, 14],
    nan: [219, 0, 140],
    infinite: [0, 128, 96],
  },
  dark: {
    low: [116, 165, 255],
    zero: [27, 29, 33],
    high: [255, 166, 94],
    nan: [255, 64, 184],
    infinite: [48, 220, 160],
  },
}

/** The colour of a value on a scale from `-scale` to `scale`. */
export function colourOf(value: number, scale: number, palette: Palette): Colour {
  if (Number.isNaN(value)) return palette.nan
  if (!Number.isFinite(value)) return palette.infinite
  const part = scale > 0 ? Math.min(1, Math.abs(value) / scale) : 0
  // The eye sees little differences near the ground badly.
  const weight = part ** 0.8
  const end = value < 0 ? palette.low : palette.high
  const mix = (i: 0 | 1 | 2): number => palette.zero[i] + weight * (end[i] - palette.zero[i])
  return [mix(0), mix(1), mix(2)]
}

/** The colour in CSS. */
export function cssOf([red, green, blue]: Colour): string {
  return `rgb(${red} ${green} ${blue})`
}

/** Paints values, row by row, into pixels. What is not set stays clear. */
export function paint(
  values: ArrayLike<number>,
  isSet: ArrayLike<number>,
  scale: number,
  palette: Palette,
  pixels: Uint8ClampedArray,
): void {
  for (let i = 0; i < values.length; i++) {
    if (isSet[i] === 0) continue
    const [red, green, blue] = colourOf(values[i]!, scale, palette)
    pixels[4 * i] = red
    pixels[4 * i + 1] = green
    pixels[4 * i + 2] = blue
    pixels[4 * i + 3] = 255
  }
}
