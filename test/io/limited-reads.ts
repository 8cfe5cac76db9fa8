/**
 * Makes the system's reads short. To be imported before what reads: Node's modules are patched when
 * this is loaded.
 */

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

let most = Number.POSITIVE_INFINITY

const { read, readSync } = fs as unknown as {
  read: (...args: unknown[]) => void
  readSync: (...args: unknown[]) => number
}

/** Every read from now on brings at most so many bytes. */
export function limitReads(bytes: number): void {
  most = bytes
}

/** Of both, the fourth argument is the length. */
const limited = (args: unknown[]) =>
  args.map((argument, i) => (i === 3 ? Math.min(argument as number, most) : argument))

// With its symbols: they say what `promisify` makes of it.
const patchedRead = Object.defineProperties(
  (...args: unknown[]) => read(...limited(args)),
  Object.getOwnPropertyDescriptors(read),
)
Object.assign(fs, {
  read: patchedRead,
  readSync: (...args: unknown[]) => readSync(...limited(args)),
})
syncBuiltinESMExports()
