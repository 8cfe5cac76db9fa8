/** Numbers, sizes and names as text. Names come from files, so they are shown with what is invisible escaped. */

import { printable } from '../../../src/printable.js'

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** A number of bytes: `1.3 MiB`. */
export function bytesText(bytes: number): string {
  let unit = 0
  let value = bytes
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024
    unit++
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1
  return `${value.toFixed(digits)} ${UNITS[unit]}`
}

/** A count: `109,386`. By itself, since the first `toLocaleString` of a page takes as long as drawing all of it. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** A time on the clock of this machine: `2026-11-28 20:57:31`. */
export function timeText(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0')
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())]
  return `${date.join('-')} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`
}

/** A count of things: `1 tensor`, `21 tensors`. */
export function thingsText(count: number, thing: string): string {
  return `${countText(count)} ${thing}${count === 1 ? '' : 's'}`
}

/** A measured number, with five digits: `0.048530`, `1.2e-9`. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞'
  if (value === 0) return '0'
  const size = Math.abs(value)
  const text =
    size < 1e-4 || size >= 1e7 ? value.toExponential(3) : String(Number(value.toPrecision(5)))
  return text.replace('-', '−')
}

/** A shape: `784 × 128`; a scalar has none. */
export function shapeText(shape: readonly number[]): string {
  return shape.length === 0 ? 'scalar' : shape.map(String).join(' × ')
}

/** A name of a file, as it can be shown. */
export function nameText(name: string): string {
  return name === '' ? '(no name)' : printable(name)
}

const FORMATS: { readonly [format: string]: string } = {
  pytorch: 'PyTorch',
  numpy: 'NumPy',
}

/** A format by the name of its makers: `PyTorch`. */
export function formatText(format: string): string {
  return FORMATS[format] ?? format
}

/** A share: `43 %`. */
export function percentText(part: number, whole: number): string {
  return `${whole === 0 ? 100 : Math.floor((100 * part) / whole)} %`
}
