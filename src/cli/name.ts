/** Names from a file and paths from a command line, as they are printed. */

import { printable } from '../printable.js'

/**
 * A name among other words: printable, and in quotes where it could be taken for more than one word
 * or for a sign of ours. Never cut: see `cutText`.
 */
export function nameText(name: string): string {
  const text = printable(name)
  // Spaces of every kind, and characters that are drawn as nothing without being spaces.
  return /^[="]|[\s\u115f\u1160\u2800\u3164\uffa0]|^$/u.test(text)
    ? `"${text.replace(/"/g, '\\"')}"`
    : text
}
