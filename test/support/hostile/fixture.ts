/** A hostile file: how it is made, and with what it is refused. */

import type { CheckpointErrorCode } from '../../../src/errors.js'

export interface Fixture {
  /** What is wrong with it. Unique. */
  readonly name: string
  readonly make: () => Uint8Array
  readonly code: CheckpointErrorCode
  readonly rule?: string
  /** When it is noticed: as it is opened (the default), as bytes are read, as the config is parsed. */
  readonly noticed?: 'open' | 'read' | 'config'
}

/** Fixtures with the same code, and the same rule where it is given. */
export function refusedWith(
  code: CheckpointErrorCode,
  rule: string | undefined,
  files: { readonly [name: string]: () => Uint8Array },
  noticed: NonNullable<Fixture['noticed']> = 'open',
): Fixture[] {
  return Object.entries(files).map(([name, make]) => ({
    name,
    make,
    code,
    noticed,
    ...(rule === undefined ? {} : { rule }),
  }))
}
