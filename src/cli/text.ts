/** Text for people and scripts: names, quantities, columns, JSON. The same in every locale. */

import { printable } from '../printable.js'

/**
 * A name among other words: printable, and in quotes if it could be mistaken for several words or for a sign of the
 * output. Never cut: see `cutText`.
 */
export function nameText(name: string): string {
  const text = printable(name)
  // Spaces of every kind, and characters that are drawn as nothing without being spaces.
  return /^[="]|[\s\u115f\u1160\u2800\u3164\uffa0]|^$/u.test(text)
    ? `"${text.replace(/"/g, '\\"')}"`
    : text
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

/** Whole bytes in the largest binary unit that leaves at least 1: `512 B`, `1.5 KiB`, `2.1 GiB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // A value that would be printed as 1024.0 becomes 1.0 of the next unit.
  while (unit + 1 < UNITS.length && value >= (unit === 0 ? 1024 : 1023.95)) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`
}

/** An integer in groups of three digits: `124,439,808`. */
export function formatCount(count: number): string {
  return count.toLocaleString('en')
}

/** A count with its noun: `1 tensor`, `148 tensors`. */
export function formatThings(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? '' : 's'}`
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

// The characters that `printable` escapes, except the line feeds between JSON's tokens. Within tokens JSON.stringify
// escapes line feeds itself. The others occur only in strings, where \u means the same to a parser.
const UNSAFE_IN_JSON = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/gu

/** A value as lines of JSON that are safe to print, with a line feed at the end. */
export function jsonText(value: unknown): string {
  const text = JSON.stringify(value, null, 2)
  return `${text.replace(UNSAFE_IN_JSON, (c) => c.split('').map(escapeUnit).join(''))}\n`
}

function escapeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`
}

// Printable ASCII, which is nearly every name.
const NARROW = /^[\x20-\x7e]*$/

// Marks that combine with the preceding character, and the vowels and finals of a Hangul syllable.
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}\u1160-\u11ff]$/u

// Characters that Unicode calls wide or fullwidth. Regional indicators (pairs of which are flags) are emoji of one cell
// each. Halfwidth forms belong to wide scripts, but are narrow.
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u
const REGIONAL = /^[\u{1f1e6}-\u{1f1ff}]$/u

/**
 * Cells of printable text in a terminal, one code point at a time. East Asian wide characters and emoji take two,
 * combining marks none, everything else one. Sequences that a terminal may draw as one emoji (families, skin tones,
 * flags) count as their parts, so a column can be a few cells off. Terminals do not agree on them either.
 */
export function textWidth(text: string): number {
  if (NARROW.test(text)) return text.length
  let width = 0
  for (const character of text) width += characterWidth(character)
  return width
}

/** Whether text takes at most `width` cells. Reads no more of a long text than necessary. */
function fits(text: string, width: number): boolean {
  if (NARROW.test(text)) return text.length <= width
  let left = width
  for (const character of text) {
    left -= characterWidth(character)
    if (left < 0) return false
  }
  return true
}

function characterWidth(character: string): number {
  if (NARROW.test(character)) return 1
  if (ZERO.test(character)) return 0
  return WIDE.test(character) && !REGIONAL.test(character) ? 2 : 1
}

/**
 * Cuts text to at most `width` cells. It removes the middle, because names of tensors and paths of files differ at
 * their ends.
 */
export function cutText(text: string, width: number): string {
  if (fits(text, width)) return text
  if (width <= 1) return '…'.slice(0, Math.max(0, width))
  const front = Math.floor((width - 1) / 2)
  let head = ''
  let headWidth = 0
  for (const character of text) {
    const cells = characterWidth(character)
    if (headWidth + cells > front) break
    head += character
    headWidth += cells
  }
  // From the end, so that a long name is not split into characters as a whole.
  let start = text.length
  for (let left = width - 1 - headWidth; start > 0; ) {
    const character = characterBefore(text, start)
    left -= characterWidth(character)
    if (left < 0) break
    start -= character.length
  }
  // Drops combining marks whose character was cut off.
  let tail = text.slice(start)
  for (const character of tail) {
    if (characterWidth(character) > 0) break
    tail = tail.slice(character.length)
  }
  return `${head}…${tail}`
}

/** The character that ends at `end`, which is above 0. */
function characterBefore(text: string, end: number): string {
  const code = end > 1 ? text.codePointAt(end - 2)! : 0
  return code > 0xffff ? String.fromCodePoint(code) : text.charAt(end - 1)
}

/** A column of a table: its heading, and the side on which its cells stand (default left). */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** A row of a table. All text is printable. */
export interface Row {
  /** The cells of the first columns; there may be fewer cells than columns. */
  readonly cells: readonly string[]
  /** Text after the cells, of any length. */
  readonly note?: string
}

// Cells between two columns.
const GAP = '  '

// The first column is never cut to less than this; a narrower terminal has to wrap.
const LEAST = 16

// Columns are aligned up to this width, and a longer line sticks out. Otherwise padding would grow with the longest
// name times the number of lines. A shorter name is not cut if it would then look like another one.
const MOST = 160

/**
 * The lines of a table, its titles first.
 *
 * With a `width` the first column, of names, is cut so that lines fit, but never so far that two names of ordinary
 * length look the same; the terminal then wraps. Without a width nothing is cut.
 */
export function tableLines(
  columns: readonly Column[],
  rows: readonly Row[],
  width?: number,
): string[] {
  const widths = columns.map(({ title }) => textWidth(title))
  for (const { cells } of rows) {
    for (const [i, cell] of cells.entries()) {
      if (widths[i]! < MOST) widths[i] = Math.min(MOST, Math.max(widths[i]!, textWidth(cell)))
    }
  }
  if (width !== undefined) {
    const others = widths.slice(1).reduce((sum, each) => sum + GAP.length + each, 0)
    const names = rows.map(({ cells }) => cells[0]!)
    widths[0] = nameWidth(names, widths[0]!, Math.max(LEAST, width - others))
  }
  const titles: Row = { cells: columns.map(({ title }) => title) }
  return [titles, ...rows].map(({ cells, note }) => {
    const padded = cells.map((cell, i) => {
      const text = i === 0 && width !== undefined ? cutText(cell, widths[0]!) : cell
      const space = ' '.repeat(Math.max(0, widths[i]! - textWidth(text)))
      return columns[i]!.align === 'right' ? space + text : text + space
    })
    if (note !== undefined) padded.push(note)
    return padded.join(GAP).trimEnd()
  })
}

/** The least width, at least `room`, at which no two names look the same. */
function nameWidth(names: readonly string[], longest: number, room: number): number {
  if (longest <= room) return longest
  const distinct = new Set(names).size
  for (let width = room; width < Math.min(longest, MOST); width += 4) {
    if (new Set(names.map((name) => cutText(name, width))).size === distinct) return width
  }
  return longest
}
