/** The calls of a save, as strace records them, and the object of each. */

import { BEGIN, END, type Threads } from './save-once.js'
import { NOBODYS_PID } from './scene.js'

export type Thread = keyof Threads

export interface Call {
  readonly thread: Thread
  readonly name: string
  /** Its place among the calls of that name in its thread, from 1. */
  readonly ordinal: number
  /** Its arguments and what it returned, the same in each recording: see `placeless`. */
  readonly text: string
  readonly result: number
}

// What can touch a file or a folder. A save's `write` calls are not its own: they wake up the event
// loop, which ends the process where they fail. Names that an architecture lacks are skipped (?).
export const CALLS = [
  ...['openat', 'open', 'close', 'pwrite64', 'pwritev', 'fsync', 'fdatasync', 'ftruncate'],
  ...['fallocate', 'rename', 'renameat', 'renameat2', 'link', 'linkat', 'unlink', 'unlinkat'],
  ...['mkdir', 'mkdirat', 'fchmod', 'fchown', 'chmod', 'chown', 'fchmodat', 'fchownat', 'lchown'],
  ...['statx', 'newfstatat', 'fstat', 'stat', 'lstat', 'readlink', 'readlinkat', 'getdents64'],
  ...['flock', 'access', 'faccessat', 'utimensat', 'copy_file_range', 'sendfile'],
]
  .map((name) => `?${name}`)
  .join()

const THREADS = ['main', 'worker', 'saver'] as const

const LINE = /^(\d+) +(\w+)\((.*)$/
const RESUMED = /^(\d+) +<\.\.\. \w+ resumed> ?(.*)$/
const UNFINISHED = / <unfinished \.\.\.>$/

/** The calls between the marks of the program, in order. `place` is the scene's folder. */
export function parseTrace(text: string, threads: Threads, place: string): Call[] {
  const calls: Call[] = []
  const counts = new Map<string, number>()
  let inside = false
  for (const line of joined(text.split('\n'))) {
    const [, number, name = '', rest = ''] = LINE.exec(line) ?? []
    if (number === undefined) continue
    if (rest.includes(END)) return calls
    const thread = THREADS.find((thread) => threads[thread] === +number)
    const key = `${thread} ${name}`
    const ordinal = (counts.get(key) ?? 0) + 1
    counts.set(key, ordinal)
    if (inside) {
      if (thread === undefined) throw new Error(`a call by another thread: ${line}`)
      calls.push({ thread, name, ordinal, text: placeless(rest, place), result: resultOf(rest) })
    }
    if (rest.includes(BEGIN)) inside = true
  }
  throw new Error(`the save did not end:\n${text}`)
}

/**
 * The lines with each call in one, where it began. strace writes a call in two lines if it has something to say of
 * another thread meanwhile.
 */
function joined(lines: readonly string[]): string[] {
  const whole: string[] = []
  const begun = new Map<string, number>()
  for (const line of lines) {
    const [, resumed, rest] = RESUMED.exec(line) ?? []
    const at = resumed === undefined ? undefined : begun.get(resumed)
    if (resumed !== undefined && at !== undefined) {
      whole[at] = `${whole[at]?.replace(UNFINISHED, '')}${rest}`
      begun.delete(resumed)
      continue
    }
    const number = UNFINISHED.test(line) ? LINE.exec(line)?.[1] : undefined
    if (number !== undefined) begun.set(number, whole.length)
    whole.push(line)
  }
  return whole
}

function resultOf(text: string): number {
  return Number(/\) += (-?\d+)/.exec(text)?.[1] ?? Number.NaN)
}

/** Without the parts that differ between saves: the scene's folder is ~, and so on. */
function placeless(text: string, place: string): string {
  return text
    .replaceAll(place, '~')
    .replaceAll(
      /\.([^/"]+)\.[0-9a-f]{8}\.(\d+)\.[0-9a-f]{16}(?:\.locked)?\.tmp/g,
      (_, name, pid) => (Number(pid) === NOBODYS_PID ? `${name}.LEFTOVER` : `${name}.TEMPORARY`),
    )
    .replaceAll(/0x[0-9a-f]+|\b\d+(?=<)/g, '…')
    .replace(/\) += /, ') = ')
}

/** A call in readable form. */
export function describeCall({ thread, name, text }: Call): string {
  return `${name}(${text}${thread === 'worker' ? '' : `, by the ${thread} thread`}`
}
