/** What an error of the system says: its code, and its reason without the call and the path. */

import { constants } from 'node:os'
import { messageOf } from '../../errors.js'

/** The code for what the runtime refuses although the system may allow it: `--permission` of Node, Deno. */
export const NOT_PERMITTED = 'ERR_ACCESS_DENIED'

/** The system's name for an error (`ENOENT`), of any realm; undefined if it has none. */
export function errorCode(error: unknown): string | undefined {
  const { code, name } = (error ?? {}) as { readonly code?: unknown; readonly name?: unknown }
  // Deno's error has a name of its own, and no code.
  if (name === 'NotCapable') return NOT_PERMITTED
  return typeof code === 'string' ? code : undefined
}

/** The reason of an error, without the call and the path that Node appends: `ENOENT: no such file …`. */
export function errorReason(error: unknown): string {
  const { errno } = (error ?? {}) as { readonly errno?: unknown }
  // Node has no name for this error, which users do meet.
  if (errno === -constants.errno.EDQUOT) return 'EDQUOT: disk quota exceeded'
  const message = messageOf(error)
  return errorCode(error) === undefined ? message : message.replace(/, \w+.*$/s, '')
}
