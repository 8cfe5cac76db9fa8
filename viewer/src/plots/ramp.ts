/**
 * Colours of the pictures. A sequence runs from the page's ground to the strongest contrast with it, and its lightness
 * always rises or always falls: it reads without colour, and with any kind of colour blindness.
 */

/** Red, green and blue, from 0 to 255. */
export type Colour = readonly [number, number, number]

const DARK: readonly Colour[] = [
  [33, 28, 58],
  [72, 32, 104],
  [118, 42, 122],
  [170, 56, 113],
  [216, 84, 92],
  [243, 135, 88],
  [252, 193, 122],
  [255, 243, 205],
]

const LIGHT: readonly Colour[] = [
  [253, 238, 205],
  [250, 205, 140],
  [242, 156, 98],
  [220, 101, 92],
  [172, 62, 108],
  [118, 42, 118],
  [72, 30, 98],
  [30, 17, 50],
]

// Blue to orange through the ground: the usual pair that people without red or green tell apart.
const DIVERGING_LIGHT: readonly Colour[] = [
  [10, 55, 125],
  [46, 110, 187],
  [133, 178, 222],
  [246, 244, 240],
  [240, 178, 116],
  [203, 102, 32],
  [122, 46, 4],
]

const DIVERGING_DARK: readonly Colour[] = [
  [150, 200, 255],
  [76, 142, 226],
  [38, 78, 134],
  [30, 31, 36],
  [130, 70, 24],
  [219, 124, 50],
  [255, 196, 138],
]

/** The colour at `part`, from 0 to 1, of a sequence. */
export function sequential(part: number, isDark: boolean): Colour {
  return between(isDark ? DARK : LIGHT, part)
}

/** The colour of a number from -1 to 1. */
export function diverging(part: number, isDark: boolean): Colour {
  return between(isDark ? DIVERGING_DARK : DIVERGING_LIGHT, (part + 1) / 2)
}

function between(stops: readonly Colour[], part: number): Colour {
  const at = Math.min(1, Math.max(0, part)) * (stops.length - 1)
  const i = Math.min(stops.length - 2, Math.floor(at))
  const [a, b] = [stops[i]!, stops[i + 1]!]
  const mix = (k: 0 | 1 | 2): number => Math.round(a[k] + (b[k] - a[k]) * (at - i))
  return [mix(0), mix(1), mix(2)]
}

/** For CSS and canvas. */
export function cssOf([red, green, blue]: Colour): string {
  return `rgb(${red} ${green} ${blue})`
}

/**
 * Powers of ten that hold nearly all of some positive numbers, at least two of them: the lowest and the highest 2 % are
 * drawn as the ends.
 */
export function decadesOf(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = values.filter((value) => value > 0 && Number.isFinite(value)).sort((a, b) => a - b)
  if (sorted.length === 0) return [-6, 0]
  const at = (share: number): number => sorted[Math.round(share * (sorted.length - 1))]!
  const low = Math.floor(Math.log10(at(0.02)))
  const high = Math.ceil(Math.log10(at(0.98)))
  return [low, Math.max(high, low + 2)]
}

/** Where a number lies on a logarithmic scale of powers of ten, from 0 to 1. */
export function logPart(value: number, [low, high]: readonly [number, number]): number {
  if (value === Number.POSITIVE_INFINITY) return 1
  return value <= 0 ? 0 : Math.min(1, Math.max(0, (Math.log10(value) - low) / (high - low)))
}
