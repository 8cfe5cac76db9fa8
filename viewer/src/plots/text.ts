/** Measured numbers as text, shorter than where they stand alone: in tables and next to pictures. */

/** Three significant digits; powers of ten for what is very small or large. */
export function digits(value: number): string {
  if (value === 0) return '0'
  if (!Number.isFinite(value)) return String(value).replace('Infinity', '∞').replace('-', '−')
  const size = Math.abs(value)
  // Zeros at the end stay, so that numbers below each other have their points below each other.
  if (size >= 1e-3 && size < 1000) return value.toPrecision(3).replace('-', '−')
  if (size >= 1000 && size < 1e5) return String(Number(value.toPrecision(3))).replace('-', '−')
  return value.toExponential(1).replace('e+', 'e').replaceAll('-', '−')
}

/** A share as per cent. */
export function percent(share: number): string {
  if (share > 0 && share < 0.001) return '<0.1%'
  if (share < 1 && share > 0.999) return '>99.9%'
  return share === 0 ? '0%' : `${(100 * share).toPrecision(3)}%`
}
