/** Numbers as people read them. The same in every locale, so that output can be compared. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Whole bytes in the largest binary unit that leaves at least 1: `512 B`, `1.5 KiB`, `2.1 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // What would be printed as 1024.0 is 1.0 of the next unit.
  while (unit + 1 < UNITS.length && value >= (unit === 0 ? 1024 : 1023.95)) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/** An integer in groups of three digits: `124,439,808`. */
export function formatCount(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** `count` things, by their noun: `1 tensor`, `148 tensors`. */
export function formatThings(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
}

/** A part of a whole as `12.3 %`; a part that is too small to be seen is not called zero. */
export function formatShare(part: number, whole: number): string {
  const percent = whole === 0 ? 0 : (100 * part) / whole
  if (percent > 0 && percent < 0.01) return '< 0.01 %'
  return `${percent.toFixed(percent < 1 ? 2 : 1)} %`
}

/** A duration as `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  if (whole < 60) return `${whole} s`
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`
  const minutes = Math.round(whole / 60)
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** A double so that nothing is lost: NaN, the infinities and -0 are told apart. */
export function formatNumber(value: number): string {
  return Object.is(value, -0) ? '-0' : String(value)
}
