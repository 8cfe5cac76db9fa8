/**
 * Makes the system's reads short, and its looks at open files fail. To be imported before what reads: Node's modules are patched when
 * this is loaded.
 */

import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'

let most = Number.POSITIVE_INFINITY

let refusal: Error | undefined

const { fstat, read, readSync } = fs as unknown as {
  fstat: (...args: unknown[]) => void
  read: (...args: unknown[]) => void
  readSync: (...args: unknown[]) => number
}

/** Every read from now on brings at most so many bytes. */
export function limitReads(bytes: number): void {
  most = bytes
}

/** Every look at an open file from now on fails with that error, or with none. */
export function refuseStatus(error: Error | undefined): void {
  refusal = error
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
  fstat(...args: unknown[]) {
    if (refusal === undefined) fstat(...args)
    else (args.at(-1) as (error: Error) => void)(refusal)
  },
  read: patchedRead,
  readSync: (...args: unknown[]) => readSync(...limited(args)),
})
syncBuiltinESMExports()
