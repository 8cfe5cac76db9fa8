/**
 * The progress of a long verification, on one line of a terminal that is redrawn. Nothing is drawn without a terminal,
 * nor before the work has taken a while.
 */

import { printable } from '../printable.js'
import type { ByteProgress } from '../progress.js'
import { type Terminal, widthOf } from './terminal.js'
import { cutText, formatBytes, formatSeconds, textWidth } from './text.js'

// Milliseconds before the bar is drawn, and between two drawings.
const PATIENCE = 500
const INTERVAL = 100

// Cells of the bar, and the least of the file's name next to it.
const BAR = 24
const LEAST_NAME = 12

// Returns to the start of the line and erases the line.
const ERASE = '\r\x1b[K'

/** One line for one file. It is given reports, and draws or erases the line. */
export class ProgressBar {
  readonly #terminal: Terminal
  readonly #label: string
  readonly #width: number | undefined
  readonly #start: number
  #next: number
  #drawn = false

  /** The time starts here. */
  constructor(terminal: Terminal, label: string) {
    this.#terminal = terminal
    this.#label = printable(label)
    this.#width = terminal.env.TERM === 'dumb' ? undefined : widthOf(terminal.stderr)
    this.#start = terminal.now()
    this.#next = this.#start + PATIENCE
  }

  update({ done, total }: ByteProgress): void {
    if (this.#width === undefined) return
    const now = this.#terminal.now()
    if (now < this.#next) return
    this.#next = now + INTERVAL
    this.#drawn = true
    const part = total === 0 ? 1 : Math.min(1, done / total)
    const full = Math.round(part * BAR)
    const speed = done / Math.max(1, now - this.#start)
    const left = speed === 0 ? '' : `, ${formatSeconds((total - done) / speed / 1000)} left`
    const figures =
      `${Math.floor(100 * part)} % of ${formatBytes(total)}, ` +
      `${formatBytes(Math.round(speed * 1000))}/s${left}`
    const bar = `[${'#'.repeat(full)}${'-'.repeat(BAR - full)}]`
    this.#terminal.stderr.write(ERASE + fitted(this.#label, bar, figures, this.#width - 1))
  }

  /** Erases the bar. */
  clear(): void {
    if (this.#drawn) this.#terminal.stderr.write(ERASE)
    this.#drawn = false
  }
}

/** As much as fits into `room` cells. The figures come first, then the file's name, then the bar. */
function fitted(label: string, bar: string, figures: string, room: number): string {
  const name = cutText(label, Math.max(LEAST_NAME, room - bar.length - figures.length - 2))
  const whole = `${name} ${bar} ${figures}`
  if (textWidth(whole) <= room) return whole
  const short = `${cutText(label, Math.max(0, room - figures.length - 1))} ${figures}`
  return cutText(short.trimStart(), room)
}
