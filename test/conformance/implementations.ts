/**
 * The implementations: what each needs on the machine, how its reporter is built from a fresh clone, and
 * how it is started. Builds go to folders that git ignores, and a second build takes what is there.
 */

import { fileURLToPath } from 'node:url'
import type { Command } from './reporter-process.js'

const ROOT = new URL('../../', import.meta.url)

const pathOf = (path: string): string => fileURLToPath(new URL(path, ROOT))

export interface Implementation {
  /** As the table calls it. */
  readonly name: string
  /** Commands that have to succeed for it to be built here; they are not told anything. */
  readonly needs: readonly (readonly [program: string, ...args: string[]])[]
  /** Builds the reporter where it has not been built. */
  build(): Promise<Command>
}

export const typescript: Implementation = {
  name: 'TypeScript',
  needs: [],
  async build() {
    return {
      program: process.execPath,
      args: ['--import=tsx', pathOf('test/conformance/reporter.ts')],
    }
  },
}
